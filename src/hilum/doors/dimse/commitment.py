"""Storage Commitment Push Model: N-ACTION, and the report on the same association (PS3.4 J.3, RAD-10)."""

from hilum.core.archive.model import Commitment
from hilum.core.kernel.errors import HilumError
from hilum.doors.dimse.failures import Service
from hilum.doors.dimse.session import Session
from hilum.wire.dicom.commitment import (
    REQUEST_STORAGE_COMMITMENT,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    action_request,
    event_report,
    told,
)
from hilum.wire.dicom.data_sets import decoded, encoded
from hilum.wire.dicom.dimse.messages import NActionRequest, NEventReportRequest, NEventReportResponse
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext


def request_commitment(session: Session, context: AcceptedContext, request: NActionRequest) -> None:
    """Judge what is asked for, answer, then report; whoever leaves before the report gets it later (ADR 16)."""
    refusal = _refusal(request)
    if refusal is not None:
        session.respond(context, request, refusal)
        return
    try:
        transaction_uid, references = action_request(decoded(session.data_set(), context.transfer_syntax))
        commitment = session.hub.request_commitment(
            session.caller, session.peer_ae_title, transaction_uid, references
        )
    except HilumError as error:
        session.refuse(context, request, Service.NORMALIZED, error)
        return
    message_id = session.association.next_message_id()
    session.reports_under_way[message_id] = transaction_uid  # from now on it is owed, whatever happens here
    session.respond(context, request, Status.SUCCESS)
    _report(session, context, commitment, message_id)


def take_report(session: Session, context: AcceptedContext, request: NEventReportRequest) -> None:
    """Take what a peer reports about a commitment that we asked it for: it called us, in the SCP's role (PS3.4 J.3.3)."""
    try:
        report = told(decoded(session.data_set(), context.transfer_syntax))
        session.hub.take_commitment_report(session.caller, report)
        session.respond(context, request, Status.SUCCESS)
    except HilumError as error:
        session.refuse(context, request, Service.NORMALIZED, error)


def take_answer(session: Session, response: NEventReportResponse) -> None:
    """Note that the peer took a report; any other status leaves it for a new association."""
    transaction_uid = session.reports_under_way.get(response.MessageIDBeingRespondedTo)
    if transaction_uid is not None and response.Status == Status.SUCCESS:
        session.hub.commitment_reported(transaction_uid)
        del session.reports_under_way[response.MessageIDBeingRespondedTo]


def _refusal(request: NActionRequest) -> Status | None:
    """PS3.7 10.1.4.1.10: there is one well-known instance (PS3.4 J.3.5), and one action (PS3.4 J.3.2)."""
    if request.RequestedSOPInstanceUID != SOP_INSTANCE_UID:
        return Status.NO_SUCH_SOP_INSTANCE
    if request.ActionTypeID != REQUEST_STORAGE_COMMITMENT:
        return Status.NO_SUCH_ACTION_TYPE
    return None


def _report(session: Session, context: AcceptedContext, commitment: Commitment, message_id: int) -> None:
    event_type, information = event_report(commitment, session.ae_title)
    report = NEventReportRequest(
        AffectedSOPClassUID=SOP_CLASS_UID,
        MessageID=message_id,
        AffectedSOPInstanceUID=SOP_INSTANCE_UID,
        EventTypeID=event_type,
    )
    session.association.send(context.context_id, report, encoded(information, context.transfer_syntax))
