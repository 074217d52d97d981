"""A bounded reader of encoded data elements: finds the selected ones, steps over the rest (PS3.5 section 7)."""

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.elements import (
    BULK_VRS,
    EVERYTHING,
    IMPLICIT,
    ITEM,
    ITEM_DELIMITATION,
    LAST_TAG,
    LONG_VRS,
    NOTHING,
    PIXEL_DATA,
    PIXEL_GROUP,
    PLAIN_VRS,
    SEQUENCE_DELIMITATION,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    Coding,
    DataSet,
    Element,
    Selection,
    dictionary_vr,
    tag_text,
)
from hilum.wire.dicom.source import Source

DEEPEST = 64
MOST_ELEMENTS = 200_000
MOST_FRAGMENTS = 4_000_000
_WINDOW = 16 << 10


class Walker:
    """Walks one source once, forward, within limits of depth, count and value size."""

    def __init__(
        self,
        source: Source,
        *,
        most_elements: int = MOST_ELEMENTS,
        most_value_bytes: int = 4096,
        most_bulk_bytes: int = 4096,
    ) -> None:
        self._source = source
        self._left = most_elements
        self._most_value_bytes = most_value_bytes
        self._most_bulk_bytes = most_bulk_bytes
        self._base = 0
        self._window = b""

    def data_set(  # noqa: PLR0915  one loop: a call per element would cost more than the element
        self,
        offset: int,
        coding: Coding,
        selection: Selection,
        *,
        last: int = LAST_TAG,
        end: int | None = None,
        depth: int = 0,
    ) -> tuple[DataSet, int]:
        """Return the selected elements up to tag `last` and the offset behind them.

        `end` bounds an item of defined length; an item of undefined length ends with its delimiter.
        """
        if depth > DEEPEST:
            raise Invalid(f"sequences are nested deeper than {DEEPEST} at byte {offset}")
        found: DataSet = {}
        implicit, explicit_head, item_head = coding.implicit, coding.explicit_head, coding.item_head
        short, plainly, big_endian = SHORT_VRS.get, self._most_value_bytes, coding.big_endian
        stop = LAST_TAG << 32 if end is None else end
        tag = 0
        # The hot loop: one unpack per element, local names, and everything unusual behind a branch.
        window, base = self._window, self._base
        room = base + len(window) - 12
        while offset < stop:
            if not base <= offset <= room:
                self._fill(offset)
                window, base = self._window, self._base
                room = base + len(window) - 12
                if len(window) < 8:
                    self._ends_here(offset, tag, nested=depth > 0)
                    break
            self._left -= 1
            if self._left < 0:
                raise Invalid(f"too many elements before byte {offset}")
            if implicit:
                group, number, length = item_head(window, offset - base)
                tag, vr, start = group << 16 | number, "", offset + 8
                if group == 0xFFFE:
                    if tag == ITEM_DELIMITATION and end is None and depth:
                        return found, start
                    raise Invalid(f"{tag_text(tag)} at byte {offset} stands outside a sequence")
            else:
                group, number, code, length = explicit_head(window, offset - base)
                tag, start = group << 16 | number, offset + 8
                vr = short(code, "")
                if not vr:
                    if tag == ITEM_DELIMITATION and end is None and depth:
                        return found, start
                    vr, length, start = self._long_head(offset, tag, code, length, coding)
            if tag > last:
                break
            if selection is not None and tag not in selection and length != UNDEFINED_LENGTH:
                offset = start + length
            elif vr in PLAIN_VRS and length <= plainly and start + length <= room:
                offset = start + length
                value = window[start - base : offset - base]
                found[tag] = Element(tag, vr, start, length, value, None, big_endian)
            else:
                inside = EVERYTHING if selection is None else selection.get(tag, NOTHING)
                element, offset = self._element(tag, vr, start, length, coding, inside, depth)
                if selection is None or tag in selection:
                    found[tag] = element
                window, base = self._window, self._base
                room = base + len(window) - 12
            if offset > stop:
                raise Invalid(f"element {tag_text(tag)} at byte {start} is longer than the item around it")
            if tag == last:
                break
        return found, offset

    def _fill(self, offset: int) -> None:
        self._window = self._source.read_at(offset, _WINDOW)
        self._base = offset

    def _ends_here(self, offset: int, tag: int, *, nested: bool) -> None:
        """Raise unless the data set may end here: at an element's end, zero padding aside."""
        if nested:
            raise Invalid(f"truncated at byte {offset}, inside a sequence item")
        if self._window.strip(b"\0"):
            raise Invalid(f"truncated at byte {offset}, inside the head of an element")
        if offset and not self._window and not self._source.read_at(offset - 1, 1):
            raise Invalid(
                f"truncated: element {tag_text(tag)} claims to end at byte {offset}, the object ends before"
            )

    def _long_head(
        self, offset: int, tag: int, code: bytes, length: int, coding: Coding
    ) -> tuple[str, int, int]:
        """Return VR, length and value offset where the length is of 32 bits, or the VR is odd (PS3.5 7.1.2)."""
        at = offset - self._base
        if tag >> 16 == 0xFFFE:
            raise Invalid(f"{tag_text(tag)} at byte {offset} stands outside a sequence")
        if code in LONG_VRS or (code.isalpha() and code.isupper() and length == 0):
            if len(self._window) - at < 12:
                raise Invalid(f"truncated at byte {offset}, inside the head of an element")
            return LONG_VRS.get(code, "UN"), coding.long_length(self._window, at + 8)[0], offset + 12
        if (code.isalpha() and code.isupper()) or not code.strip(b"\0? -"):
            return "UN", length, offset + 8  # an unknown VR written like the short ones
        # Explicit and implicit mixed in one data set: seen in the field, readable.
        return "", coding.long_length(self._window, at + 4)[0], offset + 8

    def _element(
        self, tag: int, vr: str, start: int, length: int, coding: Coding, inside: Selection, depth: int
    ) -> tuple[Element, int]:
        """Read one element that is wanted, or has no length to be stepped over by."""
        as_un = vr == "UN" and not tag & 0x10000
        if not vr or as_un:
            vr = dictionary_vr(tag)
        if length == UNDEFINED_LENGTH and (vr[:2] in {"OB", "OW"} or tag == PIXEL_DATA):
            following = self.fragments(start, coding)[1]
            return Element(tag, vr, start, UNDEFINED_LENGTH, b"", None, coding.big_endian), following
        if vr == "SQ" or length == UNDEFINED_LENGTH:
            # PS3.5 6.2.2: what was UN is implicit little endian inside.
            within = IMPLICIT if as_un or vr == "UN" else coding
            items, following = self._items(tag, start, length, within, inside, depth)
            return Element(tag, "SQ", start, length, b"", items, within.big_endian), following
        value = self._value(tag, start, length, bulk=vr[:2] in BULK_VRS)
        return Element(tag, vr, start, length, value, None, coding.big_endian and not as_un), start + length

    def _value(self, tag: int, start: int, length: int, *, bulk: bool) -> bytes:
        """Read a value, or its beginning where it is longer than the limit; of pixels never anything."""
        most = 0 if tag >> 16 == PIXEL_GROUP else self._most_bulk_bytes if bulk else self._most_value_bytes
        size = min(length, most)
        at = start - self._base
        if at >= 0 and at + size <= len(self._window):
            return self._window[at : at + size]
        value = self._source.read_at(start, size)
        if len(value) < size:
            raise Invalid(
                f"truncated: element {tag_text(tag)} at byte {start} claims {length} bytes, {len(value)} are there"
            )
        return value

    def _items(
        self, tag: int, offset: int, length: int, coding: Coding, inside: Selection, depth: int
    ) -> tuple[tuple[DataSet, ...], int]:
        """Read the items of a sequence of defined or undefined length (PS3.5 7.5)."""
        items: list[DataSet] = []
        end = None if length == UNDEFINED_LENGTH else offset + length
        while end is None or offset < end:
            item_tag, item_length = self._item_head(offset, tag, coding)
            offset += 8
            if item_tag == SEQUENCE_DELIMITATION:
                break
            self._left -= 1
            if item_tag != ITEM or self._left < 0:
                raise Invalid(f"no item of sequence {tag_text(tag)} at byte {offset - 8}, or too many")
            item_end = None if item_length == UNDEFINED_LENGTH else offset + item_length
            if end is not None and item_end is not None and item_end > end:
                raise Invalid(f"the item at byte {offset - 8} is longer than sequence {tag_text(tag)}")
            if item_end is not None and inside is not None and not inside:
                offset = item_end
                continue
            if item_end == offset:
                items.append({})  # a million of these are a cheap attack
                continue
            item, offset = self.data_set(offset, coding, inside, end=item_end, depth=depth + 1)
            items.append(item)
        return tuple(items), offset if end is None else max(offset, end)

    def _item_head(self, offset: int, tag: int, coding: Coding) -> tuple[int, int]:
        if not self._base <= offset <= self._base + len(self._window) - 8:
            self._fill(offset)
            if len(self._window) < 8:
                raise Invalid(f"truncated at byte {offset}, inside {tag_text(tag)}")
        group, number, length = coding.item_head(self._window, offset - self._base)
        return group << 16 | number, length

    def fragments(self, offset: int, coding: Coding) -> tuple[list[tuple[int, int]], int]:
        """Return offset and length of each fragment, the offset table first, and the end (PS3.5 A.4)."""
        spans: list[tuple[int, int]] = []
        while True:
            head = self._source.read_at(offset, 8)
            if len(head) < 8:
                raise Invalid(f"truncated at byte {offset}, inside the encapsulated pixel data")
            group, number, length = coding.item_head(head, 0)
            offset += 8
            if (group << 16 | number) == SEQUENCE_DELIMITATION:
                return spans, offset
            if (group << 16 | number) != ITEM or length == UNDEFINED_LENGTH or len(spans) >= MOST_FRAGMENTS:
                raise Invalid(f"no fragment of the pixel data at byte {offset - 8}, or too many")
            spans.append((offset, length))
            offset += length
