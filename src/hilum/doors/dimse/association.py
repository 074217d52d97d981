"""One association from its request to its end: who calls, what is agreed, message after message."""

from typing import get_args

import structlog

from hilum.core.kernel.errors import HilumError
from hilum.doors.dimse import extended, identity, per_peer
from hilum.doors.dimse.commitment import take_answer
from hilum.doors.dimse.failures import unexpected_status
from hilum.doors.dimse.services import EXTENDED, service_of
from hilum.doors.dimse.session import Session
from hilum.transport.dicom import Association, AssociationEnded
from hilum.wire.dicom.dimse.assembler import CommandReceived
from hilum.wire.dicom.dimse.messages import CCancelRequest, NEventReportResponse, Request
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.events import AssociateRequested
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext, negotiate
from hilum.wire.dicom.upper_layer.pdus import AssociateReject, AssociateRequest

MOST_OPERATIONS = 16
"""How many operations a requestor may have outstanding, where it asks; they wait in the socket, answered in order."""

log = structlog.get_logger()

_REQUESTS = get_args(Request)


def await_request(association: Association) -> AssociateRequest:
    """Return the A-ASSOCIATE-RQ; raises AssociationEnded when something else comes."""
    event = association.next_event()
    if not isinstance(event, AssociateRequested):
        raise AssociationEnded("closed before it asked for anything", orderly=True)
    return event.request


def reject(association: Association, answer: AssociateReject) -> None:
    """Reject, and let the peer close."""
    association.write(association.connection.send_associate_reject(answer))
    association.await_close()


def accept(session: Session, request: AssociateRequest, limits: Limits) -> None:
    """Agree on contexts, roles and options (PS3.8 9.3.3, PS3.7 D.3.3)."""
    answers = extended.agree(request, EXTENDED)
    session.options = extended.options(answers)
    options = session.caller.options
    accepted = negotiate(
        request,
        per_peer.supported(session.supported, options),
        preference=per_peer.preference(options),
        extended_negotiations=answers,
        most_operations=MOST_OPERATIONS,
        user_identity_response=identity.response_of(request, session.caller),
        limits=per_peer.limits(limits, options),
    )
    session.association.write(session.association.connection.send_associate_accept(accepted))


def serve(session: Session) -> None:
    """Handle messages until the association ends; what is owed then goes another way."""
    try:
        while True:
            _handle(session, session.association.next_message())
    finally:
        for transaction_uid in session.reports_under_way.values():
            _owe(session, transaction_uid)


def _handle(session: Session, received: CommandReceived) -> None:
    command = received.command
    session.begin(command)
    if isinstance(command, _REQUESTS):
        _serve_request(session, session.association.connection.contexts[received.context_id], command)
    elif isinstance(command, NEventReportResponse):
        take_answer(session, command)
    elif not isinstance(command, CCancelRequest):  # cancelling what has ended already is no fault
        raise ProtocolError("a response to a request that was never sent")
    session.skip_data_set()


def _serve_request(session: Session, context: AcceptedContext, request: Request) -> None:
    serving = service_of(context, request)
    try:
        if serving is None:
            session.respond(context, request, Status.UNRECOGNIZED_OPERATION)
        else:
            serving(session, context, request)
    except (AssociationEnded, ProtocolError):
        raise
    except Exception:
        log.exception("request failed", trace=session.caller.trace, service=context.abstract_syntax)
        comment = f"internal error {session.caller.trace}"
        session.respond(context, request, unexpected_status(request), ErrorComment=comment)


def _owe(session: Session, transaction_uid: str) -> None:
    try:
        session.hub.report_later(transaction_uid)
    except HilumError as error:
        # The engine finds it: the request is committed as owed (ADR 16).
        log.warning("commitment report left to the engine", trace=session.caller.trace, reason=error.what)
