"""Studies: search, one study, its frames."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from hilum.core.archive.model import (
    Between,
    Exact,
    Instance,
    Level,
    Match,
    Query,
    SeriesContent,
    StudyContent,
    Wildcard,
)
from hilum.core.archive.rules import PERSON_NAMES
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import uid
from hilum.core.orders.model import Order
from hilum.core.patients.model import PatientRecord
from hilum.core.reports.model import FiledReport, ReportQuery
from hilum.doors._http.callers import place
from hilum.doors.console import kinds
from hilum.doors.console.paging import Pager
from hilum.doors.console.site import Visit

PAGE = 50
_TEXT_KEYS = {"patient_id": "patient_id", "name": "patient_name", "accession": "accession_number"}
_MOST_CONFLICTS = 5000
"""Open conflicts that are looked through for those of one study."""
_MODALITIES = ("CR", "CT", "DX", "ES", "MG", "MR", "NM", "OT", "PT", "RF", "SC", "SR", "US", "XA")


@dataclass(frozen=True, slots=True)
class SeriesView:
    """One series as its page shows it."""

    content: SeriesContent
    cover: Instance | None
    """The instance whose frame stands for the series: the middle one that has pixels."""
    kinds: str
    sources: str
    size: int


def studies(visit: Visit) -> Response:
    """Search: patient ID, name, accession number, study date, modality."""
    matches = _matches(visit)
    pager = Pager.of(visit, PAGE)
    query = Query(Level.STUDY, matches, limit=PAGE, offset=pager.offset, fuzzy=True)
    found = visit.hub.find(visit.caller, query)
    total = visit.hub.count(visit.caller, query)
    return visit.show(
        "studies.html",
        found=found,
        pager=pager.with_total(total),
        modalities=_MODALITIES,
        filtered=bool(matches),
    )


def study(visit: Visit) -> Response:
    """Show one study: the person, the order, the report, series, origin, conflicts."""
    content = _content(visit)
    return visit.show(
        "study.html",
        patient=content.patient,
        study=content.study,
        linked=_linked(visit, content.patient),
        order=_order(visit, content),
        reports=_reports(visit, content),
        series=[_series_view(one) for one in content.series],
        conflicts=_conflicts(visit, content),
    )


def viewer(visit: Visit) -> Response:
    """Show the frames of one study."""
    content = _content(visit)
    return visit.show("viewer.html", patient=content.patient, study=content.study)


def frames(visit: Visit) -> Response:
    """Tell the viewer which series, instances and frames there are."""
    content = _content(visit)
    return JSONResponse({"series": [_listed(one) for one in content.series]})


def open_viewer(request: Request) -> Response:
    """`/viewer?StudyInstanceUIDs=...` -> the frames of the first study named; without one, the list."""
    named = request.query_params.get("StudyInstanceUIDs", "").split(",")[0].strip()
    path = f"/studies/{uid(named, 'StudyInstanceUIDs')}/viewer" if named else "/studies"
    rest = {key: request.query_params[key] for key in ("series", "instance") if key in request.query_params}
    return RedirectResponse(place(request).prefix + path + (f"?{urlencode(rest)}" if rest else ""), 303)


def _matches(visit: Visit) -> Mapping[str, Match]:
    matches: dict[str, Match] = {}
    for name, key in _TEXT_KEYS.items():
        value = visit.asked(name)
        if value:
            matches[key] = _text_match(key, value)
    if visit.asked("modality"):
        matches["modalities_in_study"] = Exact(visit.asked("modality"))
    low, high = _asked_day(visit, "from"), _asked_day(visit, "to")
    if low or high:
        matches["study_date"] = Between(low, high)
    return matches


def _text_match(key: str, value: str) -> Match:
    """Match from the start, as people type; * and ? are theirs to use."""
    if key in PERSON_NAMES or "*" in value or "?" in value:
        return Wildcard(value if "*" in value else f"{value}*")
    return Wildcard(f"{value}*")


def _asked_day(visit: Visit, name: str) -> str:
    """Return a day of the form as DA; raises Invalid."""
    value = visit.asked(name).replace("-", "")
    if value and not (len(value) == 8 and value.isascii() and value.isdigit()):
        raise Invalid(f"'{name}' is not a day", next_step="write YYYY-MM-DD")
    return value


def _content(visit: Visit) -> StudyContent:
    named = uid(visit.request.path_params["study"], "Study Instance UID")
    return visit.hub.read_study(visit.caller, named)


def _linked(visit: Visit, patient: PatientRecord) -> list[PatientRecord]:
    """Return all records of the person, when the visitor may read patients."""
    if not visit.may(Permission.PATIENTS_READ):
        return [patient]
    return visit.hub.read_patient(visit.caller, patient.public_id)[1]


def _order(visit: Visit, content: StudyContent) -> Order | None:
    if not content.order_public_id or not visit.may(Permission.ORDERS_READ):
        return None
    return visit.hub.read_order(visit.caller, content.order_public_id)[0]


def _reports(visit: Visit, content: StudyContent) -> list[FiledReport]:
    """Return the reports on the study, and those on its order."""
    if not visit.may(Permission.REPORTS_READ):
        return []
    queries = [ReportQuery(study_instance_uid=content.study.study_instance_uid, limit=20)]
    if content.study.order_key is not None:
        queries.append(ReportQuery(order_key=content.study.order_key, limit=20))
    found = [one for query in queries for one in visit.hub.find_reports(visit.caller, query)[0]]
    return list({one.report.key: one for one in found}.values())


def _conflicts(visit: Visit, content: StudyContent) -> list[object]:
    if not visit.may(Permission.CONFLICTS_READ):
        return []
    kept = visit.hub.conflicts(visit.caller, _MOST_CONFLICTS)
    return [one for one in kept if one.study_instance_uid == content.study.study_instance_uid]


def _series_view(content: SeriesContent) -> SeriesView:
    images = [one for one in content.instances if kinds.is_image(one)]
    return SeriesView(
        content=content,
        cover=images[len(images) // 2] if images else None,
        kinds=_joined(kinds.kind(one.sop_class_uid) for one in content.instances),
        sources=_joined(one.source for one in content.instances),
        size=sum(one.blob.size for one in content.instances),
    )


def _listed(content: SeriesContent) -> dict[str, object]:
    return {
        "uid": content.series.series_instance_uid,
        "number": content.series.series_number,
        "description": content.series.series_description,
        "modality": content.series.modality,
        "instances": [
            {
                "uid": one.sop_instance_uid,
                "number": one.instance_number,
                "frames": kinds.frames(one),
                "kind": kinds.kind(one.sop_class_uid) or "object without pixels",
            }
            for one in content.instances
        ],
    }


def _joined(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))
