"""Rows to answers: C-FIND identifiers and DICOM JSON, by the same table (PS3.4 C.4.1.1.3.2; PS3.18 10.6.3)."""

from typing import Any

from pydicom.dataset import Dataset

from hilum.core.archive.model import Found
from hilum.wire.dicom.data_sets import Value, declare_character_set, put
from hilum.wire.dicom.queries import QUERY_RETRIEVE_LEVEL, FindRequest, RequestedKey
from hilum.wire.dicom.query_attributes import Attribute, FieldValue
from hilum.wire.dicom.values import TEXT_VRS

RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY = 0x00080054, 0x00080056
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_NUMBERS = frozenset({"IS", "US"})


def find_answer(found: Found, request: FindRequest, retrieve_ae_title: str) -> Dataset:
    """Return the identifier of one pending response: the keys asked for, and where to retrieve from."""
    answer = Dataset()
    texts: list[str] = []
    _put_keys(answer, found, request.keys, texts)
    put(answer, QUERY_RETRIEVE_LEVEL, "CS", request.query.level.value)
    put(answer, RETRIEVE_AE_TITLE, "AE", retrieve_ae_title)
    put(answer, INSTANCE_AVAILABILITY, "CS", "ONLINE")
    declare_character_set(answer, texts, request.character_set)
    return answer


def _put_keys(answer: Dataset, found: Found, keys: tuple[RequestedKey, ...], texts: list[str]) -> None:
    for key in keys:
        value = _value(found, key, texts)
        put(answer, key.tag, key.vr, value)
        if key.vr in TEXT_VRS and value:
            texts.append(str(value))


def _value(found: Found, key: RequestedKey, texts: list[str]) -> Value:
    if key.items:
        item = Dataset()
        _put_keys(item, found, key.items, texts)
        return () if all(element.is_empty for element in item) else (item,)
    if key.attribute is None or key.attribute.read is None:
        return None
    return key.attribute.read(found) or None


def attribute_json(row: Attribute, value: FieldValue) -> dict[str, Any]:
    """Return one attribute of the DICOM JSON Model (PS3.18 F.2.2); present but empty has no Value."""
    if value in ("", ()):
        return {"vr": row.vr}
    if row.vr == "PN":
        groups = zip(_NAME_GROUPS, str(value).split("="), strict=False)
        return {"vr": "PN", "Value": [{name: group for name, group in groups if group}]}
    if row.vr in _NUMBERS:
        return {"vr": row.vr, "Value": [_number(value)]}
    return {"vr": row.vr, "Value": list(value) if isinstance(value, tuple) else [value]}


def _number(value: FieldValue) -> FieldValue:
    """IS goes as a number; what a device wrote that is none goes as it is (PS3.18 Table F.2.3-1)."""
    if isinstance(value, str) and value.lstrip("+-").isdecimal() and value.isascii():
        return int(value)
    return value


def tag_key(tag: int) -> str:
    """Return the name of an attribute in the JSON model."""
    return f"{tag:08X}"
