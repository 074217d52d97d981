"""What became of the instances of a store request, in the words of the standard (PS3.18 Annex I)."""

from typing import Any

from hilum.core.kernel.errors import Busy, Invalid
from hilum.doors.dicomweb.receiving import OUT_OF_RESOURCES, Outcome
from hilum.wire.dicom.json_model import JsonDataSet

_LONGEST_COMMENT = 64


def store_response(base_url: str, outcomes: list[Outcome]) -> tuple[JsonDataSet, int]:
    """Return the Store Instances Response Module and the HTTP status (PS3.18 Tables 10.5.3-1, I.1-1).

    Raises Busy where nothing was stored for want of room only: 503, and all of it may be sent again.
    """
    if not outcomes:
        raise Invalid("the body holds no part", next_step="send one part for each instance")
    stored = [one for one in outcomes if not one.failure]
    failed = [one for one in outcomes if one.failure and one.sop_instance_uid]
    others = [one for one in outcomes if one.failure and not one.sop_instance_uid]
    studies = {one.study_instance_uid for one in stored}
    if all(one.failure == OUT_OF_RESOURCES for one in outcomes):
        raise Busy(outcomes[0].comment, next_step="make room, then send it again")
    answer: dict[str, Any] = {}
    if len(studies) == 1:
        answer["00081190"] = _value("UR", f"{base_url}/studies/{studies.pop()}")
    answer |= _sequence("00081198", [_reference(one) | _failure(one) for one in failed])
    answer |= _sequence(
        "00081199", [_reference(one) | _location(base_url, one) | _warning(one) for one in stored]
    )
    answer |= _sequence("0008119A", [_failure(one) for one in others])
    is_plain = len(stored) == len(outcomes) and not any(one.warning for one in stored)
    return dict(sorted(answer.items())), 200 if is_plain else 202 if stored else 409


def _sequence(tag: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {tag: {"vr": "SQ", "Value": items}} if items else {}


def _reference(one: Outcome) -> dict[str, Any]:
    return {"00081150": _value("UI", one.sop_class_uid), "00081155": _value("UI", one.sop_instance_uid)}


def _location(base_url: str, one: Outcome) -> dict[str, Any]:
    url = f"{base_url}/studies/{one.study_instance_uid}/series/{one.series_instance_uid}"
    return {"00081190": _value("UR", f"{url}/instances/{one.sop_instance_uid}")}


def _warning(one: Outcome) -> dict[str, Any]:
    """Add Warning Reason (0008,1196) where what is kept is not what came (PS3.18 Table I.2-1)."""
    return {"00081196": _value("US", one.warning)} if one.warning else {}


def _failure(one: Outcome) -> dict[str, Any]:
    """Add the reason in words, as DIMSE does: Error Comment (0000,0902)."""
    comment = one.comment[:_LONGEST_COMMENT]
    return {"00000902": _value("LO", comment), "00081197": _value("US", one.failure)}


def _value(vr: str, value: object) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
