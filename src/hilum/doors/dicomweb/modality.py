"""What a modality asks and tells over HTTP: its worklist, its steps, and whether images are safe (PS3.18 13 to 15)."""

import json
from collections.abc import Callable
from dataclasses import replace

from pydicom.dataset import Dataset
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from hilum.core.archive.model import Commitment
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import uid
from hilum.doors._http.endpoints import Endpoint, answered, streamed
from hilum.doors._http.negotiation import parse_media_type
from hilum.doors._http.problems import TooLarge, UnsupportedMediaType
from hilum.doors.dicomweb.acceptance import Offer, accepted_ranges, demand
from hilum.doors.dicomweb.data_set_answers import (
    DICOM_JSON,
    DICOM_XML,
    MANY,
    ONE,
    data_set_answer,
    data_sets_answer,
)
from hilum.doors.dicomweb.methods import routed
from hilum.doors.dicomweb.paths import service_url
from hilum.wire.dicom.commitment import action_request, event_report
from hilum.wire.dicom.data_sets import decoded, encoded
from hilum.wire.dicom.json_model import JsonDataSet, data_set_json, data_set_of_json
from hilum.wire.dicom.mpps import changed_step, created_step, step_data_set
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from hilum.wire.dicom.worklist import worklist_answer
from hilum.wire.dicom.worklist_search import worklist_search
from hilum.wire.dicom.xml_model import data_set_of_xml

_STEP = "/modality-performed-procedure-steps/{step}"
_COMMITMENT = "/commitment-requests/{transaction}"
_MOST_OCTETS = 16 << 20
_TRANSACTION_UID, _RETRIEVE_AE_TITLE = "00081195", "00080054"

Taking = Callable[[Request, Caller, Dataset], Response]


def modality_routes(hub: Hub, most_answers: int) -> list[BaseRoute]:
    """Return the resources of PS3.18 Tables 13.1.1-1, 14.1.1-1 and 15.1.1-1."""
    service = Modality(hub, most_answers)

    def sent(taking: Taking) -> Endpoint:
        return streamed(hub, lambda request, caller: _with_data_set(request, caller, taking))

    return [
        routed("/modality-scheduled-procedure-steps", {"GET": answered(hub, service.worklist)}),
        routed(_STEP, {"GET": answered(hub, service.step), "POST": sent(service.tell_step)}),
        routed(_COMMITMENT, {"GET": answered(hub, service.commitment), "POST": sent(service.commit)}),
    ]


class Modality:
    """Answers the transactions; `most_answers` is the longest page of a worklist."""

    def __init__(self, hub: Hub, most_answers: int) -> None:
        self._hub = hub
        self._most_answers = most_answers

    def worklist(self, request: Request, caller: Caller) -> Response:
        """14.4: scheduled steps, each with all that is known of it."""
        offer = demand(accepted_ranges(request), MANY)
        search = worklist_search({name: request.query_params.getlist(name) for name in request.query_params})
        most = min(self._most_answers, self._most_answers if search.limit is None else search.limit)
        query = replace(search.request.query, limit=search.offset + most)
        items = self._hub.worklist(caller, query)[search.offset :]
        url = f"{service_url(request)}/modality-scheduled-procedure-steps"
        answers = (data_set_json(worklist_answer(one, search.request, caller.ae_title)) for one in items)
        response = data_sets_answer(request, offer, ((url, one) for one in answers), {})
        for warning in search.warnings:
            response.headers.append("Warning", f'299 hilum "{warning.replace(chr(34), chr(39))}"')
        return response

    def step(self, request: Request, caller: Caller) -> Response:
        """15.6: the step as it is known."""
        offer = demand(accepted_ranges(request), ONE)
        step = self._hub.performed_procedure(caller, _uid(request, "step"))
        url = f"{service_url(request)}/modality-performed-procedure-steps/{step.sop_instance_uid}"
        return data_sets_answer(request, offer, iter([(url, data_set_json(step_data_set(step)))]), {})

    def tell_step(self, request: Request, caller: Caller, given: Dataset) -> Response:
        """15.4 and, with the parameter `update`, 15.5."""
        step_uid = _uid(request, "step")
        written = encoded(given, EXPLICIT_VR_LITTLE_ENDIAN)
        if "update" in request.query_params:
            change, _ = changed_step(written, EXPLICIT_VR_LITTLE_ENDIAN)
            self._hub.change_procedure(caller, step_uid, change)
            return Response(status_code=200)
        self._hub.start_procedure(caller, created_step(written, EXPLICIT_VR_LITTLE_ENDIAN, step_uid))
        where = f"{service_url(request)}/modality-performed-procedure-steps/{step_uid}"
        return Response(status_code=201, headers={"Location": where, "Content-Location": where})

    def commit(self, request: Request, caller: Caller, given: Dataset) -> Response:
        """13.4: judged at once, so the answer is the result."""
        offer = demand(accepted_ranges(request), ONE)
        given.TransactionUID = _uid(request, "transaction")
        written = encoded(given, EXPLICIT_VR_LITTLE_ENDIAN)
        transaction_uid, references = action_request(decoded(written, EXPLICIT_VR_LITTLE_ENDIAN))
        return _judged(request, offer, self._hub.commit_at_once(caller, transaction_uid, references))

    def commitment(self, request: Request, caller: Caller) -> Response:
        """13.5: the result once more."""
        offer = demand(accepted_ranges(request), ONE)
        return _judged(request, offer, self._hub.own_commitment(caller, _uid(request, "transaction")))


def _judged(request: Request, offer: Offer, commitment: Commitment) -> Response:
    """Return the Storage Commitment Response Module (PS3.18 J.2)."""
    _, report = event_report(commitment, "")
    module = data_set_json(report)
    kept = {tag: one for tag, one in module.items() if tag not in {_TRANSACTION_UID, _RETRIEVE_AE_TITLE}}
    return data_set_answer(request, offer, kept, {})


async def _with_data_set(request: Request, caller: Caller, taking: Taking) -> Response:
    """Read a body of one data set, then answer in a thread."""
    gathered = bytearray()
    async for piece in request.stream():
        gathered += piece
        if len(gathered) > _MOST_OCTETS:
            raise TooLarge(f"a data set is longer than {_MOST_OCTETS} octets", next_step="send less")
    said = request.headers.get("content-type", DICOM_JSON)
    return await run_in_threadpool(lambda: taking(request, caller, _data_set(bytes(gathered), said)))


def _data_set(body: bytes, said: str) -> Dataset:
    essence = parse_media_type(said).essence
    if essence == DICOM_XML:
        return data_set_of_json(data_set_of_xml(body))
    if essence not in {DICOM_JSON, "application/json"}:
        raise UnsupportedMediaType(
            "data sets are not read in this media type", next_step=f"send {DICOM_JSON}"
        )
    return data_set_of_json(_one_object(body))


def _one_object(body: bytes) -> JsonDataSet:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("the DICOM JSON is malformed", peer_said=str(error)[:200]) from error
    told = told[0] if isinstance(told, list) and len(told) == 1 else told
    if not isinstance(told, dict):
        raise Invalid("the DICOM JSON is not one data set")
    return told


def _uid(request: Request, name: str) -> str:
    return uid(request.path_params[name], f"the {name} UID of the path")
