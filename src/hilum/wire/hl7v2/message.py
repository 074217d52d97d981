"""HL7 v2 messages: read by path, decoded on demand, edited by copy (HL7 2.5.1, chapter 2, ER7 encoding)."""

from collections.abc import Sequence
from dataclasses import dataclass

from hilum.wire.hl7v2.body import DEFAULT_LIMITS, Body, Limits
from hilum.wire.hl7v2.compose import Value, edited
from hilum.wire.hl7v2.delimiters import Delimiters
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.path import Path, path

NULL = '""'  # HL7 2.5.1, 2.5.3: "delete what you hold", unlike an empty field, which says nothing.


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition of a field, such as one identifier of PID-3."""

    body: Body
    octets: bytes

    def __getitem__(self, component: int) -> str:
        """The text of a component, counted from 1."""
        return self.body.text(self.body.within(self.octets, component, 0))

    def subcomponent(self, component: int, subcomponent: int) -> str:
        """The text of a subcomponent, both counted from 1."""
        return self.body.text(self.body.within(self.octets, component, subcomponent))

    @property
    def text(self) -> str:
        """All of it as text, its delimiters as they stand."""
        return self.body.text(self.octets)


class Group:
    """Some segments of a message, in their order: an order with its observations, or one segment alone."""

    __slots__ = ("_body", "_indexes", "names")

    def __init__(self, body: Body, indexes: Sequence[int]) -> None:
        self._body = body
        self._indexes = indexes
        self.names = [body.names[index] for index in indexes]

    def __getitem__(self, place: str) -> str:
        """The text at a path such as `PID-3[2].4.1`; empty where nothing stands."""
        return self._body.text(self.octets(place))

    def has(self, segment: str) -> bool:
        """Whether such a segment stands here."""
        return segment in self.names

    def octets(self, place: str) -> bytes:
        """The bytes at a path as they were sent, still escaped."""
        found = path(place)
        segment, occurrence, *_ = found
        if segment not in self.names:
            return b""
        if occurrence == 1:
            return self._body.octets(self._indexes[self.names.index(segment)], found)
        index = self._index(segment, occurrence)
        return b"" if index is None else self._body.octets(index, found)

    def require(self, place: str) -> str:
        """The text at a path, or a complaint that names the place."""
        text = self[place]
        if not text:
            raise self.invalid(place, f"{place} is empty", Condition.REQUIRED_FIELD_MISSING)
        return text

    def invalid(self, place: str, what: str, condition: Condition, next_step: str = "") -> MessageInvalid:
        """Make the complaint about a path, with its location counted over the whole message."""
        return MessageInvalid(what, location=self.location(place), condition=condition, next_step=next_step)

    def location(self, place: str) -> str:
        """The ERL of a path: the segment's sequence is counted over the whole message (ERR-2.2)."""
        found = path(place)
        index = self._index(found.segment, found.occurrence)
        if index is not None:
            sequence = self._body.names[: index + 1].count(found.segment)
            found = Path(
                found.segment, sequence, found.field, found.repetition, found.component, found.subcomponent
            )
        return str(found)

    def repetitions(self, place: str) -> list[Repetition]:
        """All repetitions of a field."""
        found = path(place)
        index = self._index(found.segment, found.occurrence)
        if index is None:
            return []
        return [Repetition(self._body, octets) for octets in self._body.repetitions(index, found.field)]

    def segments(self, name: str) -> list["Group"]:
        """Each segment of that name as a group of its own."""
        return [
            Group(self._body, (index,))
            for index, each in zip(self._indexes, self.names, strict=True)
            if each == name
        ]

    def groups(self, *leaders: str) -> list["Group"]:
        """Cut at the leading segments: `groups("ORC", "OBR")` gives each order with what follows it.

        A leader begins a group unless it comes later in the list than the leader before it: an OBR after its
        ORC belongs to it, an OBR after an OBR begins an order that shares no ORC.
        """
        ranks = {name: rank for rank, name in enumerate(leaders)}
        found: list[list[int]] = []
        rank_before = len(leaders)
        for index, name in zip(self._indexes, self.names, strict=True):
            rank = ranks.get(name)
            if rank is not None:
                if rank <= rank_before:
                    found.append([])
                rank_before = rank
            if found:
                found[-1].append(index)
        return [Group(self._body, indexes) for indexes in found]

    def _index(self, segment: str, occurrence: int) -> int | None:
        if segment not in self.names:
            return None
        if occurrence == 1:
            return self._indexes[self.names.index(segment)]
        places = [index for index, name in zip(self._indexes, self.names, strict=True) if name == segment]
        return places[occurrence - 1] if occurrence <= len(places) else None


class Message(Group):
    """A whole message; `raw` is what was sent, to the byte."""

    __slots__ = ()

    def __init__(self, raw: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
        self._body = Body(raw, limits)
        self.names = self._body.names
        self._indexes = range(len(self.names))

    @property
    def raw(self) -> bytes:
        """The bytes."""
        return self._body.raw

    @property
    def body(self) -> Body:
        """What the editor and the acknowledgement work on."""
        return self._body

    @property
    def delimiters(self) -> Delimiters:
        """MSH-1 and MSH-2."""
        return self._body.delimiters

    @property
    def structure(self) -> str:
        """Type and event as one word, `ADT^A08`."""
        return f"{self['MSH-9.1']}^{self['MSH-9.2']}"

    def with_value(self, place: str, value: Value) -> "Message":
        """Give a copy with a value at a path; whatever the value holds, it adds no segment, field or component."""
        found = path(place)
        index = self._index(found.segment, found.occurrence)
        if index is None:
            raise self.invalid(place, f"there is no segment for {place}", Condition.SEGMENT_SEQUENCE)
        if found.segment == "MSH" and found.field in {1, 2, 18}:
            raise ValueError(f"{place} says how the other bytes are to be read and cannot be changed alone")
        message = self._edited(index, found, value)
        if message is None:
            what = f"the value for {place} cannot be written in the character set of the message"
            raise self.invalid(place, what, Condition.DATA_TYPE, "send UNICODE UTF-8 in MSH-18")
        return message

    def _edited(self, index: int, place: Path, value: Value) -> "Message | None":
        """Edit, or give None when the text cannot be written, or would change how other text is read."""
        body = self._body
        try:
            if body.character_set.opaque:
                codec = body.character_set.codecs[0]
                text = edited(
                    body.segments[index].decode(codec).encode(), place, value, self.delimiters, "utf-8"
                )
                return Message(body.with_segment(index, text.decode().encode(codec)), body.limits)
            segment = edited(body.segments[index], place, value, self.delimiters, body.codec)
        except UnicodeError:
            return None
        message = Message(body.with_segment(index, segment), body.limits)
        same = message.raw.decode(message.body.codec) == message.raw.decode(body.codec, "replace")
        return message if same else None
