"""The responses of C-MOVE and C-GET: pending ones at intervals, and the last (PS3.7 9.1.3, 9.1.4)."""

import time
from dataclasses import dataclass, field

from hilum.doors.dimse.session import Session
from hilum.doors.dimse.sub_operations import Outcome, SubOperations
from hilum.wire.dicom.dimse.messages import CGetRequest, CMoveRequest
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext

_LONGEST_SILENCE = 5.0
"""Seconds after which a pending response goes out although nothing changed: the requester has timers too."""


@dataclass(slots=True)
class Reporter:
    """Counts sub-operations and tells the requester."""

    session: Session
    context: AcceptedContext
    request: CMoveRequest | CGetRequest
    progress: SubOperations
    _told: float = field(default=0.0)

    def note(self, sop_instance_uid: str, outcome: Outcome) -> None:
        """Count one sub-operation, and say so unless that was done a moment ago."""
        self.progress.note(sop_instance_uid, outcome)
        if self.progress.remaining and self._since() >= self.session.pending_interval:
            self._tell()

    def tell(self) -> None:
        """Say that the work goes on, when it was long not said."""
        if self.progress.remaining and self._since() >= _LONGEST_SILENCE:
            self._tell()

    def finish(self, status: Status) -> None:
        """Send the final response: what remains is counted when it was cancelled (PS3.7 9.1.4.1.6)."""
        fields = self.progress.counts(with_remaining=status is Status.CANCEL)
        if self.progress.failed:
            fields["ErrorComment"] = self.progress.reason
        self.session.respond(self.context, self.request, status, self.progress.failed_list(), **fields)

    def _since(self) -> float:
        return time.monotonic() - self._told

    def _tell(self) -> None:
        self._told = time.monotonic()
        counts = self.progress.counts(with_remaining=True)
        self.session.respond(self.context, self.request, Status.PENDING, **counts)
