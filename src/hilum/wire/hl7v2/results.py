"""ORU^R01 to reports (HL7 2.5.1, 7.3.1; IHE RAD-28, RAD-128)."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import replace

from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import PatientStatement
from hilum.core.reports.model import Attachment, Observation, ReportRequest, ReportStatus
from hilum.wire.hl7v2 import datatypes
from hilum.wire.hl7v2.adt import patient_statement
from hilum.wire.hl7v2.errors import Condition
from hilum.wire.hl7v2.message import NULL, Group, Message

# HL7 table 0123, result status.
STATUSES = {
    "O": ReportStatus.REGISTERED,
    "I": ReportStatus.REGISTERED,
    "S": ReportStatus.REGISTERED,
    "A": ReportStatus.PARTIAL,
    "P": ReportStatus.PRELIMINARY,
    "R": ReportStatus.PRELIMINARY,
    "F": ReportStatus.FINAL,
    "C": ReportStatus.CORRECTED,
    "X": ReportStatus.CANCELLED,
}
# OBX-3 of the study: DCM 113014 DICOM Study (RAD-128), 110180 Study Instance UID (RAD-28).
STUDY_CODES = frozenset({"113014", "110180"})
# OBX-3 of an impression: LOINC, and the suffix of HL7 2.3 (7.1.4).
IMPRESSION_CODES = frozenset({"19005-8", "55110-1"})
_IMPRESSION_SUFFIX = "IMP"
NARRATIVE_CODES = frozenset({"18782-3", "18748-4", "11329-0", "55115-0", "59776-5", "18834-2", "55111-9"})
_NARRATIVE_TYPES = frozenset({"TX", "FT", ""})
_CODED_TYPES = frozenset({"CE", "CWE", "CNE", "CF"})
# OBX-11 (HL7 table 0085): deleted, posted in error. What they say does not hold.
_WITHDRAWN = frozenset({"D", "W"})
_MOST_REPORTS = 256
_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+")
# ED.2 (HL7 table 0191) to the type of a media type, where it is not one.
_MEDIA_TYPES = {
    "ap": "application",
    "au": "audio",
    "im": "image",
    "tx": "text",
    "ft": "text",
    "": "application",
}
_SUBTYPES = {"jpg": "jpeg", "tif": "tiff", "txt": "plain", "": "octet-stream"}
_TOKEN = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")


def report_requests(message: Message) -> tuple[ReportRequest, ...]:
    """Read one report for each OBR; those that name the same order are parts of one report."""
    if len(message.segments("OBR")) > _MOST_REPORTS:
        what = f"the message holds more than {_MOST_REPORTS} reports"
        raise message.invalid("OBR-4", what, Condition.APPLICATION_INTERNAL, "send several messages")
    found: list[ReportRequest] = []
    for patient in message.groups("PID") or [message]:
        statement = patient_statement(patient)
        orders = [order for order in patient.groups("ORC", "OBR") if order.has("OBR")]
        found += [_request(order, statement) for order in orders]
    if not found:
        raise message.invalid("OBR-4", "there is no OBR segment", Condition.SEGMENT_SEQUENCE)
    return tuple(_joined(found))


def _request(order: Group, statement: PatientStatement) -> ReportRequest:
    placer, filler = _number(order, "2"), _number(order, "3")
    accession = datatypes.entity_identifier(order, "OBR-18")
    results = [each for each in order.segments("OBX") if each["OBX-11"] not in _WITHDRAWN]
    narrative = [each for each in results if _is_narrative(each, order)]
    impression = [each for each in narrative if _is_impression(each)]
    return ReportRequest(
        patient=statement,
        identifier=_identifier(order, filler or placer or accession),
        status=_status(order, results),
        code=datatypes.code(order, "OBR-4") or datatypes.code(order, "OBR-44"),
        placer_order_number=placer,
        filler_order_number=filler,
        accession_number=accession,
        study_instance_uid=_study_instance_uid(results),
        effective=datatypes.moment(order, "OBR-7.1"),
        issued=datatypes.moment(order, "OBR-22.1"),
        interpreter=datatypes.result_physician(order, "OBR-32"),
        text=_lines([each for each in narrative if not _is_impression(each)]),
        conclusion=_lines(impression),
        observations=tuple(_observation(each) for each in results if _is_observation(each, order)),
        attachments=tuple(_attachment(each) for each in results if each["OBX-2"] == "ED"),
    )


def _number(order: Group, field: str) -> Identifier | None:
    """Placer (2) or filler (3) order number: OBR's, else ORC's."""
    return datatypes.entity_identifier(order, f"OBR-{field}") or datatypes.entity_identifier(
        order, f"ORC-{field}"
    )


def _identifier(order: Group, found: Identifier | None) -> Identifier:
    if found is None:
        raise order.invalid(
            "OBR-3",
            "the report names no order",
            Condition.REQUIRED_FIELD_MISSING,
            "send the filler order number in OBR-3, or the accession number in OBR-18",
        )
    return found


def _status(order: Group, results: Sequence[Group]) -> ReportStatus:
    """OBR-25; where it is empty, what the OBX-11 agree on."""
    stated = order["OBR-25.1"]
    if not stated:
        statuses = {each["OBX-11"] for each in results}
        stated = next((each for each in ("C", "P", "R", "F") if each in statuses), "")
    if not stated:
        raise order.invalid("OBR-25", "OBR-25 says no result status", Condition.REQUIRED_FIELD_MISSING)
    if stated not in STATUSES:
        what = f"the result status {datatypes.plain(stated)[:10]!r} is not supported"
        next_step = f"send one of {', '.join(STATUSES)} (HL7 table 0123)"
        raise order.invalid("OBR-25", what, Condition.TABLE_VALUE_NOT_FOUND, next_step)
    return STATUSES[stated]


def _study_instance_uid(results: Sequence[Group]) -> str:
    uids = (datatypes.checked_uid(each, "OBX-5.1") for each in results if each["OBX-3.1"] in STUDY_CODES)
    return next(filter(None, uids), "")


def _is_narrative(result: Group, order: Group) -> bool:
    """Text that is read, not looked up; a short text (ST) is one when its code says so, or is the report's own."""
    value_type, kind = result["OBX-2"], result["OBX-3.1.1"]
    if result["OBX-3.1"] in STUDY_CODES:
        return False
    own = kind in NARRATIVE_CODES or kind == order["OBR-4.1"] or _is_impression(result)
    return value_type in _NARRATIVE_TYPES or (value_type == "ST" and own)


def _is_impression(result: Group) -> bool:
    meaning = result["OBX-3.2"].strip().upper()
    code, suffix = result["OBX-3.1.1"], result["OBX-3.1.2"]
    return code in IMPRESSION_CODES or suffix == _IMPRESSION_SUFFIX or meaning in {"IMPRESSION", "CONCLUSION"}


def _lines(results: Sequence[Group]) -> str:
    """Each OBX, and each repetition of its OBX-5, is a line; blank ones at either end say nothing."""
    found = [line for each in results for line in [part.text for part in each.repetitions("OBX-5")] or [""]]
    return datatypes.lines("\n".join("" if line == NULL else line for line in found)).strip("\n")


def _is_observation(result: Group, order: Group) -> bool:
    if result["OBX-2"] == "ED" or result["OBX-3.1"] in STUDY_CODES:
        return False
    return not _is_narrative(result, order) and bool(result["OBX-5"])


def _observation(result: Group) -> Observation:
    value_type = result["OBX-2"]
    coded = value_type in _CODED_TYPES
    value = "" if coded else datatypes.plain(_value(result, value_type))
    if value_type == "NM" and not _NUMBER.fullmatch(value):
        value_type = "ST"  # such as <5: kept as it was written
    return Observation(
        code=_observation_code(result),
        value_type=value_type,
        value=value,
        value_code=datatypes.code(result, "OBX-5") if coded else Code(),
        unit=datatypes.code(result, "OBX-6"),
        interpretation=datatypes.plain(result["OBX-8.1"]),
        status=datatypes.plain(result["OBX-11"]) or "F",
    )


def _observation_code(result: Group) -> Code:
    code = datatypes.code(result, "OBX-3")
    if not code:
        raise result.invalid("OBX-3", "OBX-3 is empty", Condition.REQUIRED_FIELD_MISSING)
    return code


def _value(result: Group, value_type: str) -> str:
    if value_type == "SN":  # comparator, number, separator, number
        return "".join(result[f"OBX-5.{number}"] for number in range(1, 5))
    return ", ".join(each.text for each in result.repetitions("OBX-5"))


def _attachment(result: Group) -> Attachment:
    """ED: source application, type, subtype, encoding, data (HL7 2.5.1, 2.A.24)."""
    kind, subtype = result["OBX-5.2"].strip().lower(), result["OBX-5.3"].strip().lower()
    media_type = f"{_MEDIA_TYPES.get(kind, kind)}/{_SUBTYPES.get(subtype, subtype)}"
    if not all(_TOKEN.fullmatch(part) for part in media_type.split("/")) or media_type.count("/") != 1:
        raise result.invalid("OBX-5", "OBX-5.2 and OBX-5.3 name no media type", Condition.DATA_TYPE)
    return Attachment(media_type, _decoded(result, result["OBX-5.4"].strip().lower(), result["OBX-5.5"]))


def _decoded(result: Group, encoding: str, text: str) -> bytes:
    try:
        if encoding == "base64":
            return base64.b64decode("".join(text.split()), validate=True)
        if encoding == "hex":
            return binascii.unhexlify("".join(text.split()))
    except ValueError as error:
        raise result.invalid("OBX-5.5", f"OBX-5.5 is not valid {encoding}", Condition.DATA_TYPE) from error
    if encoding in {"", "a"}:
        return text.encode()
    what = "the encoding in OBX-5.4 is not supported"
    raise result.invalid(
        "OBX-5.4", what, Condition.TABLE_VALUE_NOT_FOUND, "send Base64, Hex or A (table 0299)"
    )


def _joined(requests: Sequence[ReportRequest]) -> list[ReportRequest]:
    """Make one report of the OBRs that name one order; the last states what became of it."""
    found: dict[Identifier, ReportRequest] = {}
    for request in requests:
        before = found.get(request.identifier)
        found[request.identifier] = request if before is None else _together(before, request)
    return list(found.values())


def _together(first: ReportRequest, second: ReportRequest) -> ReportRequest:
    return replace(
        second,
        code=first.code or second.code,
        study_instance_uid=first.study_instance_uid or second.study_instance_uid,
        text="\n".join(filter(None, (first.text, second.text))),
        conclusion="\n".join(filter(None, (first.conclusion, second.conclusion))),
        observations=first.observations + second.observations,
        attachments=first.attachments + second.attachments,
    )
