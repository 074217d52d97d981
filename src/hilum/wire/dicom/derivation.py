"""What an image says of what it lost, and one that was made from another with loss (PS3.3 C.7.6.1.1.5, C.12.4.1)."""

import hashlib

from hilum.wire.dicom.character_sets import UNDECLARED
from hilum.wire.dicom.elements import DataSet, Element
from hilum.wire.dicom.rewriting import element
from hilum.wire.dicom.transfer_syntaxes import transfer_syntax
from hilum.wire.dicom.values import required_uid, text_of

LOSSY_IMAGE_COMPRESSION, _RATIO, _METHOD = 0x00282110, 0x00282112, 0x00282114
_IMAGE_TYPE, _SOP_CLASS, _SOP_INSTANCE = 0x00080008, 0x00080016, 0x00080018
_DERIVATION_DESCRIPTION, _SOURCE_IMAGES, _PURPOSE = 0x00082111, 0x00082112, 0x0040A170
_METHODS = (
    ("1.2.840.10008.1.2.4.5", "ISO_10918_1"),
    ("1.2.840.10008.1.2.4.6", "ISO_10918_1"),
    ("1.2.840.10008.1.2.4.81", "ISO_14495_1"),
    ("1.2.840.10008.1.2.4.9", "ISO_15444_1"),
    ("1.2.840.10008.1.2.4.203", "ISO_15444_15"),
    ("1.2.840.10008.1.2.4.11", "ISO_18181_1"),
)
"""PS3.3 C.7.6.1.1.5.1, by the beginning of the transfer syntax UID."""


def loss(elements: DataSet, transfer_syntax_uid: str) -> DataSet:
    """Return the attributes that say that an image was compressed with loss, for one that does not say so yet."""
    said = {LOSSY_IMAGE_COMPRESSION: element(LOSSY_IMAGE_COMPRESSION, "CS", b"01")}
    method = next((name for start, name in _METHODS if transfer_syntax_uid.startswith(start)), "")
    if method and _METHOD not in elements:
        said[_METHOD] = element(_METHOD, "CS", method.encode("ascii"))
    return said


def derived(elements: DataSet, transfer_syntax_uid: str, ratio: float) -> DataSet:
    """Return the elements of an image that is another one, with loss, under a UID of its own.

    The UID follows from the original's and the syntax: made twice, it is the same.
    """
    original = required_uid(elements, _SOP_INSTANCE, "SOP Instance UID")
    method = next(name for start, name in _METHODS if transfer_syntax_uid.startswith(start))
    kind = _text(elements, _IMAGE_TYPE).split("\\")[1:] or ["PRIMARY"]
    new = {
        _IMAGE_TYPE: _string(_IMAGE_TYPE, "CS", "\\".join(["DERIVED", *kind])),
        _SOP_INSTANCE: _string(_SOP_INSTANCE, "UI", derived_uid(original, transfer_syntax_uid)),
        _DERIVATION_DESCRIPTION: _string(
            _DERIVATION_DESCRIPTION,
            "ST",
            f"Compressed with loss: {transfer_syntax(transfer_syntax_uid).name}, {ratio:.1f}:1",
        ),
        _SOURCE_IMAGES: _source_images(elements, original),
        LOSSY_IMAGE_COMPRESSION: _string(LOSSY_IMAGE_COMPRESSION, "CS", "01"),
        _RATIO: _string(_RATIO, "DS", _added(elements, _RATIO, f"{ratio:.1f}")),
        _METHOD: _string(_METHOD, "CS", _added(elements, _METHOD, method)),
    }
    return dict(sorted((elements | new).items()))


def derived_uid(original: str, transfer_syntax_uid: str) -> str:
    """Return a UID of 128 bits that follows from what was made of what (PS3.5 B.2)."""
    digest = hashlib.sha256(f"{original} {transfer_syntax_uid}".encode("ascii")).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _source_images(elements: DataSet, original: str) -> Element:
    """Add the original to the images that this one comes from (CID 7202)."""
    known = elements.get(_SOURCE_IMAGES)
    code: DataSet = {
        0x00080100: _string(0x00080100, "SH", "121320"),
        0x00080102: _string(0x00080102, "SH", "DCM"),
        0x00080104: _string(0x00080104, "LO", "Uncompressed predecessor"),
    }
    source: DataSet = {
        0x00081150: _string(0x00081150, "UI", required_uid(elements, _SOP_CLASS, "SOP Class UID")),
        0x00081155: _string(0x00081155, "UI", original),
        _PURPOSE: Element(_PURPOSE, "SQ", 0, 0, b"", (code,), big_endian=False),
    }
    items = (*(known.items or () if known is not None else ()), source)
    return Element(_SOURCE_IMAGES, "SQ", 0, 0, b"", items, big_endian=False)


def _added(elements: DataSet, tag: int, value: str) -> str:
    """Return the values of all lossy compressions, in the order in which they were applied."""
    known = _text(elements, tag)
    return f"{known}\\{value}" if known else value


def _text(elements: DataSet, tag: int) -> str:
    return text_of(elements.get(tag), UNDECLARED)


def _string(tag: int, vr: str, text: str) -> Element:
    return element(tag, vr, text.encode("ascii", "replace"))
