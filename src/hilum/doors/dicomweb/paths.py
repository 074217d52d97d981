"""What a path names: UIDs checked before anything else sees them, the query for them, and URLs of our own."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request

from hilum.core.archive.model import Exact, Level, Query, Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.core.kernel.identifiers import uid
from hilum.doors._http.callers import place

_KEYS: Mapping[str, tuple[str, Level, str]] = MappingProxyType(
    {
        "study": ("study_instance_uid", Level.STUDY, "Study Instance UID"),
        "series": ("series_instance_uid", Level.SERIES, "Series Instance UID"),
        "instance": ("sop_instance_uid", Level.INSTANCE, "SOP Instance UID"),
    }
)
_MOST_FRAMES_ASKED = 10_000


def uid_in_path(request: Request, name: str) -> str:
    """Return one UID of the path, empty where the path has none; raises Invalid."""
    value = request.path_params.get(name, "")
    return uid(value, _KEYS[name][2]) if name in request.path_params else ""


def selection(request: Request) -> Query:
    """Return the query for the study, series or instance that the path names; raises Invalid."""
    named = {name: uid_in_path(request, name) for name in _KEYS if name in request.path_params}
    matches = {_KEYS[name][0]: Exact(value) for name, value in named.items()}
    return Query(_KEYS[list(named)[-1]][1], matches)


def retrieved(request: Request, hub: Hub, caller: Caller) -> list[Retrieved]:
    """Return every instance below what the path names; raises NotFound where there is none."""
    query = selection(request)
    found = hub.retrieve(caller, query)
    if not found:
        what = {Level.STUDY: "study", Level.SERIES: "series"}.get(query.level, "instance")
        raise NotFound(f"there is no such {what}", next_step="search for it below /studies")
    return found


def frame_numbers(request: Request) -> tuple[int, ...]:
    """Read the frame list of a path, as in `1,2,5`; raises Invalid (PS3.18 10.4.1.1.4)."""
    texts = [text.strip() for text in request.path_params["frames"].split(",")]
    good = all(text.isascii() and text.isdecimal() and 0 < len(text) < 8 and int(text) for text in texts)
    if not good or len(texts) > _MOST_FRAMES_ASKED:
        raise Invalid(
            f"the frame list is not up to {_MOST_FRAMES_ASKED} numbers from 1, separated by commas",
            next_step="ask for frames as in /frames/1,2,3",
        )
    return tuple(map(int, texts))


def service_url(request: Request) -> str:
    """Return the address of this service as the client knows it, without a slash at its end."""
    root_path: str = request.scope.get("root_path", "")
    return f"{place(request).scheme}://{place(request).host}{root_path}"


def instance_url(request: Request, one: Retrieved) -> str:
    """Return the address of one instance."""
    return (
        f"{service_url(request)}/studies/{one.study_instance_uid}/series/{one.series_instance_uid}"
        f"/instances/{one.instance.sop_instance_uid}"
    )
