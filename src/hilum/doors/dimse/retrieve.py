"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3)."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing

from hilum.core.archive.model import Retrieved
from hilum.core.kernel.errors import HilumError, Invalid, NotFound
from hilum.core.routing.model import InstanceParcel, Receipt, Verdict
from hilum.core.routing.ports import Courier
from hilum.doors.dimse.commitment import take_answer
from hilum.doors.dimse.failures import Service
from hilum.doors.dimse.session import Session
from hilum.doors.dimse.sub_operations import Outcome, SubOperations
from hilum.transport.dicom import AssociationEnded
from hilum.wire.dicom.data_sets import decoded
from hilum.wire.dicom.dimse.messages import (
    CCancelRequest,
    CGetRequest,
    CMoveRequest,
    CStoreRequest,
    CStoreResponse,
    NEventReportResponse,
)
from hilum.wire.dicom.dimse.status import STORAGE, Category, Status, look_up
from hilum.wire.dicom.outgoing import outgoing_data_set
from hilum.wire.dicom.queries import InformationModel, retrieve_request
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext

MOVE_MODELS: Mapping[str, InformationModel] = {
    "1.2.840.10008.5.1.4.1.2.1.2": InformationModel.PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.2": InformationModel.STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.3.2": InformationModel.PATIENT_STUDY_ONLY,
}
GET_MODELS: Mapping[str, InformationModel] = {
    "1.2.840.10008.5.1.4.1.2.1.3": InformationModel.PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.3": InformationModel.STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.3.3": InformationModel.PATIENT_STUDY_ONLY,
}
_STATUS = re.compile(r"[0-9A-F]{4}")
"""The code of a receipt that is the destination's own status, and not ours for a destination without association."""

SendOne = Callable[[Retrieved], Outcome]


def move(session: Session, context: AcceptedContext, request: CMoveRequest) -> None:
    """Send what is asked for to a configured destination, over an association of its own."""
    try:
        courier = _destination(session, request)
        chosen = _chosen(session, context, MOVE_MODELS)
    except HilumError as error:
        session.refuse(context, request, Service.RETRIEVE, error)
        return
    unreachable: list[Outcome] = []

    def send(retrieved: Retrieved) -> Outcome:
        if unreachable:  # the other instances would only wait for the same
            return unreachable[0]
        receipt = courier.send(InstanceParcel(retrieved, session.hub.open_blob))
        outcome = _outcome_of(receipt)
        if receipt.verdict is Verdict.RETRY and not _STATUS.fullmatch(receipt.code):
            unreachable.append(outcome)
        return outcome

    with closing(courier):
        _perform(session, context, request, chosen, send)


def get(session: Session, context: AcceptedContext, request: CGetRequest) -> None:
    """Send what is asked for back on the same association."""
    try:
        chosen = _chosen(session, context, GET_MODELS)
    except HilumError as error:
        session.refuse(context, request, Service.RETRIEVE, error)
        return
    cancels: set[int] = set()
    _perform(session, context, request, chosen, lambda one: _store_back(session, one, cancels), cancels)


def _chosen(
    session: Session, context: AcceptedContext, models: Mapping[str, InformationModel]
) -> list[Retrieved]:
    identifier = decoded(session.data_set(), context.transfer_syntax)
    relational = session.options_of(context).relational
    query = retrieve_request(identifier, models[context.abstract_syntax], relational=relational)
    return session.hub.retrieve(session.caller, query)


def _destination(session: Session, request: CMoveRequest) -> Courier:
    peer = session.hub.peer_by_ae_title(request.MoveDestination)
    if peer is None:
        raise NotFound(
            f"move destination '{request.MoveDestination[:16]}' is not a configured peer",
            next_step="add it: hilum peers add NAME --dicom AET@HOST:PORT",
        )
    return session.open_destination(peer, session.peer_ae_title, request.MessageID)


def _outcome_of(receipt: Receipt) -> Outcome:
    """Return what a receipt means for the counts: the destination's own status where it gave one."""
    said = f"{receipt.code} {receipt.text}"
    if _STATUS.fullmatch(receipt.code):
        return Outcome(look_up(int(receipt.code, 16), STORAGE).category, said)
    return Outcome(Category.FAILURE, said)


def _perform(
    session: Session,
    context: AcceptedContext,
    request: CMoveRequest | CGetRequest,
    chosen: list[Retrieved],
    send: SendOne,
    cancels: Iterable[int] = (),
) -> None:
    progress = SubOperations(remaining=len(chosen))
    for retrieved in chosen:
        if request.MessageID in cancels or session.association.cancelled(request.MessageID):
            _finish(session, context, request, Status.CANCEL, progress)
            return
        try:
            outcome = send(retrieved)
        except HilumError as error:
            outcome = Outcome(Category.FAILURE, error.what)
        progress.note(retrieved.instance.sop_instance_uid, outcome)
        if progress.remaining:
            session.respond(context, request, Status.PENDING, **progress.counts(with_remaining=True))
    _finish(session, context, request, progress.final_status(), progress)


def _finish(
    session: Session,
    context: AcceptedContext,
    request: CMoveRequest | CGetRequest,
    status: Status,
    progress: SubOperations,
) -> None:
    fields = progress.counts(with_remaining=status is Status.CANCEL)
    if progress.failed:
        fields["ErrorComment"] = progress.reason
    session.respond(context, request, status, progress.failed_list(), **fields)


def _store_back(session: Session, retrieved: Retrieved, cancels: set[int]) -> Outcome:
    """One C-STORE sub-operation on the association of the C-GET, in a context where the peer is SCP."""
    instance = retrieved.instance
    contexts = {
        context.transfer_syntax: context
        for context in session.association.connection.contexts.values()
        if context.abstract_syntax == instance.sop_class_uid and context.requestor_is_scp
    }
    if not contexts:
        raise Invalid("the requester accepts no storage of this SOP class")
    with session.hub.open_blob(instance.blob.digest) as file:
        outgoing = outgoing_data_set(file, retrieved, contexts)
        message_id = session.association.next_message_id()
        store = CStoreRequest(
            AffectedSOPClassUID=instance.sop_class_uid,
            MessageID=message_id,
            AffectedSOPInstanceUID=instance.sop_instance_uid,
        )
        context_id = contexts[outgoing.transfer_syntax_uid].context_id
        session.association.send(context_id, store, outgoing.stream)
    return _answer_of(session, message_id, cancels)


def _answer_of(session: Session, message_id: int, cancels: set[int]) -> Outcome:
    """Wait for the response; a C-CANCEL may come first, and the answer to a report that went out before."""
    while True:
        command = session.association.next_message().command
        if isinstance(command, CCancelRequest):
            cancels.add(command.MessageIDBeingRespondedTo)
        elif isinstance(command, NEventReportResponse):
            take_answer(session, command)
        elif isinstance(command, CStoreResponse) and command.MessageIDBeingRespondedTo == message_id:
            meaning = look_up(command.Status, STORAGE)
            return Outcome(
                meaning.category, f"{command.Status:04X} {command.ErrorComment or meaning.meaning}"
            )
        else:
            raise AssociationEnded("a message out of turn in the middle of C-GET")
