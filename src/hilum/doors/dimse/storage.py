"""C-STORE (PS3.4 B): the object goes to the spool while it arrives, and success is answered after the commit."""

from hilum.core.archive.model import Header, StoreOutcome
from hilum.core.archive.ports import Spool
from hilum.core.kernel.errors import HilumError, Invalid
from hilum.core.kernel.identifiers import uid
from hilum.doors.dimse.failures import Service, comment_of, status_of
from hilum.doors.dimse.session import Session
from hilum.wire.dicom.archive_header import indexed_header
from hilum.wire.dicom.attributes import check_complete
from hilum.wire.dicom.dimse.messages import CStoreRequest
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.header import scan_header
from hilum.wire.dicom.part10 import FileMeta, file_meta_bytes
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext


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
    meta = _receive(session, context, request, spool)
    spool.seal()
    header = indexed_header(
        scan_header(spool, meta.data_set_offset, context.transfer_syntax, session.assumption)
    )
    if not _names_the_same(header, request):
        return Status.DOES_NOT_MATCH_SOP_CLASS, "SOP Class or Instance UID differs from the command"
    check_complete(spool, meta)
    stored = session.hub.store(session.caller, spool, header)
    if stored.outcome is StoreOutcome.REJECTED:
        return Status.NOT_AUTHORIZED, comment_of(stored.reason)
    if stored.outcome is StoreOutcome.CONFLICT:
        return Status.DUPLICATE_SOP_INSTANCE, comment_of(stored.reason)
    return Status.SUCCESS, ""


def _receive(session: Session, context: AcceptedContext, request: CStoreRequest, spool: Spool) -> FileMeta:
    """Write our file meta, then the data set octet for octet; memory holds one fragment."""
    sop_class_uid = uid(request.AffectedSOPClassUID, "Affected SOP Class UID")
    sop_instance_uid = uid(request.AffectedSOPInstanceUID, "Affected SOP Instance UID")
    head = file_meta_bytes(sop_class_uid, sop_instance_uid, context.transfer_syntax)
    spool.write(head)
    for fragment in session.fragments():
        if spool.size + len(fragment) > session.longest_instance:
            raise Invalid(f"the instance is longer than {session.longest_instance} octets")
        spool.write(fragment)
    return FileMeta(context.transfer_syntax, len(head), sop_class_uid, sop_instance_uid)


def _names_the_same(header: Header, request: CStoreRequest) -> bool:
    """PS3.4 B.2.3: A900 when the data set is not what the command said."""
    return (header.sop_class_uid, header.sop_instance_uid) == (
        request.AffectedSOPClassUID,
        request.AffectedSOPInstanceUID,
    )
