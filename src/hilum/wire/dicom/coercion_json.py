"""Metadata on its way out shows the person as known now, as `coercion` does for whole objects."""

from typing import Any

from hilum.core.patients.model import PatientRecord
from hilum.wire.dicom.json_model import JsonDataSet
from hilum.wire.dicom.shown_person import (
    ISSUER_OF_PATIENT_ID,
    ISSUER_OF_PATIENT_ID_QUALIFIERS,
    MODIFYING_SYSTEM,
    PATIENT_BIRTH_DATE,
    PATIENT_ID,
    PATIENT_NAME,
    PATIENT_SEX,
    REASON,
    VRS,
    Received,
    modification_date_time,
    replacements,
)

_ORIGINAL_ATTRIBUTES = "04000561"
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def coerced_metadata(metadata: JsonDataSet, patient: PatientRecord, received_from: str = "") -> JsonDataSet:
    """Return metadata that shows a person, the received values in the Original Attributes Sequence."""
    shown = replacements(_received(metadata), patient)
    if not shown:
        return metadata
    coerced = dict(metadata)
    for tag, text in shown.items():
        if text is None:
            coerced.pop(_key(tag), None)
        else:
            coerced[_key(tag)] = _attribute(VRS[tag], text)
    originals = {_key(tag): metadata.get(_key(tag), {"vr": VRS[tag]}) for tag in sorted(shown)}
    known = metadata.get(_ORIGINAL_ATTRIBUTES, {}).get("Value", [])
    added = _original_item(originals, patient, received_from)
    coerced[_ORIGINAL_ATTRIBUTES] = {"vr": "SQ", "Value": [*known, added]}
    return dict(sorted(coerced.items()))


def _received(metadata: JsonDataSet) -> Received:
    qualifiers = _first(metadata, ISSUER_OF_PATIENT_ID_QUALIFIERS)
    universal = _text(qualifiers, 0x00400032) if isinstance(qualifiers, dict) else ""
    return Received(
        name=_text(metadata, PATIENT_NAME),
        patient_id=_text(metadata, PATIENT_ID),
        issuer=_text(metadata, ISSUER_OF_PATIENT_ID) or universal,
        birth_date=_text(metadata, PATIENT_BIRTH_DATE),
        sex=_text(metadata, PATIENT_SEX),
        qualified=_key(ISSUER_OF_PATIENT_ID_QUALIFIERS) in metadata,
    )


def _first(metadata: JsonDataSet, tag: int) -> Any:  # noqa: ANN401  # what JSON holds
    values = metadata.get(_key(tag), {}).get("Value") or [None]
    return values[0]


def _text(metadata: JsonDataSet, tag: int) -> str:
    value = _first(metadata, tag)
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in _NAME_GROUPS).rstrip("=")
    return "" if value is None else str(value)


def _key(tag: int) -> str:
    return f"{tag:08X}"


def _attribute(vr: str, text: str) -> dict[str, Any]:
    if not text:
        return {"vr": vr}
    if vr != "PN":
        return {"vr": vr, "Value": [text]}
    groups = zip(_NAME_GROUPS, text.split("="), strict=False)
    return {"vr": vr, "Value": [{name: group for name, group in groups if group}]}


def _original_item(originals: JsonDataSet, patient: PatientRecord, received_from: str) -> JsonDataSet:
    return {
        "04000550": {"vr": "SQ", "Value": [originals]},
        "04000562": _attribute("DT", modification_date_time(patient)),
        "04000563": _attribute("LO", MODIFYING_SYSTEM),
        "04000564": _attribute("LO", received_from),
        "04000565": _attribute("CS", REASON),
    }
