"""C-FIND: Query/Retrieve (PS3.4 C.4.1) and Modality Worklist (PS3.4 K.4.1)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pydicom.dataset import Dataset

from hilum.core.kernel.errors import Busy, HilumError
from hilum.doors.dimse.failures import Service
from hilum.doors.dimse.session import Session
from hilum.wire.dicom.answers import find_answer
from hilum.wire.dicom.dimse.messages import CFindRequest
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.queries import InformationModel, find_request
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext
from hilum.wire.dicom.worklist import worklist_answer, worklist_request

MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"

FIND_MODELS: Mapping[str, InformationModel] = {
    "1.2.840.10008.5.1.4.1.2.1.1": InformationModel.PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.1": InformationModel.STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.3.1": InformationModel.PATIENT_STUDY_ONLY,
}
"""FIND SOP classes and their information models (PS3.4 C.6)."""

_ANSWERS_BETWEEN_LOOKS = 32
"""How many answers are sent before we look whether the peer cancelled."""


def find(session: Session, context: AcceptedContext, request: CFindRequest) -> None:
    """Answer a query: one pending response a match, then the final one."""
    try:
        identifier = session.identifier(context)
        agreed = session.options_of(context)
        understood = find_request(
            identifier,
            FIND_MODELS[context.abstract_syntax],
            relational=agreed.relational,
            date_time=agreed.date_time,
            fuzzy=agreed.fuzzy,
        )
        most = session.most_answers
        found = session.hub.find(session.caller, replace(understood.query, limit=most + 1))
        _demand_within_limit(len(found), most)
        answers = (find_answer(one, understood, session.ae_title) for one in found)
        pending = Status.PENDING_WITH_UNSUPPORTED_KEYS if understood.unsupported else Status.PENDING
        answer_all(session, context, request, answers, pending)
    except HilumError as error:
        session.refuse(context, request, Service.FIND, error)


def find_worklist(session: Session, context: AcceptedContext, request: CFindRequest) -> None:
    """Answer a worklist query (RAD-5)."""
    try:
        identifier = session.identifier(context)
        understood = worklist_request(identifier)
        most = session.most_answers
        items = session.hub.worklist(session.caller, replace(understood.query, limit=most + 1))
        _demand_within_limit(len(items), most)
        answers = (worklist_answer(item, understood, session.peer_ae_title) for item in items)
        answer_all(session, context, request, answers, Status.PENDING)
    except HilumError as error:
        session.refuse(context, request, Service.FIND, error)


def _demand_within_limit(count: int, most: int) -> None:
    """PS3.4 C.4.1.1.4: A700 rather than an answer that is silently cut."""
    if count > most:
        raise Busy(
            f"narrow the query: more than {most} matches", next_step="add a date or a patient to the keys"
        )


def answer_all(
    session: Session,
    context: AcceptedContext,
    request: CFindRequest,
    answers: Iterable[Dataset],
    pending: int,
) -> None:
    """Send one pending response for each answer, then the final one; look now and then whether the peer cancelled."""
    for number, answer in enumerate(answers):
        if number % _ANSWERS_BETWEEN_LOOKS == 0 and session.association.cancelled(request.MessageID):
            session.respond(context, request, Status.CANCEL)
            return
        session.respond(context, request, pending, answer)
    session.respond(context, request, Status.SUCCESS)
