"""The bytes of an HL7 v2 message: segments, fields, delimiters, character set (HL7 2.5.1, chapter 2, ER7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from hilum.wire.hl7v2.character_sets import CharacterSet, character_set, decodable_by
from hilum.wire.hl7v2.delimiters import read_delimiters
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.path import Path

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


_UNKNOWN = CharacterSet(())  # until MSH-18 is read


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a message is read at all."""

    length: int = 16 * 1024 * 1024
    segments: int = 10_000
    fields: int = 1_000
    repetitions: int = 10_000
    header: int = 16 * 1024


DEFAULT_LIMITS = Limits()


class Body:
    """The segments of one message, their fields split when first asked for, and how to decode them."""

    __slots__ = (
        "_codec",
        "_component",
        "_escape",
        "_field",
        "_fields",
        "_repetition",
        "_subcomponent",
        "character_set",
        "delimiters",
        "limits",
        "names",
        "raw",
        "segments",
    )

    def __init__(self, raw: bytes, limits: Limits) -> None:
        self.raw = raw
        self.limits = limits
        self.segments = _split_segments(raw, limits)
        self.delimiters = read_delimiters(_checked_header(self.segments[0], limits))
        self._field, self._component, self._repetition, self._escape, self._subcomponent = (
            self.delimiters.octets
        )
        self.names = _segment_names(self.segments, self._field)
        self._fields: dict[int, list[bytes]] = {}
        self._codec = ""
        self.character_set = _UNKNOWN
        self.character_set = self._declared_character_set()

    @property
    def codec(self) -> str:
        """The codec of the fields; chosen by all bytes of the message, when the first non-ASCII text is read."""
        if not self._codec:
            self._codec = "utf-8" if self.character_set.opaque else decodable_by(self.character_set, self.raw)
        return self._codec

    def fields(self, index: int) -> list[bytes]:
        """Split one segment; field n stands at place n, also in MSH, whose separator is its first field."""
        fields = self._fields.get(index)
        if fields is None:
            fields = self._fields[index] = self._split(index)
        return fields

    def octets(self, index: int, place: Path) -> bytes:
        """Give the escaped bytes at a place of one segment."""
        segment, _, field, repetition, component, subcomponent = place
        try:
            octets = (self._fields.get(index) or self.fields(index))[field]
            if field < 3 and segment == "MSH":
                return octets
            if repetition > 1 or self._repetition in octets:
                octets = octets.split(self._repetition, repetition)[repetition - 1]
            if component:
                octets = octets.split(self._component, component)[component - 1]
            if subcomponent:
                octets = octets.split(self._subcomponent, subcomponent)[subcomponent - 1]
        except IndexError:
            return b""
        return octets

    def within(self, octets: bytes, component: int, subcomponent: int) -> bytes:
        """Give the escaped bytes of a component, or of its subcomponent, of one repetition."""
        try:
            octets = octets.split(self._component, component)[component - 1]
            return (
                octets.split(self._subcomponent, subcomponent)[subcomponent - 1] if subcomponent else octets
            )
        except IndexError:
            return b""

    def repetitions(self, index: int, field: int) -> list[bytes]:
        """Split a field into its repetitions; an empty field has none."""
        fields = self.fields(index)
        if field >= len(fields) or not fields[field]:
            return []
        found = fields[field].split(self._repetition, self.limits.repetitions)
        if len(found) > self.limits.repetitions:
            raise _too_many("repetitions", self.limits.repetitions, f"{self.names[index]}^1^{field}")
        return found

    def text(self, octets: bytes) -> str:
        """Decode and unescape."""
        text = octets.decode() if octets.isascii() else self._decode(octets)
        return text if self._escape not in octets else self.delimiters.escaping.read(text, self.codec)

    def with_segment(self, index: int, segment: bytes) -> bytes:
        """Give the bytes of the message with one segment exchanged."""
        start = end = 0
        for each in self.segments[: index + 1]:
            start = self.raw.find(each, end)
            end = start + len(each)
        return self.raw[:start] + segment + self.raw[end:]

    def _decode(self, octets: bytes) -> str:
        try:
            return octets.decode(self.codec)
        except UnicodeDecodeError as error:  # a delimiter inside a character
            raise MessageInvalid(f"a field is not valid {self.codec}", location="MSH^1^18") from error

    def _split(self, index: int) -> list[bytes]:
        segment = self.segments[index]
        if self.character_set.opaque:
            segment = segment.decode(decodable_by(self.character_set, segment)).encode()
        fields = segment.split(self._field, self.limits.fields + 1)
        if index == 0:
            fields.insert(1, self._field)
        if len(fields) > self.limits.fields + 1:
            raise _too_many("fields", self.limits.fields, f"{self.names[index]}^1")
        return fields

    def _declared_character_set(self) -> CharacterSet:
        declared = [octets.decode("ascii", "replace") for octets in self.repetitions(0, 18)]
        found = character_set(tuple(declared))
        if found.opaque:
            self._fields.clear()
        return found


def _split_segments(raw: bytes, limits: Limits) -> list[bytes]:
    """Split at CR, with or without LF; at LF when the sender knows no CR (a lone LF is text otherwise)."""
    if len(raw) > limits.length:
        raise _too_many("bytes", limits.length, "MSH")
    if b"\0" in raw:
        raise _not_text(raw)
    content = raw.removeprefix(_BYTE_ORDER_MARK).strip(b"\r\n")
    if not content:
        raise MessageInvalid("the message is empty", location="MSH", condition=Condition.SEGMENT_SEQUENCE)
    separator = b"\r" if b"\r" in content else b"\n"
    if content.count(separator) >= limits.segments:
        raise _too_many("segments", limits.segments, "MSH")
    if b"\n" in content:
        return [segment for line in content.split(separator) if (segment := line.strip(b"\n"))]
    return [segment for segment in content.split(separator) if segment]


def _not_text(raw: bytes) -> MessageInvalid:
    wide = raw[:2] in {b"M\0", b"\0M", b"\xff\xfe", b"\xfe\xff"}
    what = (
        "the message is UTF-16 or UTF-32, which MLLP cannot carry" if wide else "the message holds NUL bytes"
    )
    return MessageInvalid(what, location="MSH^1^18", next_step="send it as UNICODE UTF-8")


def _checked_header(header: bytes, limits: Limits) -> bytes:
    if len(header) > limits.header:
        raise _too_many("bytes in MSH", limits.header, "MSH^1")
    return _header_start(header)


def _header_start(header: bytes) -> bytes:
    """MSH-1 and MSH-2 alone: up to the second field separator."""
    end = header.find(header[3:4], 4) if len(header) > 3 else -1
    return header[: min(end, 16)] if end >= 0 else header[:16]


def _segment_names(segments: Iterable[bytes], separator: bytes) -> list[str]:
    names = [_name(segment[:4], separator) for segment in segments]
    if "" not in names:
        return names
    number = names.index("")
    raise MessageInvalid(
        f"segment {number + 1} does not start with a segment name and the field separator",
        location=f"{names[number - 1]}^{names[:number].count(names[number - 1])}",
        condition=Condition.SEGMENT_SEQUENCE,
        next_step="escape line ends inside of text as \\.br\\ or \\X0D\\",
    )


@lru_cache(maxsize=1024)
def _name(start: bytes, separator: bytes) -> str:
    name = start[:3]
    named = len(name) == 3 and name.isalnum() and name[:1].isalpha() and name.upper() == name
    return name.decode("ascii") if named and start[3:] in {b"", separator} else ""


def _too_many(what: str, limit: int, location: str) -> MessageInvalid:
    return MessageInvalid(
        f"the message holds more than {limit} {what}",
        location=location,
        condition=Condition.APPLICATION_INTERNAL,
        next_step="split the message, or raise the limit",
    )
