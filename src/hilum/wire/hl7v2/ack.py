"""Acknowledgements: MSH, MSA and ERR out, and read from a peer (HL7 2.5.1, 2.9.2, 2.9.3, 2.15.8, 2.15.5)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from hilum.wire.hl7v2.compose import Value, timestamp, write_segment, write_value
from hilum.wire.hl7v2.delimiters import STANDARD, Delimiters
from hilum.wire.hl7v2.errors import CONDITION_TEXT, Condition, MessageInvalid
from hilum.wire.hl7v2.message import Message


class Outcome(StrEnum):
    """What became of a message; the second letter of a code of HL7 table 0008."""

    ACCEPTED = "A"
    ERROR = "E"
    REJECTED = "R"


ACKNOWLEDGEMENT_CODES = frozenset({"AA", "AE", "AR", "CA", "CE", "CR"})
_CONTROLS = re.compile(rb"[\x00-\x1a\x1c-\x1f]")  # ESC may stay: it switches character sets
_HEADER_LIMIT = 16 * 1024
_NO_FIELDS = (b"",) * 19


@dataclass(frozen=True, slots=True)
class Complaint:
    """One ERR segment: where (an ERL such as `PID^1^3`), by which code of table 0357, and in words."""

    text: str
    location: str = ""
    condition: Condition = Condition.APPLICATION_INTERNAL
    next_step: str = ""

    @classmethod
    def of(cls, error: MessageInvalid) -> "Complaint":
        """Say what a reader raised."""
        return cls(error.what, error.location, error.condition, error.next_step)


class Header(NamedTuple):
    """As much of a peer's MSH as can be read; its fields stay bytes, so that they go back unchanged."""

    delimiters: Delimiters = STANDARD
    fields: Sequence[bytes] = ()

    def field(self, number: int) -> bytes:
        """The bytes of MSH-n."""
        return self.fields[number] if number < len(self.fields) else b""

    def component(self, field: int, number: int) -> bytes:
        """The bytes of one component."""
        parts = self.field(field).split(self.delimiters.octets[1], number)
        return parts[number - 1] if number <= len(parts) else b""

    @property
    def before_2_5(self) -> bool:
        """Whether ERR takes its old form (ERR-1 only); an unknown version takes the new one."""
        return self.component(12, 1)[:3] in {b"2.0", b"2.1", b"2.2", b"2.3", b"2.4"}


def header_of(message: Message) -> Header:
    """Take the header of a message that was read."""
    return Header(message.delimiters, message.body.fields(0))


def salvaged_header(raw: bytes) -> Header:
    """Read what can be read of the header of a message that cannot be read; never fails."""
    start = raw[:_HEADER_LIMIT].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").replace(b"\0", b"")
    line = re.split(rb"[\r\n]", start, maxsplit=1)[0]
    try:
        message = Message(_without_character_set(line))
        return header_of(message)
    except MessageInvalid:
        return Header()


def _without_character_set(line: bytes) -> bytes:
    """An unknown MSH-18 must not hide whom to answer."""
    return line[3:4].join(line.split(line[3:4])[:17]) if len(line) > 3 else line


def acknowledgement_code(header: Header, outcome: Outcome) -> str:
    """Choose the code, or none when the peer wants no answer (MSH-15, MSH-16, HL7 table 0155).

    Original mode when both are empty. In enhanced mode the commit is what we answer at once; the application
    acknowledgement is given in its place when only that is asked for.
    """
    accept, application = header.field(15).strip(), header.field(16).strip()
    if not accept and not application:
        return "A" + outcome
    if _wanted(accept, outcome):
        return "C" + outcome
    return "A" + outcome if _wanted(application, outcome) else ""


def _wanted(condition: bytes, outcome: Outcome) -> bool:
    if outcome is Outcome.ACCEPTED:
        return condition in {b"AL", b"SU"}
    return condition in {b"AL", b"ER"}


def acknowledge(
    header: Header,
    outcome: Outcome,
    *,
    control_id: str,
    at: datetime,
    complaints: Sequence[Complaint] = (),
) -> bytes | None:
    """Write the acknowledgement of a message, or None when its sender asked for none."""
    code = acknowledgement_code(header, outcome)
    if not code:
        return None
    separator = header.delimiters.octets[0]
    text = complaints[0].text if complaints else ""
    accepted = [b"MSA", code.encode(), _clean(header.field(10))]
    msa = separator.join([*accepted, _field(text, header.delimiters)] if text else accepted)
    segments = [_header(header, control_id, at), msa]
    segments += [_error(complaint, header) for complaint in complaints]
    return b"\r".join(segments) + b"\r"


def _header(header: Header, control_id: str, at: datetime) -> bytes:
    """MSH of the answer: sender and receiver change places, trigger, processing, version and charset stay."""
    delimiters = header.delimiters
    said = [*header.fields, *_NO_FIELDS]
    fields = [
        b"MSH",
        delimiters.encoding_characters.encode(),
        *(said[5], said[6], said[3], said[4]),
        timestamp(at).encode(),
        b"",
        _message_type(header),
        _field(control_id, delimiters),
        said[11] or b"P",
        said[12] or b"2.5.1",
        *((b"", b"", b"", b"", b"", said[18]) if said[18] else ()),
    ]
    return _clean(delimiters.octets[0].join(fields))


def _message_type(header: Header) -> bytes:
    """`ACK^A01^ACK`; the message structure exists from version 2.3.1 on."""
    event = header.component(9, 2)
    if not event:
        return b"ACK"
    structured = header.component(12, 1) not in {b"2.1", b"2.2", b"2.3"}
    return header.delimiters.octets[1].join([b"ACK", event, *([b"ACK"] if structured else [])])


def _error(complaint: Complaint, header: Header) -> bytes:
    """ERR-2, -3, -4, -7, -8 from version 2.5 on; ERR-1 (ELD) before."""
    code: Value = (str(int(complaint.condition)), CONDITION_TEXT[complaint.condition], "HL70357")
    where: tuple[str, ...] = tuple(complaint.location.split("^"))
    fields: dict[int, Value] = {2: where, 3: code, 4: "E", 7: complaint.next_step, 8: complaint.text}
    if header.before_2_5:
        fields = {
            1: (*((*where, "", "")[:3]), (str(int(complaint.condition)), CONDITION_TEXT[complaint.condition]))
        }
    return write_segment("ERR", fields, header.delimiters).encode("ascii", "replace")


def _field(text: str, delimiters: Delimiters) -> bytes:
    return write_value(text, delimiters).encode("ascii", "replace")


def _clean(octets: bytes) -> bytes:
    """What is sent back holds no control character, whatever came in."""
    return _CONTROLS.sub(b"", octets)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a peer answered: code, the control ID that it answers, its words, its codes of table 0357."""

    code: str
    control_id: str
    text: str
    conditions: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """AA or CA."""
        return self.code.endswith("A")


def acknowledgement(message: Message) -> Acknowledgement:
    """Read a peer's acknowledgement: MSA-1, MSA-2, and its reason from MSA-3 or ERR."""
    if not message.has("MSA"):
        raise message.invalid("MSA-1", "the answer holds no MSA segment", Condition.SEGMENT_SEQUENCE)
    code = message.require("MSA-1")
    if code not in ACKNOWLEDGEMENT_CODES:
        raise message.invalid(
            "MSA-1", f"MSA-1 is {code[:20]!r}, no code of HL7 table 0008", Condition.TABLE_VALUE_NOT_FOUND
        )
    return Acknowledgement(code, message["MSA-2"], "; ".join(_reasons(message)), _conditions(message))


def _conditions(message: Message) -> tuple[str, ...]:
    """ERR-3.1 of version 2.5 and later, ERR-1.4.1 of earlier ones."""
    found = [error["ERR-3.1"] or error["ERR-1.4.1"] for error in message.segments("ERR")]
    return tuple(filter(None, found))


def _reasons(message: Message) -> list[str]:
    texts = [message["MSA-3"]]
    for error in message.segments("ERR"):
        texts += [error[place] for place in ("ERR-8", "ERR-7", "ERR-3.2", "ERR-2", "ERR-1")]
    return list(dict.fromkeys(filter(None, texts)))
