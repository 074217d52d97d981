"""The delimiters of a message, from MSH-1 and MSH-2, and the escapes that protect them (HL7 2.5.1, 2.5.4, 2.7)."""

import dataclasses
import re
from dataclasses import dataclass
from functools import lru_cache

from hilum.wire.hl7v2.errors import Condition, MessageInvalid


@dataclass(frozen=True, slots=True, eq=False)
class Delimiters:
    """Field separator and encoding characters; `truncation` exists from version 2.7 on.

    They are told apart by identity, which makes them fast keys; `read_delimiters` gives the same ones again.
    """

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""
    octets: tuple[bytes, bytes, bytes, bytes, bytes] = dataclasses.field(init=False)
    """Field, component, repetition, escape, subcomponent as they stand in the bytes."""
    encoding_characters: str = dataclasses.field(init=False)
    """MSH-2 as it stands in the message."""
    escaping: "Escaping" = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Prepare what every message with these delimiters needs."""
        characters = (self.field, self.component, self.repetition, self.escape, self.subcomponent)
        one, two, three, four, five = (character.encode("ascii") for character in characters)
        object.__setattr__(self, "octets", (one, two, three, four, five))
        object.__setattr__(self, "encoding_characters", "".join(characters[1:]) + self.truncation)
        object.__setattr__(self, "escaping", Escaping(self))


@lru_cache(maxsize=256)
def read_delimiters(start: bytes) -> Delimiters:
    """Read MSH-1 and MSH-2 from the start of a header, which ends before MSH-3."""
    if not start.startswith(b"MSH"):
        raise MessageInvalid(
            "the message does not start with MSH",
            location="MSH",
            condition=Condition.SEGMENT_SEQUENCE,
            next_step="send one HL7 v2 message in ER7 encoding per MLLP block",
        )
    characters = start[3:].decode("iso8859_1")
    if not 5 <= len(characters) <= 6 or not all(map(_may_delimit, characters)):
        raise _wrong("MSH-2 must hold four or five punctuation characters")
    if len(set(characters)) != len(characters):
        raise _wrong("MSH-1 and MSH-2 use one character twice")
    return Delimiters(*characters)


def _may_delimit(character: str) -> bool:
    return "!" <= character <= "~" and not character.isalnum()


def _wrong(what: str) -> MessageInvalid:
    return MessageInvalid(
        what,
        location="MSH^1^2",
        condition=Condition.DATA_TYPE,
        next_step="the recommended header starts with MSH|^~\\&|",
    )


class Escaping:
    """Reads and writes escape sequences for one set of delimiters; writing can never add a delimiter."""

    __slots__ = ("_sequence", "_spoken", "_table")

    def __init__(self, delimiters: Delimiters) -> None:
        mark = delimiters.escape
        names = {
            "F": delimiters.field,
            "S": delimiters.component,
            "R": delimiters.repetition,
            "E": mark,
            "T": delimiters.subcomponent,
        }
        if delimiters.truncation:
            names["P"] = delimiters.truncation
        controls = {code: f"{mark}X{code:02X}{mark}" for code in (*range(32), 127)}
        protected = {ord(character): f"{mark}{name}{mark}" for name, character in names.items()}
        self._table = controls | {ord("\n"): f"{mark}.br{mark}"} | protected
        # Highlighting, indents and fill modes say nothing that plain text could keep.
        self._spoken = {**names, "H": "", "N": "", ".ce": "\n", ".fi": "", ".nf": "", ".in": "", ".ti": ""}
        quoted = re.escape(mark)
        known = "".join(names) + "HN"
        self._sequence = re.compile(
            rf"{quoted}(?:([{known}])|X((?:[0-9A-Fa-f]{{2}})+)|(\.[a-z]{{2}})((?:[+-]?[0-9]{{1,3}})?)){quoted}",
        )

    def write(self, text: str) -> str:
        """Escape delimiters and control characters; a line feed becomes a line break (.br)."""
        return text.translate(self._table)

    def read(self, text: str, codec: str) -> str:
        """Replace the sequences that are known; others stay as they are, so that nothing is lost."""
        return self._sequence.sub(lambda found: self._said(found, codec), text)

    def _said(self, found: re.Match[str], codec: str) -> str:
        name, hexadecimal, command, count = found.groups()
        if hexadecimal:
            return _from_hexadecimal(hexadecimal, codec)
        if command in {".br", ".sp"}:
            return "\n" * _bounded(count)
        if command == ".sk":
            return " " * _bounded(count)
        return self._spoken.get(name or command, found.group())


def _bounded(count: str) -> int:
    """A few bytes may not become a page: longer skips are cut."""
    return max(1, min(abs(int(count or 1)), 9))


def _from_hexadecimal(digits: str, codec: str) -> str:
    octets = bytes.fromhex(digits)
    try:
        return octets.decode(codec)
    except UnicodeDecodeError:
        return octets.decode("iso8859_1")


STANDARD = Delimiters()
