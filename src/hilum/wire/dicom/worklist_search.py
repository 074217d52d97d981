"""Query parameters of the worklist over HTTP, to the identifier that DIMSE would send (PS3.18 14.4; PS3.4 K.6)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom.datadict import keyword_dict
from pydicom.dataset import Dataset

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.data_sets import decoded, encoded, put
from hilum.wire.dicom.elements import dictionary_vr
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from hilum.wire.dicom.worklist import (
    ITEM_TAGS,
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    STEP_TAGS,
    WorklistRequest,
    worklist_request,
)

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_RESERVED = frozenset({"includefield", "limit", "offset", "fuzzymatching", "accept", "charset"})
_MOST_SHOWN = 64


@dataclass(frozen=True, slots=True)
class WorklistSearch:
    """A search, understood; `warnings` name the parameters that were ignored."""

    request: WorklistRequest
    limit: int | None
    offset: int
    warnings: tuple[str, ...]


def worklist_search(parameters: Mapping[str, Sequence[str]]) -> WorklistSearch:
    """Read the parameters; every answer holds all that is known of a step. Raises Invalid."""
    top, inside, ignored = _empty(ITEM_TAGS), _empty(STEP_TAGS), []
    for name, values in parameters.items():
        if name in _RESERVED:
            continue
        sequence, dot, inner = name.rpartition(".")
        place, known = (inside, STEP_TAGS) if dot else (top, ITEM_TAGS)
        tag = _tag(inner)
        if tag not in known or (dot and _tag(sequence) != SCHEDULED_PROCEDURE_STEP_SEQUENCE):
            shown = "".join(one for one in name if one.isascii() and one.isprintable())[:_MOST_SHOWN]
            ignored.append(f"the parameter {shown} is not matched on and was ignored")
        else:
            put(place, tag, dictionary_vr(tag)[:2], "\\".join(values))
    put(top, SCHEDULED_PROCEDURE_STEP_SEQUENCE, "SQ", (inside,))
    put(top, 0x00080005, "CS", "ISO_IR 192")
    request = worklist_request(decoded(encoded(top, EXPLICIT_VR_LITTLE_ENDIAN), EXPLICIT_VR_LITTLE_ENDIAN))
    limit = _count(parameters, "limit")
    return WorklistSearch(request, limit, _count(parameters, "offset") or 0, tuple(ignored))


def _empty(tags: frozenset[int]) -> Dataset:
    data_set = Dataset()
    for tag in tags:
        put(data_set, tag, dictionary_vr(tag)[:2], None)
    return data_set


def _tag(name: str) -> int:
    return int(name, 16) if _TAG.fullmatch(name) else keyword_dict.get(name, 0)


def _count(parameters: Mapping[str, Sequence[str]], name: str) -> int | None:
    values = parameters.get(name, ())
    if not values:
        return None
    if not (values[-1].isascii() and values[-1].isdecimal() and len(values[-1]) < 7):
        raise Invalid(f"{name} is not a whole number from 0", next_step=f"send {name} as digits")
    return int(values[-1])
