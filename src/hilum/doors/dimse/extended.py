"""SOP Class Extended Negotiation: relational queries, combined date-time and fuzzy matching (PS3.4 C.5)."""

from collections.abc import Mapping
from dataclasses import dataclass

from hilum.wire.dicom.upper_layer.pdus import AssociateRequest
from hilum.wire.dicom.upper_layer.user_information import SOPClassExtendedNegotiation

FIND = b"\1\1\1"
"""Relational queries, combined date-time matching, fuzzy matching of person names (PS3.4 Table C.5-1)."""
RETRIEVE = b"\1"
"""Relational retrieval (PS3.4 Tables C.5-2, C.5-3)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was agreed on for one SOP class: nothing, unless the peer asked for it."""

    relational: bool = False
    date_time: bool = False
    fuzzy: bool = False


NO_OPTIONS = Options()


def agree(request: AssociateRequest, ours: Mapping[str, bytes]) -> tuple[SOPClassExtendedNegotiation, ...]:
    """Return our answers: of what the peer asks for, what we do. A byte that we do not know is 0, "no"."""
    return tuple(
        SOPClassExtendedNegotiation(asked.sop_class_uid, _answer(asked, ours[asked.sop_class_uid]))
        for asked in request.user_information.extended_negotiations
        if asked.sop_class_uid in ours
    )


def options(answers: tuple[SOPClassExtendedNegotiation, ...]) -> dict[str, Options]:
    """Return what the answers mean, by SOP class."""
    return {
        answer.sop_class_uid: Options(
            *(byte == 1 for byte in answer.service_class_application_information[:3])
        )
        for answer in answers
    }


def _answer(asked: SOPClassExtendedNegotiation, ours: bytes) -> bytes:
    theirs = asked.service_class_application_information
    return bytes(one & other for one, other in zip(theirs, ours.ljust(len(theirs), b"\0"), strict=False))
