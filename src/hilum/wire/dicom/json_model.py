"""The DICOM JSON Model: an encoded data set to JSON attribute objects, and back (PS3.18 Annex F)."""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from struct import Struct
from types import MappingProxyType
from typing import Any, BinaryIO, TypeAlias

from pydicom.datadict import private_dictionary_VR
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.character_sets import UNDECLARED, CharacterSet, character_set_of
from hilum.wire.dicom.elements import (
    ALL_VRS,
    BULK_VRS,
    EVERYTHING,
    EXPLICIT,
    UNDEFINED_LENGTH,
    Coding,
    DataSet,
    Element,
    open_data_set,
)
from hilum.wire.dicom.part10 import FileMeta, read_file_meta
from hilum.wire.dicom.source import BytesSource, Source, source_of
from hilum.wire.dicom.values import NUMBER_FORMATS
from hilum.wire.dicom.walker import Walker

JsonDataSet: TypeAlias = dict[str, dict[str, Any]]
# From the path of an attribute, as in `00281101` or `54000100/1/54001010` (items count from 1), to its URI.
BulkDataUri: TypeAlias = Callable[[str], str]

INLINE_UP_TO = 1024
MOST_TEXT_BYTES = 1 << 20
MOST_ELEMENTS = 500_000
_LARGEST_EXACT_INTEGER = (1 << 53) - 1
_TRAILING_PADDING = 0xFFFCFFFC
_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103

# PS3.5 Table 6.2-1: which spaces are padding, and which VRs hold several values.
_STRIPPED_BOTH = frozenset({"AE", "CS", "LO", "SH"})
_SINGLE_VALUED = frozenset({"LT", "ST", "UT", "UR"})
_CODED_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_WORD_BYTES = MappingProxyType({"OW": 2, "OL": 4, "OF": 4, "OV": 8, "OD": 8})
_TAG_PAIRS = MappingProxyType({False: Struct("<HH"), True: Struct(">HH")})
_NUMBERS = MappingProxyType({
    (vr, big): Struct((">" if big else "<") + NUMBER_FORMATS[vr])
    for vr in ("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD")
    for big in (False, True)
})  # fmt: skip
_NOT_NUMBERS = MappingProxyType({"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"})


def instance_json(
    file: bytes | BinaryIO | Source,
    bulk_data_uri: BulkDataUri,
    meta: FileMeta | None = None,
    *,
    inline_up_to: int = INLINE_UP_TO,
) -> JsonDataSet:
    """Return the metadata of a Part 10 object: group 0002 and group lengths left out, pixels by URI only."""
    source = source_of(file)
    meta = meta or read_file_meta(source)
    data_set, coding = open_data_set(source, meta.data_set_offset, meta.transfer_syntax_uid)
    return _encoded_json(data_set, coding, bulk_data_uri, inline_up_to)


def data_set_json(
    data_set: Dataset, bulk_data_uri: BulkDataUri | None = None, *, inline_up_to: int = INLINE_UP_TO
) -> JsonDataSet:
    """Return a pydicom data set in the JSON model; without `bulk_data_uri` all but the pixels is inline."""
    encoded = BytesIO()
    written = DicomFileLike(encoded)
    written.is_little_endian, written.is_implicit_VR = True, False
    write_dataset(written, data_set)
    inline_up_to = inline_up_to if bulk_data_uri else UNDEFINED_LENGTH
    return _encoded_json(BytesSource(encoded.getvalue()), EXPLICIT, bulk_data_uri, inline_up_to)


def _encoded_json(
    data_set: Source, coding: Coding, bulk_data_uri: BulkDataUri | None, inline_up_to: int
) -> JsonDataSet:
    walker = Walker(
        data_set,
        most_elements=MOST_ELEMENTS,
        most_value_bytes=max(MOST_TEXT_BYTES, inline_up_to),
        most_bulk_bytes=inline_up_to,
    )
    elements, _ = walker.data_set(0, coding, EVERYTHING)
    return _Writer(bulk_data_uri, inline_up_to).data_set(elements, UNDECLARED, "", signed=False)


class _Writer:
    """Writes one instance; holds what does not change on the way down."""

    def __init__(self, bulk_data_uri: BulkDataUri | None, inline_up_to: int) -> None:
        self._bulk_data_uri = bulk_data_uri
        self._inline_up_to = inline_up_to

    def data_set(self, elements: DataSet, outer: CharacterSet, path: str, *, signed: bool) -> JsonDataSet:
        """Write a data set or an item; character set and pixel representation are inherited (PS3.3 C.12.1.1.2)."""
        declared = elements.get(_CHARACTER_SET)
        character_set = outer if declared is None else character_set_of(declared.value)
        representation = elements.get(_PIXEL_REPRESENTATION)
        if representation is not None:
            signed = representation.value.strip(b"\0") != b""
        written: JsonDataSet = {}
        for tag, element in elements.items():
            if tag & 0xFFFF and tag != _TRAILING_PADDING:
                key = f"{tag:08X}"
                vr = definite_vr(element, elements, signed=signed)
                written[key] = self._attribute(element, vr, character_set, path + key, signed=signed)
        return written

    def _attribute(
        self, element: Element, vr: str, character_set: CharacterSet, path: str, *, signed: bool
    ) -> dict[str, Any]:
        attribute: dict[str, Any] = {"vr": vr}
        if vr == "SQ":
            if element.items:
                attribute["Value"] = [
                    self.data_set(item, character_set, f"{path}/{number}/", signed=signed)
                    for number, item in enumerate(element.items, 1)
                ]
        elif element.length == 0:
            pass  # F.2.5: present but empty has no Value
        elif self._goes_by_uri(element, vr):
            if self._bulk_data_uri is not None:
                attribute["BulkDataURI"] = self._bulk_data_uri(path)
        elif vr in BULK_VRS:
            attribute["InlineBinary"] = b64encode(little_endian(element.value, vr, element)).decode("ascii")
        elif values := _values(element, vr, character_set):
            attribute["Value"] = values
        return attribute

    def _goes_by_uri(self, element: Element, vr: str) -> bool:
        if element.length == UNDEFINED_LENGTH or len(element.value) < element.length:
            return True  # fragments, pixels, and what a limit cut
        return vr in BULK_VRS and element.length > self._inline_up_to


def little_endian(value: bytes, vr: str, element: Element) -> bytes:
    """Return bulk bytes in little endian, as the JSON model and bulk data are (PS3.18 F.2.7)."""
    word = _WORD_BYTES.get(vr, 1)
    if word == 1 or not element.big_endian:
        return value
    swapped = bytearray(value)
    whole = len(value) - len(value) % word
    for place in range(word):
        swapped[place:whole:word] = value[word - 1 - place : whole : word]
    return bytes(swapped)


def definite_vr(element: Element, elements: DataSet, *, signed: bool) -> str:
    """Settle what the dictionary leaves open, and find the VR of known private attributes."""
    vr = element.vr
    if len(vr) == 2:
        private = vr == "UN" and element.tag & 0x10000 and element.length != UNDEFINED_LENGTH
        return _private_vr(element.tag, elements) if private else vr
    if vr == "US or SS":
        return "SS" if signed else "US"
    return "OB" if vr == "OB or OW" and element.length == UNDEFINED_LENGTH else "OW"


def _private_vr(tag: int, elements: DataSet) -> str:
    if 0x10 <= tag & 0xFFFF <= 0xFF:
        return "LO"  # PS3.5 7.8.1: a private creator
    creator = elements.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
    if creator is None:
        return "UN"
    try:
        vr = private_dictionary_VR(tag, creator.value.decode("latin-1").strip(" \0"))
    except KeyError:
        return "UN"
    return vr if len(vr) == 2 and vr != "SQ" else "UN"


def _values(element: Element, vr: str, character_set: CharacterSet) -> list[Any]:
    """Return the Value array (Table F.2.3-1)."""
    if vr == "AT":
        pairs = _TAG_PAIRS[element.big_endian]
        whole = len(element.value) - len(element.value) % 4
        return [f"{group:04X}{number:04X}" for group, number in pairs.iter_unpack(element.value[:whole])]
    packed = _NUMBERS.get((vr, element.big_endian))
    if packed is not None:
        whole = len(element.value) - len(element.value) % packed.size
        return [_json_number(number) for (number,) in packed.iter_unpack(element.value[:whole])]
    texts = _texts(element, vr, character_set)
    if vr == "PN":
        return [_person_name(text) for text in texts]
    if vr in {"IS", "DS"}:
        numbers = [_number_of_text(text) for text in texts]
        return numbers if any(number is not None for number in numbers) else []
    return [text or None for text in texts]


def _texts(element: Element, vr: str, character_set: CharacterSet) -> list[str]:
    value = element.value
    text = character_set.decode(value, name=vr == "PN") if vr in _CODED_TEXT else value.decode("latin-1")
    # NUL pads UI, and by mistake everything else; a database takes it for no text at all.
    text = text.replace("\0", "")
    if vr in _SINGLE_VALUED:
        return [text.rstrip(" ")]
    stripped = str.strip if vr in _STRIPPED_BOTH or vr in {"IS", "DS"} else str.rstrip
    texts = [stripped(part, " ") for part in text.split("\\")]
    return texts if any(texts) else []


def _json_number(number: float) -> float | str:
    """JSON has no NaN and no infinity, and readers lose integers beyond 2^53: those go as strings."""
    if isinstance(number, int):
        return number if -_LARGEST_EXACT_INTEGER <= number <= _LARGEST_EXACT_INTEGER else str(number)
    return number if number - number == 0 else _NOT_NUMBERS[str(number)]


def _number_of_text(text: str) -> float | str | None:
    """Read IS or DS; what is no number becomes null: a client that converts would fail on all of the series."""
    if not text:
        return None
    try:
        return _json_number(int(text)) if text.isascii() and len(text) < 20 else float(text)
    except ValueError:
        pass  # not an integer: a decimal, or no number at all
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None


def _person_name(text: str) -> dict[str, str] | None:
    groups = (group.rstrip(" ") for group in text.split("="))
    return {name: group for name, group in zip(_NAME_GROUPS, groups, strict=False) if group} or None


def data_set_of_json(
    json_data_set: dict[str, Any], bulk_data_of: Callable[[str], bytes] | None = None
) -> Dataset:
    """Return the data set that a JSON attribute object describes; bulk data by URI from `bulk_data_of`."""
    _check_shape(json_data_set, depth=0)
    handler = None if bulk_data_of is None else (lambda _tag, _vr, uri: bulk_data_of(uri))
    try:
        data_set = Dataset.from_json(json_data_set, bulk_data_uri_handler=handler)
        data_set.walk(lambda _, __: None)  # sequences are converted on the way
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise Invalid("the DICOM JSON cannot be read", peer_said=str(error)[:200]) from error
    return data_set


def _check_shape(json_data_set: object, depth: int) -> None:
    """Refuse what is no attribute object, before a library meets it; JSON itself has bounded the count."""
    if depth > 64:
        raise Invalid("the DICOM JSON nests sequences deeper than 64")
    if not isinstance(json_data_set, dict):
        raise Invalid("the DICOM JSON holds something else where an object of attributes must be")
    for tag, attribute in json_data_set.items():
        if not isinstance(attribute, dict) or attribute.get("vr") not in ALL_VRS:
            raise Invalid(f"attribute {str(tag)[:16]!r} of the DICOM JSON has no vr of the standard")
        if attribute["vr"] == "SQ":
            for item in attribute.get("Value") or ():
                _check_shape(item, depth + 1)
