"""Unified Procedure Step as SCP: Push, Pull, Watch and Query (PS3.4 CC.2). Events go out by the engine and its couriers."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hilum.core.kernel.errors import Busy, HilumError, Invalid
from hilum.core.workitems import table
from hilum.core.workitems.model import (
    ALL_WORKITEMS,
    FILTERED_WORKITEMS,
    UPS_PUSH,
    AttributeFault,
    Cancellation,
    Channel,
    Fault,
    Remark,
    Subscriber,
    WorkitemConflict,
    WorkitemUnknown,
)
from hilum.doors.dimse.failures import Service, comment_of, status_of
from hilum.doors.dimse.query import answer_all
from hilum.doors.dimse.session import Session
from hilum.wire.dicom import ups
from hilum.wire.dicom.data_sets import decoded
from hilum.wire.dicom.dimse.messages import (
    CFindRequest,
    NActionRequest,
    NCreateRequest,
    NGetRequest,
    NSetRequest,
    Request,
)
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext
from hilum.wire.dicom.ups_query import find_answer, find_request, identifier_keys

SOP_CLASSES = (UPS_PUSH, ups.UPS_WATCH, ups.UPS_PULL, ups.UPS_QUERY)
_ACTIONS: Mapping[str, frozenset[int]] = {
    UPS_PUSH: frozenset({ups.REQUEST_CANCEL}),
    ups.UPS_WATCH: frozenset({ups.REQUEST_CANCEL, ups.SUBSCRIBE, ups.UNSUBSCRIBE, ups.SUSPEND}),
    ups.UPS_PULL: frozenset({ups.CHANGE_STATE}),
}
"""Which actions each class has (PS3.4 Tables CC.2-1 to CC.2-3)."""
_FAULTS: Mapping[Fault, int] = {
    Fault.MISSING: Status.MISSING_ATTRIBUTE,
    Fault.EMPTY: Status.MISSING_ATTRIBUTE_VALUE,
    Fault.WRONG: Status.INVALID_ATTRIBUTE_VALUE,
    Fault.NOT_ALLOWED: Status.INVALID_ATTRIBUTE_VALUE,
}


def create(session: Session, context: AcceptedContext, request: NCreateRequest) -> None:
    """Keep a new workitem; where the peer gave it no UID, we do (PS3.7 10.1.5.1.3)."""
    try:
        attributes = ups.attributes_of(session.data_set(), context.transfer_syntax)
        workitem, remark = session.hub.create_workitem(
            session.caller, request.AffectedSOPInstanceUID or "", attributes
        )
        uid = workitem.sop_instance_uid
        session.respond(context, request, ups.STATUS_OF_REMARK[remark], AffectedSOPInstanceUID=uid)
    except HilumError as error:
        _refuse(session, context, request, error)


def get(session: Session, context: AcceptedContext, request: NGetRequest) -> None:
    """Return attributes; who asks for the Transaction UID gets the others, and a warning."""
    try:
        _demand_class(request.RequestedSOPClassUID)
        workitem = session.hub.read_workitem(session.caller, request.RequestedSOPInstanceUID)
        asked = request.AttributeIdentifierList or ()
        secret = int(table.TRANSACTION_UID, 16) in asked
        status = ups.UpsStatus.OPTIONAL_ATTRIBUTES_NOT_SUPPORTED if secret else Status.SUCCESS
        session.respond(context, request, status, ups.workitem_data_set(workitem, asked))
    except HilumError as error:
        _refuse(session, context, request, error)


def change(session: Session, context: AcceptedContext, request: NSetRequest) -> None:
    """Set attributes: the Transaction UID among them says who may."""
    try:
        _demand_class(request.RequestedSOPClassUID)
        given = ups.attributes_of(session.data_set(), context.transfer_syntax)
        uid, transaction_uid = request.RequestedSOPInstanceUID, ups.transaction_uid_of(given)
        session.hub.change_workitem(session.caller, uid, given, transaction_uid)
        session.respond(context, request, Status.SUCCESS)
    except HilumError as error:
        _refuse(session, context, request, error)


def act(session: Session, context: AcceptedContext, request: NActionRequest) -> None:
    """Change state, request to cancel, subscribe, unsubscribe, suspend."""
    if request.ActionTypeID not in _ACTIONS[context.abstract_syntax]:
        session.respond(context, request, Status.NO_SUCH_ACTION_TYPE)
        return
    try:
        _demand_class(request.RequestedSOPClassUID)
        octets = session.data_set()
        doing = _DOING[request.ActionTypeID]
        remark = doing(session, request.RequestedSOPInstanceUID, octets, context.transfer_syntax)
        session.respond(context, request, ups.STATUS_OF_REMARK[remark])
    except HilumError as error:
        _refuse(session, context, request, error)


def find(session: Session, context: AcceptedContext, request: CFindRequest) -> None:
    """Answer a query: one pending response a match, then the final one (PS3.4 CC.2.8)."""
    try:
        search = find_request(decoded(session.data_set(), context.transfer_syntax))
        most = session.most_answers
        found = session.hub.find_workitems(session.caller, replace(search.query, limit=most + 1))
        if len(found) > most:
            raise Busy(f"more than {most} matches: narrow the query", next_step="add a state or a date")
        answers = (find_answer(one.attributes, search) for one in found)
        answer_all(session, context, request, answers, Status.PENDING)
    except HilumError as error:
        session.refuse(context, request, Service.FIND, error)


def _change_state(session: Session, uid: str, octets: bytes, transfer_syntax: str) -> Remark:
    given = ups.attributes_of(octets, transfer_syntax)
    wanted = ups.wanted_state(given)
    return session.hub.change_workitem_state(session.caller, uid, wanted, ups.transaction_uid_of(given))


def _request_cancel(session: Session, uid: str, octets: bytes, transfer_syntax: str) -> Remark:
    given = ups.attributes_of(octets, transfer_syntax) if octets else {}
    return session.hub.request_workitem_cancel(
        session.caller, uid, Cancellation(session.peer_ae_title, given)
    )


def _subscribe(session: Session, uid: str, octets: bytes, transfer_syntax: str) -> Remark:
    given = ups.attributes_of(octets, transfer_syntax)
    keys = identifier_keys(decoded(octets, transfer_syntax)) if uid == FILTERED_WORKITEMS else ()
    if uid == FILTERED_WORKITEMS and not keys:
        raise Invalid(
            "a filtered subscription needs matching keys", next_step=f"subscribe to {ALL_WORKITEMS}"
        )
    wanted = Subscriber(
        ups.receiving_ae(given), Channel.ASSOCIATION, deletion_lock=ups.deletion_lock(given), keys=keys
    )
    session.hub.subscribe_to_workitems(session.caller, uid, wanted)
    return Remark.NOTHING


def _unsubscribe(session: Session, uid: str, octets: bytes, transfer_syntax: str) -> Remark:
    receiver = ups.receiving_ae(ups.attributes_of(octets, transfer_syntax))
    session.hub.unsubscribe_from_workitems(session.caller, uid, receiver)
    return Remark.NOTHING


def _suspend(session: Session, uid: str, octets: bytes, transfer_syntax: str) -> Remark:
    receiver = ups.receiving_ae(ups.attributes_of(octets, transfer_syntax))
    session.hub.suspend_workitem_subscription(session.caller, uid, receiver)
    return Remark.NOTHING


_DOING: Mapping[int, Callable[[Session, str, bytes, str], Remark]] = {
    ups.CHANGE_STATE: _change_state,
    ups.REQUEST_CANCEL: _request_cancel,
    ups.SUBSCRIBE: _subscribe,
    ups.UNSUBSCRIBE: _unsubscribe,
    ups.SUSPEND: _suspend,
}


def _demand_class(sop_class_uid: str) -> None:
    """The instance is of UPS Push, by whichever class it is spoken of; naming that other class is let pass (CC.3.1.1)."""
    if sop_class_uid not in SOP_CLASSES:
        raise Invalid("the Requested SOP Class UID is none of UPS", next_step=f"send {UPS_PUSH}")


def _refuse(session: Session, context: AcceptedContext, request: Request, error: HilumError) -> None:
    """Answer with the code that PS3.4 CC.2 has for this failure, else with that of every N-service."""
    offending = (int(error.tag, 16),) if isinstance(error, AttributeFault) else None
    session.respond(
        context, request, _status(error), ErrorComment=comment_of(error.what), OffendingElement=offending
    )


def _status(error: HilumError) -> int:
    if isinstance(error, WorkitemConflict | WorkitemUnknown):
        return ups.STATUS_OF_REASON[error.reason]
    if isinstance(error, AttributeFault):
        return _FAULTS[error.fault]
    return status_of(Service.NORMALIZED, error)


SERVICES: Mapping[tuple[str, type], Callable[[Session, AcceptedContext, Any], None]] = {
    (UPS_PUSH, NCreateRequest): create,
    **{(sop_class, NActionRequest): act for sop_class in _ACTIONS},
    **{(sop_class, NGetRequest): get for sop_class in _ACTIONS},
    (ups.UPS_PULL, NSetRequest): change,
    **{(sop_class, CFindRequest): find for sop_class in (ups.UPS_WATCH, ups.UPS_PULL, ups.UPS_QUERY)},
}
"""Which service of which class is served by which function."""
