"""The HL7 messages of the day, as an EHR/RIS writes them (HL7 2.5.1; the order as RAD-4 in 2.3.1)."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from hilum.wire.hl7v2.compose import Value, timestamp, write_header, write_message, write_segment

_CONTROL_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as one record tells of it."""

    patient_id: str
    family_name: str
    given_name: str
    birth_date: str
    sex: str
    issuer: str = "HOSPITAL"

    @property
    def identifier(self) -> tuple[str, ...]:
        """PID-3."""
        return (self.patient_id, "", "", self.issuer, "MR")


@dataclass(frozen=True, slots=True)
class Examination:
    """What is ordered, scheduled and reported."""

    number: str
    """Stands in every identifier of this day."""
    study_instance_uid: str
    moment: datetime
    procedure: tuple[str, ...] = field(default=("36554-4", "CT Chest", "LN"))

    @property
    def accession_number(self) -> str:
        """OBR-18, (0008,0050)."""
        return f"A{self.number}"


@dataclass(frozen=True, slots=True)
class Written:
    """A message and the control ID that its acknowledgement must name."""

    control_id: str
    message_type: str
    content: bytes


def registration(person: Person, now: datetime) -> Written:
    """ADT^A04 (ITI-30)."""
    return _written(("ADT", "A04", "ADT_A01"), "2.5.1", now, [_event("A04", now), _patient(person), _visit()])


def merge(survivor: Person, retired: Person, now: datetime) -> Written:
    """ADT^A40: PID survives, MRG retires (ITI-30)."""
    retire = write_segment("MRG", {1: retired.identifier, 7: (retired.family_name, retired.given_name)})
    return _written(("ADT", "A40", "ADT_A39"), "2.5.1", now, [_event("A40", now), _patient(survivor), retire])


def order(person: Person, examination: Examination, now: datetime) -> Written:
    """ORM^O01 (RAD-4)."""
    number = examination.number
    timing = ("", "", "", timestamp(examination.moment), "", "R")
    common = write_segment("ORC", {1: "NW", 2: (f"P{number}", "RIS"), 5: "SC", 7: timing})
    request = write_segment(
        "OBR",
        {
            1: "1",
            2: (f"P{number}", "RIS"),
            4: examination.procedure,
            13: "Cough for three weeks",
            18: examination.accession_number,
            19: f"RP{number}",
            20: f"SPS{number}",
            24: "CT",
            27: timing,
        },
    )
    study = write_segment("ZDS", {1: (examination.study_instance_uid, "RIS", "Application", "DICOM")})
    return _written(("ORM", "O01"), "2.3.1", now, [_patient(person), _visit(), common, request, study])


def report(person: Person, examination: Examination, now: datetime) -> Written:
    """ORU^R01 (RAD-28)."""
    number = examination.number
    request: dict[int, Value] = {
        1: "1",
        2: (f"P{number}", "RIS"),
        4: examination.procedure,
        7: timestamp(examination.moment),
        18: examination.accession_number,
        22: timestamp(now),
        25: "F",
        32: "1234&Reader&Rita",
    }
    request[32] = (("1234", "Reader", "Rita"),)
    lines = (
        (("18782-3", "Radiology Study observation", "LN"), "No nodule, no effusion."),
        (
            ("19005-8", "Impression", "LN"),
            "Normal chest CT.",
        ),
    )
    study: dict[int, Value] = {
        1: "1", 2: "HD", 3: ("110180", "Study Instance UID", "DCM"), 5: examination.study_instance_uid, 11: "F",
    }  # fmt: skip
    results = [write_segment("OBX", study)]
    for position, (code, text) in enumerate(lines, 2):
        results.append(write_segment("OBX", {1: str(position), 2: "TX", 3: code, 4: "1", 5: text, 11: "F"}))
    head = [_patient(person), _visit(), write_segment("ORC", {1: "RE", 2: (f"P{number}", "RIS")})]
    return _written(("ORU", "R01", "ORU_R01"), "2.5.1", now, [*head, write_segment("OBR", request), *results])


def _written(message_type: tuple[str, ...], version: str, now: datetime, segments: list[str]) -> Written:
    control_id = f"DEMO{now:%y%m%d%H%M%S}{next(_CONTROL_NUMBERS):03}"
    header: dict[int, Value] = {
        3: "RIS", 4: "HOSPITAL", 5: "HILUM", 6: "HOSPITAL", 7: timestamp(now), 9: message_type, 10: control_id,
        11: "P", 12: version, 18: "UNICODE UTF-8",
    }  # fmt: skip
    content = write_message([write_header(header), *segments])
    return Written(control_id, "^".join(message_type[:2]), content)


def _event(code: str, now: datetime) -> str:
    return write_segment("EVN", {1: code, 2: timestamp(now)})


def _patient(person: Person) -> str:
    name = (person.family_name, person.given_name)
    return write_segment("PID", {1: "1", 3: person.identifier, 5: name, 7: person.birth_date, 8: person.sex})


def _visit() -> str:
    return write_segment("PV1", {1: "1", 2: "O"})
