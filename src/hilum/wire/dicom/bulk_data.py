"""The value behind a BulkDataURI: found by its path, read when asked for (PS3.18 section 10.4.1.1.5, F.2.2)."""

import re
from dataclasses import dataclass
from typing import BinaryIO

from hilum.core.kernel.errors import Invalid, NotFound
from hilum.wire.dicom.elements import (
    EVERYTHING,
    UNDEFINED_LENGTH,
    Element,
    Selection,
    open_data_set,
)
from hilum.wire.dicom.json_model import MOST_ELEMENTS, little_endian
from hilum.wire.dicom.part10 import FileMeta, read_file_meta
from hilum.wire.dicom.source import Source, source_of
from hilum.wire.dicom.walker import Walker

_PATH = re.compile(r"[0-9A-Fa-f]{8}(?:/[1-9][0-9]{0,6}/[0-9A-Fa-f]{8}){0,16}")


@dataclass(frozen=True, slots=True)
class BulkData:
    """One bulk value, not yet read; `offset` counts in the data set (inflated, where it was deflated)."""

    vr: str
    length: int
    element: Element
    source: Source

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """Return the value, or a part of it, in little endian."""
        size = self.length - offset if size is None else min(size, self.length - offset)
        read = self.source.read_at(self.element.offset + offset, max(0, size))
        return little_endian(read, self.vr, self.element) if self.element.big_endian else read


def find_bulk_data(file: bytes | BinaryIO | Source, path: str, meta: FileMeta | None = None) -> BulkData:
    """Find `00420011` or `54000100/1/54001010` (items count from 1); NotFound where the object has no such value."""
    if not _PATH.fullmatch(path):
        raise NotFound("there is no bulk data of this path: it is tag, or tag/item/tag and so on")
    source = source_of(file)
    meta = meta or read_file_meta(source)
    data_set, coding = open_data_set(source, meta.data_set_offset, meta.transfer_syntax_uid)
    tags, places = [int(tag, 16) for tag in path.split("/")[::2]], [int(p) for p in path.split("/")[1::2]]
    selection: Selection = {tags[-1]: EVERYTHING}
    for tag in reversed(tags[:-1]):
        selection = {tag: selection}
    elements, _ = Walker(data_set, most_elements=MOST_ELEMENTS, most_bulk_bytes=0).data_set(
        0, coding, selection, last=tags[0]
    )
    for tag, place in zip(tags, places, strict=False):
        element = elements.get(tag)
        items = element.items or () if element is not None else ()
        if place > len(items):
            raise NotFound("the object has no bulk data of this path")
        elements = items[place - 1]
    return _bulk_data(elements.get(tags[-1]), data_set)


def _bulk_data(element: Element | None, data_set: Source) -> BulkData:
    if element is None or element.items is not None:
        raise NotFound("the object has no bulk data of this path")
    if element.length == UNDEFINED_LENGTH:
        raise Invalid("encapsulated pixel data has no single value", next_step="retrieve its frames")
    vr = element.vr if len(element.vr) == 2 else "OW"
    return BulkData(vr, element.length, element, data_set)
