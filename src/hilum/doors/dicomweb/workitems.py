"""UPS-RS: workitems over HTTP (PS3.18 11)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute

from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import uid
from hilum.core.workitems.model import (
    FILTERED_WORKITEMS,
    Cancellation,
    Channel,
    Reason,
    Remark,
    Subscriber,
    WorkitemConflict,
)
from hilum.doors._http.callers import place, trace
from hilum.doors._http.endpoints import Endpoint, answered, streamed
from hilum.doors._http.negotiation import parse_media_type
from hilum.doors._http.problems import TooLarge, UnsupportedMediaType, failure_of, problem
from hilum.doors.dicomweb.acceptance import accepted_ranges, demand
from hilum.doors.dicomweb.data_set_answers import DICOM_JSON, JSON_OFFERS
from hilum.doors.dicomweb.event_channel import EventChannels, Wait
from hilum.doors.dicomweb.methods import routed
from hilum.doors.dicomweb.paths import service_url
from hilum.wire.dicom import ups
from hilum.wire.dicom.ups_query import filter_keys, search_answer, search_request

_READ = frozenset({DICOM_JSON, "application/json"})
_WORKITEM = "/workitems/{workitem}"
_SUBSCRIBER = _WORKITEM + "/subscribers/{aetitle}"
_MORE = (
    "The number of results exceeded the maximum supported by the server. Additional results can be requested."
)

Said = tuple[int, str]
"""A status and what the Warning field says; an empty text is no field."""

_INCONSISTENT = "The submitted request is inconsistent with the current state of the Workitem."
_STATE_INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
_CREATE: Mapping[Reason, Said] = {Reason.NOT_SCHEDULED: (400, ""), Reason.DUPLICATE: (409, "")}
"""PS3.18 Table 11.4.3-1."""
_UPDATE: Mapping[Reason, Said] = {
    Reason.NOT_IN_PROGRESS: (409, "The target URI did not reference a claimed Workitem."),
    Reason.NO_TRANSACTION_UID: (400, _INCONSISTENT),
    Reason.WRONG_TRANSACTION_UID: (400, _INCONSISTENT),
    Reason.MAY_NO_LONGER_BE_UPDATED: (400, _INCONSISTENT),
}
"""PS3.18 Tables 11.6.3-1 and 11.6.3-2."""
_STATE: Mapping[Reason, Said] = {
    Reason.NO_TRANSACTION_UID: (400, "The Transaction UID is missing."),
    Reason.WRONG_TRANSACTION_UID: (400, "The Transaction UID is incorrect."),
    Reason.ALREADY_IN_PROGRESS: (409, _STATE_INCONSISTENT),
    Reason.ONLY_CREATED_SCHEDULED: (409, _STATE_INCONSISTENT),
    Reason.FINAL_STATE_REQUIREMENTS: (409, _STATE_INCONSISTENT),
    Reason.NOT_IN_PROGRESS: (409, _STATE_INCONSISTENT),
    Reason.MAY_NO_LONGER_BE_UPDATED: (409, _STATE_INCONSISTENT),
}
"""PS3.18 Tables 11.7.3-1 and 11.7.3-2."""
_CANCEL: Mapping[Reason, Said] = {
    Reason.ALREADY_COMPLETED: (409, "The UPS is already COMPLETED."),
    Reason.PERFORMER_OUT_OF_REACH: (409, "The performer cannot be contacted."),
}
"""PS3.18 Tables 11.8.3-1 and 11.8.3-2."""
_SUSPEND: Mapping[Reason, Said] = {Reason.NOT_APPROPRIATE: (400, "")}
_REMARKS: Mapping[Remark, str] = {
    Remark.CREATED_WITH_MODIFICATIONS: "The Workitem was created with modifications.",
    Remark.ALREADY_CANCELED: "The UPS is already in the requested state of CANCELED.",
    Remark.ALREADY_COMPLETED: "The UPS is already in the requested state of COMPLETED.",
    Remark.COERCED: "The Workitem was updated with modifications.",
}

Doing = Callable[[Request, Caller, bytes], Response]


def workitem_routes(hub: Hub, most_answers: int, wait: Wait | None = None) -> list[BaseRoute]:
    """Return the resources of PS3.18 Table 11.1.1-1, and the event channel. `wait` waits for news of any process."""
    service, channels = Workitems(hub, most_answers), EventChannels(hub, wait)

    def sent(doing: Doing, table: Mapping[Reason, Said]) -> Endpoint:
        return streamed(hub, lambda request, caller: _with_body(request, caller, doing, table))

    return [
        routed(
            "/workitems",
            {"GET": answered(hub, service.search), "POST": sent(service.create, _CREATE)},
        ),
        routed(
            _WORKITEM,
            {"GET": answered(hub, service.retrieve), "POST": sent(service.update, _UPDATE)},
        ),
        routed(_WORKITEM + "/state", {"PUT": sent(service.change_state, _STATE)}),
        routed(_WORKITEM + "/cancelrequest", {"POST": sent(service.request_cancel, _CANCEL)}),
        routed(
            _SUBSCRIBER,
            {"POST": answered(hub, service.subscribe), "DELETE": answered(hub, service.unsubscribe)},
        ),
        routed(_SUBSCRIBER + "/suspend", {"POST": answered(hub, service.suspend)}),
        WebSocketRoute("/subscribers/{aetitle}", channels.serve),
    ]


class Workitems:
    """Answers the transactions; `most_answers` is the longest page of a search."""

    def __init__(self, hub: Hub, most_answers: int) -> None:
        self._hub = hub
        self._most_answers = most_answers

    def create(self, request: Request, caller: Caller, body: bytes) -> Response:
        """11.4: 201 with the place of the new workitem."""
        given = ups.attributes_of_json(body)
        named = {_named_uid(request, "workitem"), ups.affected_uid(body)} - {""}
        if len(named) > 1:
            raise Invalid("the query and the data set name two UIDs", next_step="name the workitem once")
        wanted = uid(next(iter(named)), "the Workitem UID") if named else ""
        workitem, remark = self._hub.create_workitem(caller, wanted, given)
        where = f"{service_url(request)}/workitems/{workitem.sop_instance_uid}"
        response = Response(status_code=201, headers={"Location": where, "Content-Location": where})
        return _warned(request, response, _REMARKS.get(remark, ""))

    def retrieve(self, request: Request, caller: Caller) -> Response:
        """11.5: the data set without its Transaction UID."""
        offer = demand(accepted_ranges(request), JSON_OFFERS)
        workitem = self._hub.read_workitem(caller, _uid_in(request))
        return _json([workitem.attributes], offer.media_type)

    def update(self, request: Request, caller: Caller, body: bytes) -> Response:
        """11.6: the Transaction UID comes in the query, or in the data set as in N-SET."""
        given = ups.attributes_of_json(body)
        named = _named_uid(request, "transaction-uid") or ups.transaction_uid_of(given)
        self._hub.change_workitem(caller, _uid_in(request), given, named)
        where = f"{service_url(request)}/workitems/{_uid_in(request)}"
        return Response(status_code=200, headers={"Content-Location": where})

    def change_state(self, request: Request, caller: Caller, body: bytes) -> Response:
        """11.7."""
        given = ups.attributes_of_json(body)
        wanted, transaction_uid = ups.wanted_state(given), ups.transaction_uid_of(given)
        remark = self._hub.change_workitem_state(caller, _uid_in(request), wanted, transaction_uid)
        return _warned(request, Response(status_code=200), _REMARKS.get(remark, ""))

    def request_cancel(self, request: Request, caller: Caller, body: bytes) -> Response:
        """11.8: 202, for nothing may have happened yet."""
        given = ups.attributes_of_json(body) if body else {}
        requesting = (caller.ae_title or caller.name)[:16]
        remark = self._hub.request_workitem_cancel(caller, _uid_in(request), Cancellation(requesting, given))
        return _warned(request, Response(status_code=202), _REMARKS.get(remark, ""))

    def search(self, request: Request, caller: Caller) -> Response:
        """11.9."""
        offer = demand(accepted_ranges(request), JSON_OFFERS)
        search = search_request(_parameters(request))
        asked, most = search.query.limit, self._most_answers
        is_capped = asked is None or asked > most
        query = replace(search.query, limit=most + 1 if is_capped else asked)
        found = self._hub.find_workitems(caller, query)
        warnings = [*search.warnings, *([_MORE] if len(found) > most else [])]
        response = _json([search_answer(one.attributes, search) for one in found[:most]], offer.media_type)
        for warning in warnings:
            _warned(request, response, warning)
        return response

    def subscribe(self, request: Request, caller: Caller) -> Response:
        """11.10: 201 with the address of the event channel."""
        target, ae_title = _uid_in(request), ups.ae_title(request.path_params["aetitle"])
        keys = filter_keys(_parameters(request)) if target == FILTERED_WORKITEMS else ()
        wanted = Subscriber(ae_title, Channel.WEB_SOCKET, deletion_lock=_wants_lock(request), keys=keys)
        self._hub.subscribe_to_workitems(caller, target, wanted)
        return Response(status_code=201, headers={"Content-Location": _channel_url(request, ae_title)})

    def unsubscribe(self, request: Request, caller: Caller) -> Response:
        """11.11."""
        ae_title = ups.ae_title(request.path_params["aetitle"])
        self._hub.unsubscribe_from_workitems(caller, _uid_in(request), ae_title)
        return Response(status_code=200)

    def suspend(self, request: Request, caller: Caller) -> Response:
        """11.12."""
        ae_title = ups.ae_title(request.path_params["aetitle"])
        try:
            self._hub.suspend_workitem_subscription(caller, _uid_in(request), ae_title)
        except WorkitemConflict as error:
            return _failed(request, error, _SUSPEND)
        return Response(status_code=200)


async def _with_body(
    request: Request, caller: Caller, doing: Doing, table: Mapping[Reason, Said]
) -> Response:
    """Read a small body, then answer in a thread; a failure that the standard has a sentence for is said so."""
    body = await _body(request)
    try:
        return await run_in_threadpool(doing, request, caller, body)
    except WorkitemConflict as error:
        return _failed(request, error, table)


async def _body(request: Request) -> bytes:
    gathered = bytearray()
    async for piece in request.stream():
        gathered += piece
        if len(gathered) > ups.MOST_OCTETS:
            raise TooLarge(f"a workitem is longer than {ups.MOST_OCTETS} octets", next_step="send less")
    said = request.headers.get("content-type", "")
    if gathered and parse_media_type(said or DICOM_JSON).essence not in _READ:
        raise UnsupportedMediaType(
            "workitems are not read in this media type", next_step=f"send {DICOM_JSON}"
        )
    return bytes(gathered)


def _failed(request: Request, error: WorkitemConflict, table: Mapping[Reason, Said]) -> Response:
    status, text = table.get(error.reason, (409, ""))
    response = problem(request, replace(failure_of(error, trace(request)), status=status))
    return _warned(request, response, text)


def _warned(request: Request, response: Response, text: str) -> Response:
    """Add a Warning field as PS3.18 8.4.3 and 11 word it: `299 <service>: text`."""
    if text:
        response.headers.append("Warning", f"299 {service_url(request)}: {text}")
    return response


def _json(data_sets: Sequence[object], media_type: str) -> Response:
    return Response(json.dumps(data_sets, separators=(",", ":")), headers={"Content-Type": media_type})


def _uid_in(request: Request) -> str:
    return uid(request.path_params["workitem"], "the Workitem UID")


def _named_uid(request: Request, name: str) -> str:
    """Return a UID of the query: `?name=1.2.3`, or bare as PS3.18 writes it, `?1.2.3`."""
    bare = [
        key for key, value in request.query_params.items() if not value and key.replace(".", "").isdigit()
    ]
    named = request.query_params.get(name, "") or (bare[0] if bare else "")
    return uid(named, name) if named else ""


def _parameters(request: Request) -> dict[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params}


def _wants_lock(request: Request) -> bool:
    text = request.query_params.get("deletionlock", "false")
    if text not in ("true", "false"):
        raise Invalid("deletionlock is neither true nor false")
    return text == "true"


def _channel_url(request: Request, ae_title: str) -> str:
    scheme = "wss" if place(request).scheme == "https" else "ws"
    root_path: str = request.scope.get("root_path", "")
    return f"{scheme}://{place(request).host}{root_path}/subscribers/{ae_title.replace(' ', '%20')}"
