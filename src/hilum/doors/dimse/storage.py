"""C-STORE (PS3.4 B): the object goes to the spool while it arrives, and success is answered after the commit."""

from collections.abc import Iterator

from hilum.core.archive.model import Header, StoreOutcome
from hilum.core.archive.ports import Spool
from hilum.core.kernel.errors import HilumError, Invalid
from hilum.core.kernel.identifiers import uid
from hilum.doors.dimse.failures import Service, comment_of, status_of
from hilum.doors.dimse.session import Session
from hilum.wire.dicom.archive_header import indexed_header
from hilum.wire.dicom.assumption import Assumption
from hilum.wire.dicom.attributes import check_remainder
from hilum.wire.dicom.dimse.messages import CStoreRequest
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.elements import Remainder
from hilum.wire.dicom.header import Header as ScannedHeader
from hilum.wire.dicom.header import scan_header
from hilum.wire.dicom.part10 import file_meta_bytes
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext

_BEGINNING = 1 << 16
"""Octets that hold the header of nearly every object."""


def store(session: Session, context: AcceptedContext, request: CStoreRequest) -> None:
    """Keep one instance and answer (PS3.4 B.2)."""
    if request.AffectedSOPClassUID != context.abstract_syntax:
        comment = "Affected SOP Class is not that of the presentation context"
        session.respond(context, request, Status.SOP_CLASS_NOT_SUPPORTED, ErrorComment=comment)
        return
    try:
        status, comment = _spooled(session, context, request)
    except HilumError as error:
        status, comment = status_of(Service.STORAGE, error), comment_of(error.what)
    session.respond(context, request, status, ErrorComment=comment or None)


def _spooled(session: Session, context: AcceptedContext, request: CStoreRequest) -> tuple[int, str]:
    """Return status and comment; what was begun and not kept is gone before they are told."""
    spool = session.hub.spool(session.caller)
    try:
        return _kept(session, context, request, spool)
    finally:
        spool.discard()


def _kept(
    session: Session, context: AcceptedContext, request: CStoreRequest, spool: Spool
) -> tuple[int, str]:
    scanned, remainder = _receive(session, context, request, spool)
    header = indexed_header(scanned)
    if not _names_the_same(header, request):
        return Status.DOES_NOT_MATCH_SOP_CLASS, "SOP Class or Instance UID differs from the command"
    check_remainder(remainder)
    stored = session.hub.store(session.caller, spool, header)
    if stored.outcome is StoreOutcome.REJECTED:
        return Status.NOT_AUTHORIZED, comment_of(stored.reason)
    if stored.outcome is StoreOutcome.CONFLICT:
        return Status.DUPLICATE_SOP_INSTANCE, comment_of(stored.reason)
    return Status.SUCCESS, ""


def _receive(
    session: Session, context: AcceptedContext, request: CStoreRequest, spool: Spool
) -> tuple[ScannedHeader, Remainder]:
    """Write our file meta, then the data set octet for octet; memory holds one fragment.

    The header is read as soon as it is there: what follows it is still on its way then.
    """
    sop_class_uid = uid(request.AffectedSOPClassUID, "Affected SOP Class UID")
    sop_instance_uid = uid(request.AffectedSOPInstanceUID, "Affected SOP Instance UID")
    head = file_meta_bytes(sop_class_uid, sop_instance_uid, context.transfer_syntax)
    spool.write(head)
    arriving = _arriving(session, spool)
    next((size for size in arriving if size >= _BEGINNING), None)
    wanted = (spool, len(head), context.transfer_syntax, session.assumption)
    early = _scanned_early(*wanted)
    for _ in arriving:
        """Written to the spool."""
    return early or scan_header(*wanted)


def _arriving(session: Session, spool: Spool) -> Iterator[int]:
    """Write the fragments as they arrive, and tell how many octets there are."""
    for fragment in session.fragments():
        if spool.size + len(fragment) > session.longest_instance:
            raise Invalid(f"the instance is longer than {session.longest_instance} octets")
        spool.write(fragment)
        yield spool.size


def _scanned_early(
    spool: Spool, offset: int, transfer_syntax_uid: str, assumption: Assumption
) -> tuple[ScannedHeader, Remainder] | None:
    """Return the header if all of it is there, which it is when something stands behind it."""
    try:
        header, remainder = scan_header(spool, offset, transfer_syntax_uid, assumption)
    except Invalid:
        return None  # it goes on in what did not arrive yet, or is bad: the second look tells
    return (header, remainder) if remainder.data_set.read_at(remainder.offset, 1) else None


def _names_the_same(header: Header, request: CStoreRequest) -> bool:
    """PS3.4 B.2.3: A900 when the data set is not what the command said."""
    return (header.sop_class_uid, header.sop_instance_uid) == (
        request.AffectedSOPClassUID,
        request.AffectedSOPInstanceUID,
    )
