"""QIDO-RS: search for studies, series and instances (PS3.18 10.6)."""

from dataclasses import replace
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import AnyOf, Exact, Found, Level, Match
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.identifiers import uid
from hilum.doors._http.endpoints import Answer
from hilum.doors.dicomweb.acceptance import accepted_ranges, demand
from hilum.doors.dicomweb.data_set_answers import MANY, data_sets_answer
from hilum.doors.dicomweb.paths import service_url, uid_in_path
from hilum.wire.dicom.bookmarks import bookmark_text
from hilum.wire.dicom.search import AFTER, SearchRequest, search_answer, search_request

_UIDS = {
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "sop_class_uid",
    "sop_classes_in_study",
}
_RETRIEVE_URL = "00081190"
_MORE = (
    "The number of results exceeded the maximum supported by the server. Additional results can be requested."
)


class Searching:
    """Answers searches at three levels; `most_answers` is the longest page."""

    def __init__(self, hub: Hub, most_answers: int) -> None:
        self._hub = hub
        self._most_answers = most_answers

    def at(self, level: Level) -> Answer:
        """Return the answer to `GET /studies`, `/series` or `/instances`, below whatever the path names."""

        def answer(request: Request, caller: Caller) -> Response:
            return self._answer(request, caller, level)

        return answer

    def _answer(self, request: Request, caller: Caller, level: Level) -> Response:
        offer = demand(accepted_ranges(request), MANY)
        search = self._read(request, level)
        most = min(self._most_answers, search.query.limit or self._most_answers)
        most = most if search.query.limit != 0 else 0
        found = self._hub.find(caller, replace(search.query, limit=most + 1 if most else 0))
        more, found = len(found) > most, found[:most]
        is_ours = search.query.limit is None or search.query.limit > self._most_answers
        warnings = [*search.warnings, *([_MORE] if more and is_ours else [])]
        base_url = service_url(request)
        answers = [search_answer(one, search, base_url) for one in found]
        located = ((str(one[_RETRIEVE_URL]["Value"][0]), one) for one in answers)
        response = data_sets_answer(request, offer, located, _next(request, found[-1]) if more else {})
        for warning in warnings:
            response.headers.append("Warning", f'299 hilum "{_quoted(warning)}"')
        return response

    def _read(self, request: Request, level: Level) -> SearchRequest:
        parameters = {name: request.query_params.getlist(name) for name in request.query_params}
        study, series = uid_in_path(request, "study"), uid_in_path(request, "series")
        search = search_request(level, parameters, study, series)
        for key in _UIDS & search.query.matches.keys():
            _check_uids(search.query.matches[key], key)
        return search


def _next(request: Request, last: Found) -> dict[str, str]:
    """Link to the next page: behind the last answer of this one, so that none is shown twice or left out (RFC 8288)."""
    path = str(request.scope["path"]).removeprefix(request.scope.get("root_path", ""))
    asked = [pair for pair in request.query_params.multi_items() if pair[0] not in (AFTER, "offset")]
    query = urlencode([*asked, (AFTER, bookmark_text(last))])
    return {"Link": f'<{service_url(request)}{quote(path)}?{query}>; rel="next"'}


def _check_uids(match: Match, key: str) -> None:
    values = match.values if isinstance(match, AnyOf) else (match.value,) if isinstance(match, Exact) else ()
    for value in values:
        uid(value, key.replace("_", " "))


def _quoted(text: str) -> str:
    return text.replace("\\", " ").replace('"', "'")
