"""The routes of DICOMweb at `/dicom-web` and of WADO-URI at `/wado`, on one page."""

from collections.abc import Mapping

from starlette.routing import BaseRoute

from hilum.core.archive.model import Level
from hilum.core.hub import Hub
from hilum.doors._http.app import Door
from hilum.doors._http.endpoints import Answer, Endpoint, answered, streamed
from hilum.doors.dicomweb.bulk import Bulk
from hilum.doors.dicomweb.bulk_sets import BulkSets
from hilum.doors.dicomweb.capabilities import capabilities_route
from hilum.doors.dicomweb.deleting import Deleting
from hilum.doors.dicomweb.event_channel import Wait
from hilum.doors.dicomweb.frames import Frames
from hilum.doors.dicomweb.metadata import Metadata
from hilum.doors.dicomweb.methods import routed
from hilum.doors.dicomweb.modality import modality_routes
from hilum.doors.dicomweb.rendered import Rendered
from hilum.doors.dicomweb.retrieving import Retrieving
from hilum.doors.dicomweb.searching import Searching
from hilum.doors.dicomweb.storing import Storing
from hilum.doors.dicomweb.uri import WadoUri
from hilum.doors.dicomweb.workitems import workitem_routes
from hilum.wire.dicom.frame_work import FrameWorker, no_worker

_LARGEST_BODY = 1 << 50
"""A store request has no length of its own: each instance in it has, and the disk has."""

_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
_FRAMES = _INSTANCE + "/frames/{frames}"


def dicomweb_doors(
    hub: Hub,
    *,
    worker: FrameWorker = no_worker,
    most_answers: int = 10_000,
    longest_instance: int = 16 * 2**30,
    wait: Wait | None = None,
) -> tuple[Door, Door]:
    """Return DICOMweb (PS3.18 sections 10, 11 and 13 to 15) and WADO-URI (section 9).

    `worker` does what is done to pixels. `most_answers` is the longest page of a search, `longest_instance` the octets
    of one instance that is stored, `wait` waits for commits of any process: event channels look for news then.
    """
    gets = _searches(Searching(hub, most_answers)) | _retrievals(hub, worker)
    store = streamed(hub, Storing(hub, longest_instance).answer)
    posts = {"/studies": store, _STUDY: store}
    delete = answered(hub, Deleting(hub).answer)
    deletes = dict.fromkeys((_STUDY, _SERIES, _INSTANCE), delete)
    more = {"POST": posts, "DELETE": deletes}
    routes = _routes({path: answered(hub, answer) for path, answer in gets.items()}, more)
    routes += workitem_routes(hub, most_answers, wait) + modality_routes(hub, most_answers)
    routes.append(capabilities_route(routes))
    wado = _routes({"/": answered(hub, WadoUri(hub, worker).answer)}, {})
    return Door("dicomweb", "/dicom-web", routes, largest_body=_LARGEST_BODY), Door("wado", "/wado", wado)


def _searches(searching: Searching) -> dict[str, Answer]:
    """PS3.18 Table 10.6.1-1."""
    return {
        "/studies": searching.at(Level.STUDY),
        "/series": searching.at(Level.SERIES),
        "/instances": searching.at(Level.INSTANCE),
        _STUDY + "/series": searching.at(Level.SERIES),
        _STUDY + "/instances": searching.at(Level.INSTANCE),
        _SERIES + "/instances": searching.at(Level.INSTANCE),
    }


def _retrievals(hub: Hub, worker: FrameWorker) -> dict[str, Answer]:
    """PS3.18 Tables 10.4.1-1 to 10.4.1-6."""
    objects, metadata, frames, rendered = (
        Retrieving(hub, worker),
        Metadata(hub),
        Frames(hub, worker),
        Rendered(hub, worker),
    )
    bulk_sets = BulkSets(hub, worker)
    answers: dict[str, Answer] = {
        _INSTANCE + "/bulk/{path:path}": Bulk(hub, frames).answer,
        _FRAMES: frames.answer,
        _FRAMES + "/rendered": rendered.frames,
        _FRAMES + "/thumbnail": rendered.thumbnail,
    }
    for resource in (_STUDY, _SERIES, _INSTANCE):
        answers[resource] = objects.objects
        answers[resource + "/metadata"] = metadata.answer
        answers[resource + "/rendered"] = rendered.answer
        answers[resource + "/thumbnail"] = rendered.thumbnail
        answers[resource + "/bulkdata"] = bulk_sets.bulk_data
        answers[resource + "/pixeldata"] = bulk_sets.pixel_data
    return answers


def _routes(gets: Mapping[str, Endpoint], more: Mapping[str, Mapping[str, Endpoint]]) -> list[BaseRoute]:
    """Answer GET, and the methods that a path has beside it."""
    return [
        routed(path, {"GET": get} | {method: paths[path] for method, paths in more.items() if path in paths})
        for path, get in gets.items()
    ]
