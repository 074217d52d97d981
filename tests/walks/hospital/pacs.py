"""A second PACS: a pynetdicom storage SCP that keeps what it is sent, and can be down, busy or unwilling."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from pydicom import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

Judge = Callable[[str], int]
"""Returns the status for a SOP Instance UID."""


@dataclass(slots=True)
class SecondPacs:
    """Listens on one port; what it received stays known while it is down."""

    port: int
    judge: Judge = lambda _uid: 0x0000
    arrivals: list[str] = field(default_factory=list)
    """SOP Instance UIDs in the order in which they came, whatever was answered."""
    kept: dict[str, Dataset] = field(default_factory=dict)
    senders: set[str] = field(default_factory=set)
    _server: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> Self:
        """Listen."""
        entity = AE("PACS2")
        entity.add_supported_context(Verification)
        entity.add_supported_context(CTImageStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        handlers: Any = [(evt.EVT_C_STORE, self._store)]
        self._server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        return self

    def stop(self) -> None:
        """Go down: associations are aborted, connections refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _store(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        data_set = event.dataset
        status = self.judge(uid)
        with self._lock:
            self.arrivals.append(uid)
            self.senders.add(event.assoc.requestor.ae_title)
            if status == 0x0000:
                self.kept[uid] = data_set
        return status
