"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3)."""

from collections.abc import Mapping

from hilum.core.access.model import Peer
from hilum.core.archive.model import Retrieved
from hilum.core.kernel.errors import HilumError, Invalid, NotFound
from hilum.doors.dimse.commitment import take_answer
from hilum.doors.dimse.failures import Service
from hilum.doors.dimse.moving import SubAssociations
from hilum.doors.dimse.reporting import Reporter
from hilum.doors.dimse.session import Session
from hilum.doors.dimse.sub_operations import Outcome, SubOperations
from hilum.transport.dicom import AssociationEnded
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
_LOOK_SECONDS = 0.02
"""How long a C-CANCEL may wait while nothing ends."""


def move(session: Session, context: AcceptedContext, request: CMoveRequest) -> None:
    """Send what is asked for to a configured destination, over associations of its own."""
    try:
        peer = _destination(session, request)
        chosen = _chosen(session, context, MOVE_MODELS)
    except HilumError as error:
        session.refuse(context, request, Service.RETRIEVE, error)
        return
    reporter = Reporter(session, context, request, SubOperations(remaining=len(chosen)))
    sending = SubAssociations(
        open_destination=lambda: session.open_destination(peer, session.peer_ae_title, request.MessageID),
        open_blob=session.hub.open_blob,
        chosen=chosen,
        at_once=session.sub_associations,
    )
    with sending:
        while reporter.progress.remaining:
            if session.association.cancelled(request.MessageID):
                for done in sending.last_results():
                    reporter.progress.note(*done)
                reporter.finish(Status.CANCEL)
                return
            for done in sending.results(_LOOK_SECONDS):
                reporter.note(*done)
            reporter.tell()
        reporter.finish(reporter.progress.final_status())


def get(session: Session, context: AcceptedContext, request: CGetRequest) -> None:
    """Send what is asked for back on the same association."""
    try:
        chosen = _chosen(session, context, GET_MODELS)
    except HilumError as error:
        session.refuse(context, request, Service.RETRIEVE, error)
        return
    cancels: set[int] = set()
    reporter = Reporter(session, context, request, SubOperations(remaining=len(chosen)))
    for retrieved in chosen:
        if request.MessageID in cancels or session.association.cancelled(request.MessageID):
            reporter.finish(Status.CANCEL)
            return
        try:
            outcome = _store_back(session, retrieved, cancels)
        except HilumError as error:
            outcome = Outcome(Category.FAILURE, error.what)
        reporter.note(retrieved.instance.sop_instance_uid, outcome)
    reporter.finish(reporter.progress.final_status())


def _chosen(
    session: Session, context: AcceptedContext, models: Mapping[str, InformationModel]
) -> list[Retrieved]:
    identifier = session.identifier(context)
    relational = session.options_of(context).relational
    query = retrieve_request(identifier, models[context.abstract_syntax], relational=relational)
    return session.hub.retrieve(session.caller, query)


def _destination(session: Session, request: CMoveRequest) -> Peer:
    peer = session.hub.peer_by_ae_title(request.MoveDestination)
    if peer is None:
        raise NotFound(
            f"destination {request.MoveDestination[:16]} is not configured",
            next_step="add it: hilum peers add NAME --dicom AET@HOST:PORT",
        )
    return peer


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
        outgoing = outgoing_data_set(file, retrieved, contexts, session.frame_worker)
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
