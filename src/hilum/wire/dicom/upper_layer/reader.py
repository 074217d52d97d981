"""A bounded cursor over a PDU's bytes: reading past the end is the peer's error, never ours."""

from collections.abc import Iterator
from struct import Struct

from hilum.wire.dicom.upper_layer.errors import AbortReason, ProtocolError

_U16 = Struct(">H")
_ITEM_HEADER = Struct(">BxH")
_LONGEST_UID = 64


class Reader:
    """Takes numbers, text and items from the front of a view."""

    __slots__ = ("_offset", "_view")

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._offset = 0

    @property
    def remaining(self) -> int:
        """How many octets are left."""
        return len(self._view) - self._offset

    def take(self, length: int) -> memoryview:
        """The next octets, exactly that many."""
        end = self._offset + length
        if end > len(self._view):
            raise ProtocolError("an item is longer than what holds it")
        taken = self._view[self._offset : end]
        self._offset = end
        return taken

    def unpack(self, layout: Struct) -> tuple[int, ...]:
        """The next numbers in a fixed layout."""
        return layout.unpack(self.take(layout.size))

    def rest(self) -> memoryview:
        """All that is left."""
        return self.take(self.remaining)

    def counted(self) -> memoryview:
        """A field that starts with its own 16-bit length."""
        (length,) = self.unpack(_U16)
        return self.take(length)

    def items(self, most: int) -> Iterator[tuple[int, "Reader"]]:
        """The items of type, reserved octet, 16-bit length and body that are left (PS3.8 9.3.1)."""
        count = 0
        while self.remaining:
            count += 1
            if count > most:
                raise ProtocolError("too many items", AbortReason.UNEXPECTED_PDU_PARAMETER)
            item_type, length = self.unpack(_ITEM_HEADER)
            yield item_type, Reader(self.take(length))


def printable(octets: memoryview | bytes) -> str:
    """Text of the default repertoire without its padding: spaces, or the NULs that some devices send."""
    text = str(octets, "latin-1").strip(" \0")
    if not (text.isascii() and text.isprintable()) or "\\" in text:
        raise ProtocolError("a text holds characters outside the default repertoire")
    return text


def legible(octets: memoryview | bytes) -> str:
    """Text that nothing depends on: what is outside the default repertoire is left out."""
    text = str(octets, "latin-1")
    return "".join(character for character in text if " " <= character <= "~").strip()


def uid(octets: memoryview | bytes) -> str:
    """A UID as text (PS3.8 F); whether it is one that we know is for the negotiation to say."""
    text = printable(octets)
    if len(text) > _LONGEST_UID:
        raise ProtocolError("a UID is longer than 64 characters")
    return text
