"""Storage Commitment Push Model: N-ACTION, and the report on the same association (PS3.4 J.3, RAD-10)."""

from hilum.core.archive.model import Commitment
from hilum.core.kernel.errors import HilumError, Invalid
from hilum.doors.dimse.failures import Service
from hilum.doors.dimse.session import Session
from hilum.wire.dicom.commitment import (
    REQUEST_STORAGE_COMMITMENT,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    action_request,
    event_report,
)
from hilum.wire.dicom.data_sets import decoded, encoded
from hilum.wire.dicom.dimse.messages import NActionRequest, NEventReportRequest, NEventReportResponse
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext


def request_commitment(session: Session, context: AcceptedContext, request: NActionRequest) -> None:
    """Judge what is asked for, answer, then report; whoever leaves before the report gets it later (ADR 16)."""
    try:
        information = decoded(_action_information(session, request), context.transfer_syntax)
        transaction_uid, references = action_request(information)
        commitment = session.hub.request_commitment(
            session.caller, session.peer_ae_title, transaction_uid, references
        )
    except HilumError as error:
        session.refuse(context, request, Service.NORMALIZED, error)
        return
    session.reports_under_way[0] = transaction_uid  # until it has a message ID, it is owed as well
    session.respond(context, request, Status.SUCCESS)
    _report(session, context, commitment)


def take_answer(session: Session, response: NEventReportResponse) -> None:
    """Note that the peer took a report; any other status leaves it for a new association."""
    transaction_uid = session.reports_under_way.get(response.MessageIDBeingRespondedTo)
    if transaction_uid is not None and response.Status == Status.SUCCESS:
        del session.reports_under_way[response.MessageIDBeingRespondedTo]
        session.hub.commitment_reported(transaction_uid)


def _action_information(session: Session, request: NActionRequest) -> bytes:
    if request.ActionTypeID != REQUEST_STORAGE_COMMITMENT:
        raise Invalid("the action type of storage commitment is 1 (PS3.4 J.3.2)")
    return session.data_set()


def _report(session: Session, context: AcceptedContext, commitment: Commitment) -> None:
    message_id = session.association.next_message_id()
    session.reports_under_way[message_id] = session.reports_under_way.pop(0)
    event_type, information = event_report(commitment, session.ae_title)
    report = NEventReportRequest(
        AffectedSOPClassUID=SOP_CLASS_UID,
        MessageID=message_id,
        AffectedSOPInstanceUID=SOP_INSTANCE_UID,
        EventTypeID=event_type,
    )
    session.association.send(context.context_id, report, encoded(information, context.transfer_syntax))
