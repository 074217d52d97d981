"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3)."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

from hilum.core.archive.model import Retrieved
from hilum.core.kernel.errors import HilumError, Invalid, NotFound
from hilum.core.routing.model import InstanceParcel, Verdict
from hilum.core.routing.ports import Courier
from hilum.doors.dimse.failures import Service
from hilum.doors.dimse.session import Session
from hilum.transport.dicom import AssociationEnded
from hilum.wire.dicom.data_sets import decoded, put
from hilum.wire.dicom.dimse.messages import (
    CCancelRequest,
    CGetRequest,
    CMoveRequest,
    CStoreRequest,
    CStoreResponse,
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
_FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
_MOST_COUNT = 0xFFFF
"""The counts are US."""


@dataclass(slots=True)
class SubOperations:
    """How the C-STORE sub-operations stand (PS3.7 9.1.3.1)."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)
    reason: str = ""
    """What the first failure said."""

    def note(self, sop_instance_uid: str, category: Category, reason: str = "") -> None:
        """Count one sub-operation."""
        self.remaining -= 1
        if category is Category.SUCCESS:
            self.completed += 1
        elif category is Category.WARNING:
            self.warning += 1
        else:
            self.failed.append(sop_instance_uid)
            self.reason = self.reason or reason

    def counts(self, *, with_remaining: bool) -> dict[str, Any]:
        """Return the fields of a response; the final one has no count of what remains (PS3.7 9.1.3.1.7)."""
        counts = {
            "NumberOfCompletedSuboperations": min(self.completed, _MOST_COUNT),
            "NumberOfFailedSuboperations": min(len(self.failed), _MOST_COUNT),
            "NumberOfWarningSuboperations": min(self.warning, _MOST_COUNT),
        }
        if with_remaining:
            counts["NumberOfRemainingSuboperations"] = min(self.remaining, _MOST_COUNT)
        return counts

    def final_status(self) -> Status:
        """Return the status of the final response (PS3.4 Tables C.4-2, C.4-3)."""
        if not self.failed:
            return Status.SUCCESS
        if self.completed or self.warning:
            return Status.SUB_OPERATIONS_WITH_FAILURES
        return Status.UNABLE_TO_PERFORM_SUB_OPERATIONS


SendOne = Callable[[Retrieved], tuple[Category, str]]


def move(session: Session, context: AcceptedContext, request: CMoveRequest) -> None:
    """Send what is asked for to a configured destination, over an association of its own."""
    try:
        chosen = _chosen(session, context, MOVE_MODELS)
        courier = _destination(session, request)
    except HilumError as error:
        session.refuse(context, request, Service.RETRIEVE, error)
        return

    unreachable: list[str] = []

    def send(retrieved: Retrieved) -> tuple[Category, str]:
        if unreachable:
            return Category.FAILURE, unreachable[0]
        receipt = courier.send(InstanceParcel(retrieved, session.hub.open_blob))
        said = f"{receipt.code} {receipt.text}"
        if receipt.verdict is Verdict.ACCEPTED:
            return Category.SUCCESS, said
        if receipt.verdict is Verdict.RETRY and not receipt.code[0].isdigit():
            unreachable.append(said)  # no association: the other instances would only wait for the same
        return Category.FAILURE, said

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

    def send(retrieved: Retrieved) -> tuple[Category, str]:
        try:
            return _store_back(session, retrieved, cancels)
        except HilumError as error:
            return Category.FAILURE, error.what

    _perform(session, context, request, chosen, send, cancels)


def _chosen(
    session: Session,
    context: AcceptedContext,
    models: Mapping[str, InformationModel],
) -> list[Retrieved]:
    identifier = decoded(session.data_set(), context.transfer_syntax)
    query = retrieve_request(identifier, models[context.abstract_syntax])
    return session.hub.retrieve(session.caller, query)


def _destination(session: Session, request: CMoveRequest) -> Courier:
    peer = session.hub.peer_by_ae_title(request.MoveDestination)
    if peer is None:
        raise NotFound(
            f"destination {request.MoveDestination[:16]} not configured",
            next_step="add it: hilum peers add NAME --dicom AET@HOST:PORT",
        )
    return session.open_destination(peer, session.peer_ae_title, request.MessageID)


def _perform(
    session: Session,
    context: AcceptedContext,
    request: CMoveRequest | CGetRequest,
    chosen: list[Retrieved],
    send: SendOne,
    cancels: set[int] | None = None,
) -> None:
    progress = SubOperations(remaining=len(chosen))
    for retrieved in chosen:
        if request.MessageID in (cancels or ()) or session.association.cancelled(request.MessageID):
            _finish(session, context, request, Status.CANCEL, progress)
            return
        category, reason = send(retrieved)
        progress.note(retrieved.instance.sop_instance_uid, category, reason)
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
    """Answer finally: counts, what failed (PS3.4 C.4.2.1.4.2), and the first reason."""
    failed: Dataset | None = None
    fields = progress.counts(with_remaining=status is Status.CANCEL)
    if progress.failed:
        failed = Dataset()
        put(failed, _FAILED_SOP_INSTANCE_UID_LIST, "UI", tuple(progress.failed))
        fields["ErrorComment"] = progress.reason.encode("ascii", "replace").decode()[:64]
    session.respond(context, request, status, failed, **fields)


def _store_back(session: Session, retrieved: Retrieved, cancels: set[int]) -> tuple[Category, str]:
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


def _answer_of(session: Session, message_id: int, cancels: set[int]) -> tuple[Category, str]:
    while True:
        command = session.association.next_message().command
        if isinstance(command, CCancelRequest):
            cancels.add(command.MessageIDBeingRespondedTo)
        elif isinstance(command, CStoreResponse) and command.MessageIDBeingRespondedTo == message_id:
            meaning = look_up(command.Status, STORAGE)
            return meaning.category, f"{command.Status:04X} {command.ErrorComment or meaning.meaning}"
        else:
            raise AssociationEnded("a message out of turn in the middle of C-GET")
