"""Data sets of messages: identifiers, event and action information, attribute lists of N-services.

They are small. What comes in stays encoded and is read as text by tag, so that a hostile value costs nothing and
raises nothing; what goes out is a pydicom data set.
"""

import zlib
from io import BytesIO
from itertools import chain

from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import PersonName

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.character_sets import UNDECLARED, UTF_8_TERM, CharacterSet, character_set_of
from hilum.wire.dicom.elements import EVERYTHING, DataSet, Element, open_data_set, tag_text
from hilum.wire.dicom.source import BytesSource
from hilum.wire.dicom.text_encoding import encoded_text, encodes_all
from hilum.wire.dicom.transfer_syntaxes import TransferSyntax, transfer_syntax
from hilum.wire.dicom.values import NUMBER_FORMATS, TEXT_VRS, number_of, text_of, uid_of
from hilum.wire.dicom.walker import Walker

SPECIFIC_CHARACTER_SET = 0x00080005

MOST_BYTES = 32 << 20
"""Of one message's data set; a storage commitment of 100,000 references takes some 16 MB."""
MOST_ELEMENTS = 1_000_000

MISSING_ATTRIBUTE, MISSING_VALUE, INVALID_VALUE = 0x0120, 0x0121, 0x0106
"""PS3.7 C.5.11, C.5.10, C.5.8: the statuses of an attribute that an N-service cannot take."""

Value = str | int | tuple[str, ...] | tuple[Dataset, ...] | None


class AttributeProblem(Invalid):
    """An attribute of an N-service is missing or wrong: the status of the response, and which attribute it is."""

    def __init__(self, status: int, tag: int, keyword: str, why: str) -> None:
        super().__init__(f"{keyword} {tag_text(tag)} {why}", next_step=f"send {keyword} as the standard says")
        self.status = status
        self.tag = tag


def missing(data_set: DataSet, tag: int, keyword: str) -> AttributeProblem:
    """Return the problem of an attribute that is not there, or is there without a value."""
    if tag in data_set:
        return AttributeProblem(MISSING_VALUE, tag, keyword, "has no value")
    return AttributeProblem(MISSING_ATTRIBUTE, tag, keyword, "is missing")


def decoded(encoded: bytes | bytearray | memoryview, transfer_syntax_uid: str) -> DataSet:
    """Return the elements of a message's data set; Invalid where it is damaged, too large or nested too deeply."""
    if len(encoded) > MOST_BYTES:
        raise Invalid(f"the data set has {len(encoded)} bytes, more than the {MOST_BYTES} of a message")
    source, coding = open_data_set(BytesSource(encoded), 0, transfer_syntax_uid)
    walker = Walker(source, most_elements=MOST_ELEMENTS, most_value_bytes=MOST_BYTES)
    return walker.data_set(0, coding, EVERYTHING)[0]


def character_set(data_set: DataSet, outer: CharacterSet = UNDECLARED) -> CharacterSet:
    """Return the character set in force: the data set's own, else that of the data set around it."""
    declared = data_set.get(SPECIFIC_CHARACTER_SET)
    return outer if declared is None else character_set_of(declared.value)


def text_at(data_set: DataSet, tag: int, characters: CharacterSet = UNDECLARED) -> str:
    """Return a value as unpadded text, several values with their backslashes; empty where absent or a sequence."""
    element = data_set.get(tag)
    if element is None or not element.value:
        return ""
    if element.vr == "UI":
        # Not by `text_of`: a list of UIDs may be as long as it likes.
        return element.value.decode("latin-1").strip(" \0")
    if element.vr in NUMBER_FORMATS:
        number = number_of(element)
        return "" if number is None else f"{number:.15g}"
    return text_of(element, characters)


def uid_at(data_set: DataSet, tag: int) -> str:
    """Return one UID; empty where absent or malformed."""
    return uid_of(data_set.get(tag))


def items_at(data_set: DataSet, tag: int) -> tuple[DataSet, ...]:
    """Return the items of a sequence; none where it is absent or no sequence."""
    element: Element | None = data_set.get(tag)
    return (element.items or ()) if element is not None else ()


def put(data_set: Dataset, tag: int, vr: str, value: Value) -> None:
    """Add an element without pydicom's checks: a stored value goes out as it came in, right or wrong."""
    held: object = value
    if vr == "SQ":
        held = Sequence(value or ())  # type: ignore[arg-type]  # the VR says what the value is
    elif vr == "PN":
        names = value if isinstance(value, tuple) else (value or "",)
        held = PersonName(str(names[0])) if len(names) == 1 else [PersonName(str(name)) for name in names]
    elif vr == "IS":
        held = "" if value is None else str(value)
    elif isinstance(value, tuple):
        held = list(value)
    data_set.add(DataElement(tag, vr, held, already_converted=True))


def declare_character_set(data_set: Dataset, texts: list[str], wanted: tuple[str, ...]) -> None:
    """Set (0008,0005): the requester's own where it holds every character, else UTF-8 (PS3.4 C.4.1.1.3.2)."""
    is_writable = any(wanted) and all(term in python_encoding for term in wanted)  # pydicom writes the rest
    terms = wanted if is_writable and encodes_all(texts, wanted) else (UTF_8_TERM,)
    put(data_set, SPECIFIC_CHARACTER_SET, "CS", terms if len(terms) > 1 else terms[0])


def texts_of(data_set: Dataset) -> list[str]:
    """Return every text of a data set that a character set applies to."""
    texts: list[str] = []
    for element in data_set:
        if element.VR == "SQ":
            texts.extend(chain.from_iterable(texts_of(item) for item in element.value))
        elif element.VR in {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}:
            texts.append(str(element.value))
    return texts


def encoded(data_set: Dataset, transfer_syntax_uid: str) -> bytes:
    """Return a data set as the transfer syntax writes it."""
    syntax = transfer_syntax(transfer_syntax_uid)
    written = BytesIO()
    file = DicomFileLike(written)
    file.is_little_endian, file.is_implicit_VR = not syntax.big_endian, syntax.implicit_vr
    write_dataset(file, _with_encoded_texts(data_set, (), syntax))
    return deflated(written.getvalue()) if syntax.deflated else written.getvalue()


def _with_encoded_texts(data_set: Dataset, outer: tuple[str, ...], syntax: TransferSyntax) -> Dataset:
    """Return a data set whose texts beyond ASCII are encoded already, by the character set that it declares."""
    terms = _declared(data_set) or outer
    if not terms or terms == (UTF_8_TERM,):
        return data_set
    ready = Dataset()
    for element in data_set:
        if element.VR == "SQ":
            items = [_with_encoded_texts(item, terms, syntax) for item in element.value]
            ready.add(DataElement(element.tag, "SQ", Sequence(items), already_converted=True))
        elif element.VR in TEXT_VRS and (octets := _octets(element, terms)):
            ready[element.tag] = RawDataElement(
                element.tag, element.VR, len(octets), octets, 0, syntax.implicit_vr, not syntax.big_endian
            )
        else:
            ready.add(element)
    return ready


def _declared(data_set: Dataset) -> tuple[str, ...]:
    value = data_set.get("SpecificCharacterSet") or ()
    return (value,) if isinstance(value, str) else tuple(value)


def _octets(element: DataElement, terms: tuple[str, ...]) -> bytes | None:
    """Return the padded value; None for what pydicom writes alike, and for what the character set does not hold."""
    values = [element.value] if isinstance(element.value, str | PersonName) else element.value or []
    text = "\\".join(map(str, values))
    octets = None if text.isascii() else encoded_text(text, terms, name=element.VR == "PN")
    return octets + b" " * (len(octets) % 2) if octets else None


def deflated(plain: bytes) -> bytes:
    """Return the deflated form, padded to an even length (PS3.5 A.5)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    stream = deflater.compress(plain) + deflater.flush()
    return stream + b"\0" if len(stream) % 2 else stream
