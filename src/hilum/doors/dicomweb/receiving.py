"""Parts of a store request to stored instances, one at a time, each committed on its own (PS3.18 10.5.2)."""

import re
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from hilum.core.archive.model import StoreOutcome
from hilum.core.archive.ports import Spool
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Busy, Invalid
from hilum.core.kernel.identifiers import uid
from hilum.doors._http.negotiation import parse_media_type
from hilum.doors.dicomweb.outgoing import DICOM
from hilum.wire.dicom.archive_header import indexed_header
from hilum.wire.dicom.attributes import attribute_texts, check_complete
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.part10 import FileMeta, file_meta_bytes, read_file_meta
from hilum.wire.dicom.sop_classes import is_storable
from hilum.wire.dicom.source import BytesSource

PROCESSING_FAILURE, DUPLICATE_INSTANCE, SOP_CLASS_NOT_SUPPORTED = 0x0110, 0x0111, 0x0122
NOT_AUTHORIZED, OUT_OF_RESOURCES = 0x0124, 0xA700
DOES_NOT_MATCH, CANNOT_UNDERSTAND = 0xA900, 0xC000
"""Failure Reason (0008,1197): PS3.18 Table I.2-2, PS3.7 Annex C."""

_FAILURES = {
    StoreOutcome.CONFLICT: (DUPLICATE_INSTANCE, "kept aside: "),
    StoreOutcome.REJECTED: (NOT_AUTHORIZED, ""),
}

AT_ONCE = 4
"""Instances of one request that are stored at once: their bytes are synced, and their rows committed, together."""

_FIRST_LOOK = 64 << 10
_LAST_LOOK = 2 << 20
"""Octets within which the File Meta Information and the two first UIDs of the data set must stand."""
_UID = re.compile(r"[0-9.]{1,64}")
_TRANSPARENT = frozenset({"", "binary", "8bit", "7bit"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one part; UIDs are empty where they could not be read, `failure` is 0 where it was stored."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    failure: int = 0
    comment: str = ""
    warning: int = 0
    """Warning Reason (0008,1196) of what was stored otherwise than it came; 0 for none."""


class Receiver:
    """Takes the parts of one request: while one is stored, the next arrives.

    What stops one instance is its outcome, want of room included; Refused stops the request. Outcomes keep the order
    of the parts,
    and so do two parts of one SOP Instance UID.
    """

    def __init__(
        self, hub: Hub, caller: Caller, study_instance_uid: str, longest: int, pool: Executor
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._hub = hub
        self._caller = caller
        self._study_instance_uid = study_instance_uid
        self._longest = longest
        self._pool = pool
        self._part: _Part | None = None
        self._storing: deque[tuple[str, Future[Outcome]]] = deque()

    def begin(self, headers: Mapping[str, str]) -> None:
        """Begin an instance."""
        self._part = _Part(self._hub, self._caller, self._longest)
        try:
            _check_head(headers)
        except Invalid as error:
            self._part.fail(CANNOT_UNDERSTAND, error.what)

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the instance; after its failure they are passed over."""
        part = self._part
        if part is None or part.failure:
            return
        try:
            part.write(chunk)
        except Invalid as error:
            part.fail(CANNOT_UNDERSTAND, error.what)
        except Busy as error:
            part.fail(OUT_OF_RESOURCES, error.what)

    def fail(self, failure: int, comment: str, uids: tuple[str, str]) -> None:
        """Let the instance that is arriving fail, named by SOP Class and Instance UID as far as they are known."""
        if self._part is not None:
            self._part.name(*uids)
            self._part.fail(failure, comment)

    def end(self) -> None:
        """Let the instance be stored; raises what stopped an earlier one."""
        part, self._part = self._part, None
        if part is None:
            return
        uid_under_way = part.sop_instance_uid
        if any(uid_under_way == one for one, _ in self._storing):
            self._collect(0)
        future = self._pool.submit(part.stored, self._caller, self._study_instance_uid)
        self._storing.append((uid_under_way, future))
        self._collect(AT_ONCE - 1)

    def finish(self) -> None:
        """Wait until every instance is stored; raises what stopped one."""
        self._collect(0)

    def discard(self) -> None:
        """Forget the part that was on its way, and wait for those that are being stored."""
        if self._part is not None:
            self._part.discard()
            self._part = None
        wait([future for _, future in self._storing])

    def _collect(self, leaving: int) -> None:
        while len(self._storing) > leaving:
            self.outcomes.append(self._storing.popleft()[1].result())


class _Part:
    """One instance on its way in: its head is looked at, then all of it goes to the spool."""

    def __init__(self, hub: Hub, caller: Caller, longest: int) -> None:
        self.failure = 0
        self._comment = ""
        self._hub = hub
        self._caller = caller
        self._longest = longest
        self._head = bytearray()
        self._look = _FIRST_LOOK
        self._spool: Spool | None = None
        self._meta = FileMeta("", 0)
        self._uids = ("", "")

    def write(self, chunk: bytes | memoryview) -> None:
        if self._spool is not None:
            self._spool.write(chunk)
            if self._spool.size > self._longest:
                raise Invalid(f"the instance is longer than {self._longest} octets")
            return
        self._head += chunk
        if len(self._head) >= self._look:
            self._begin(complete=False)

    def fail(self, failure: int, comment: str) -> None:
        self.failure = failure
        self._comment = comment
        self.discard()

    def name(self, sop_class_uid: str, sop_instance_uid: str) -> None:
        if not self._uids[1] and _UID.fullmatch(sop_class_uid) and _UID.fullmatch(sop_instance_uid):
            self._uids = (sop_class_uid, sop_instance_uid)

    def failed(self) -> Outcome:
        sop_class_uid, sop_instance_uid = self._uids
        return Outcome(sop_class_uid, sop_instance_uid, failure=self.failure, comment=self._comment)

    @property
    def sop_instance_uid(self) -> str:
        return self._uids[1]

    def stored(self, caller: Caller, study_instance_uid: str) -> Outcome:
        """Store the instance, or say why not."""
        try:
            return self._stored(caller, study_instance_uid)
        except Invalid as error:
            self.fail(CANNOT_UNDERSTAND, error.what)
            return self.failed()
        except Busy as error:
            self.fail(OUT_OF_RESOURCES, error.what)
            return self.failed()
        finally:
            self.discard()

    def _stored(self, caller: Caller, study_instance_uid: str) -> Outcome:
        if self._spool is None and not self.failure:
            self._begin(complete=True)
        spool = self._spool
        if spool is None:
            return self.failed()
        check_complete(spool, self._meta)
        header = indexed_header(read_header(spool, self._meta))
        if study_instance_uid and header.study_instance_uid != study_instance_uid:
            self.fail(DOES_NOT_MATCH, "the Study Instance UID is not that of the URL")
            return self.failed()
        stored = self._hub.store(caller, spool, header)
        failure, why = _FAILURES.get(stored.outcome, (0, ""))
        return Outcome(
            stored.sop_class_uid,
            stored.sop_instance_uid,
            stored.study_instance_uid,
            stored.series_instance_uid,
            failure,
            f"{why}{stored.reason}" if failure else "",
        )

    def discard(self) -> None:
        self._head.clear()
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    def _begin(self, *, complete: bool) -> None:
        """Replace the received File Meta Information by ours, once enough has arrived to read it."""
        try:
            meta, self._uids = _identified(bytes(self._head))
        except Invalid:
            if complete or self._look >= _LAST_LOOK:
                raise
            self._look = min(self._look * 4, _LAST_LOOK)
            return
        if not is_storable(self._uids[0]):
            self.fail(SOP_CLASS_NOT_SUPPORTED, "the SOP Class is no storage class")
            return
        ours = file_meta_bytes(*self._uids, meta.transfer_syntax_uid)
        self._meta = FileMeta(meta.transfer_syntax_uid, len(ours))
        self._spool = self._hub.spool(self._caller)
        self._spool.write(ours)
        self._spool.write(self._head[meta.data_set_offset :])
        self._head.clear()


def _identified(head: bytes) -> tuple[FileMeta, tuple[str, str]]:
    """Return the received File Meta Information, and SOP Class and Instance UID as the data set says them."""
    source = BytesSource(head)
    meta = read_file_meta(source)
    texts = attribute_texts(source, ["SOPClassUID", "SOPInstanceUID"], meta)
    return meta, (
        uid(texts.get("SOPClassUID", ""), "SOP Class UID (0008,0016)"),
        uid(texts.get("SOPInstanceUID", ""), "SOP Instance UID (0008,0018)"),
    )


def _check_head(headers: Mapping[str, str]) -> None:
    said = headers.get("content-type", DICOM)
    if parse_media_type(said).essence not in {DICOM, "application/octet-stream"}:
        raise Invalid("the part is not application/dicom")
    if headers.get("content-transfer-encoding", "").lower() not in _TRANSPARENT:
        raise Invalid(
            "the part is in a Content-Transfer-Encoding, which HTTP does not need: send it as it is"
        )
