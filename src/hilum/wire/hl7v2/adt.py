"""ADT: what a message says of a patient, and which records it merges (HL7 2.5.1, chapter 3; IHE ITI-30, RAD-1, RAD-12)."""

from collections.abc import Sequence

from hilum.core.exchange.model import Command, MergePatients, RegisterPatient
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.wire.hl7v2 import datatypes
from hilum.wire.hl7v2.errors import Condition
from hilum.wire.hl7v2.message import NULL, Group, Message

# Admissions, transfers, discharges, their updates and their cancellations: all say who the patient is.
DEMOGRAPHIC_EVENTS = frozenset(
    f"A{number:02}"
    for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 25, 26, 27, 28, 31, 32, 33, 38)
)
# A40 and its elders; A46, A47 give a record another identifier: whoever asks for the old one must find the new one.
MERGE_EVENTS = frozenset({"A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"})

# HL7 table 0001 to (0010,0040). U and whatever is local say nothing.
_SEX = {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O"}
# HL7 table 0203: kinds of identifiers that name a record of this patient best.
_RECORD_NUMBERS = frozenset({"", "MR", "PI", "PT"})
_MOST_IDENTIFIERS = 64
_MOST_MERGES = 256
_DEMOGRAPHICS = {
    "name": "PID-5",
    "birth_date": "PID-7",
    "sex": "PID-8",
    "address": "PID-11",
    "telephone": "PID-13",
}


def command(message: Message, event: str) -> Command:
    """Read an ADT message of an event that is supported."""
    if event in MERGE_EVENTS:
        groups = message.groups("PID") or [message]
        if len(message.segments("MRG")) > _MOST_MERGES:
            what = f"the message merges more than {_MOST_MERGES} patients"
            raise message.invalid("MRG-1", what, Condition.APPLICATION_INTERNAL, "send several messages")
        return MergePatients(tuple(pair for group in groups for pair in _merges(group)))
    return RegisterPatient(patient_statement(message))


def patient_statement(group: Group) -> PatientStatement:
    """PID: identifiers, best first; demographics; what an HL7 null deletes."""
    if not group.has("PID"):
        raise group.invalid("PID-3", "there is no PID segment", Condition.SEGMENT_SEQUENCE)
    found = identifiers(group, "PID-3")
    deleted = frozenset(name for name, place in _DEMOGRAPHICS.items() if group[place] == NULL)
    return PatientStatement(found, _demographics(group), deleted)


def identifiers(group: Group, place: str) -> tuple[Identifier, ...]:
    """CX repetitions, record numbers before social security and the like."""
    repetitions = sorted(group.repetitions(place), key=lambda each: each[5] not in _RECORD_NUMBERS)
    found = [datatypes.patient_identifier(group, place, each) for each in repetitions]
    kept = tuple(dict.fromkeys(each for each in found if each is not None))
    if len(kept) > _MOST_IDENTIFIERS:
        what = f"{place} holds more than {_MOST_IDENTIFIERS} identifiers"
        raise group.invalid(place, what, Condition.APPLICATION_INTERNAL)
    if not kept:
        raise group.invalid(
            place,
            f"{place} holds no identifier",
            Condition.REQUIRED_FIELD_MISSING,
            f"send {place}.1 and the assigning authority in {place}.4",
        )
    return kept


def _demographics(group: Group) -> Demographics:
    return Demographics(
        name=datatypes.patient_name(group, "PID-5"),
        birth_date=datatypes.day_and_time(group, "PID-7.1")[0],
        sex=_SEX.get(group["PID-8.1"].strip().upper(), ""),
        address=_first([datatypes.address(each) for each in group.repetitions("PID-11")]),
        telephone=_first([datatypes.telephone(each) for each in group.repetitions("PID-13")]),
    )


def _first(texts: Sequence[str]) -> str:
    return next(filter(None, texts), "")


def _merges(group: Group) -> list[tuple[PatientStatement, PatientStatement]]:
    """ADT^A40: PID-3 survives, MRG-1 retires (ITI-30, RAD-12)."""
    survivor = patient_statement(group)
    if not group.has("MRG"):
        raise group.invalid("MRG-1", "there is no MRG segment for a PID", Condition.SEGMENT_SEQUENCE)
    return [(survivor, _retired(segment)) for segment in group.segments("MRG")]


def _retired(segment: Group) -> PatientStatement:
    name = datatypes.patient_name(segment, "MRG-7")
    return PatientStatement(identifiers(segment, "MRG-1"), Demographics(name=name))
