"""The Native DICOM Model in XML, to and from the JSON model: the same attributes in other clothes (PS3.19 A.1)."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from pydicom._dicom_dict import DicomDictionary

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.elements import ALL_VRS
from hilum.wire.dicom.json_model import JsonDataSet

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
MOST_OCTETS = 64 << 20
_MOST_ELEMENTS = 200_000
_DEEPEST = 4 * 64
"""Elements within elements: an item of a sequence takes three."""
_WIDEST_GAP = 1000
"""Values left out between two that are numbered."""
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_DECIMALS = frozenset({"FL", "FD"})
_TEXT_NUMBERS = frozenset({"IS", "DS"})
_NUMBERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV"}) | _DECIMALS | _TEXT_NUMBERS
_LONGEST_NUMBER = 24
_BLOCKS = range(0x10, 0x100)
_FORBIDDEN = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535))
"""What XML 1.0 cannot hold, even escaped (XML 1.0 2.2)."""
_LINE_ENDS = MappingProxyType({"\r": "&#13;"})


def data_set_xml(data_set: JsonDataSet) -> bytes:
    """Return one data set as a document."""
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xml:space="preserve" xmlns="{NAMESPACE}">'
    )
    body = "".join(_attributes(data_set))
    return f"{head}{body}</NativeDicomModel>".encode("utf-8", "replace")


def _attributes(data_set: JsonDataSet) -> Iterator[str]:
    for tag in sorted(data_set):
        attribute = data_set[tag]
        named = _named(tag, data_set)
        yield f'<DicomAttribute tag="{tag}" vr="{attribute["vr"]}"{named}>'
        yield from _content(attribute)
        yield "</DicomAttribute>"


def _named(tag: str, data_set: JsonDataSet) -> str:
    number = int(tag, 16)
    if number & 0x10000:
        creator = data_set.get(f"{number & 0xFFFF0000 | number >> 8 & 0xFF:08X}", {}).get("Value", [""])[0]
        return f" privateCreator={quoteattr(_text(creator))}" if creator else ""
    row = DicomDictionary.get(number)
    return f' keyword="{row[4]}"' if row is not None and row[4] else ""


def _content(attribute: Mapping[str, Any]) -> Iterator[str]:
    if "InlineBinary" in attribute:
        yield f"<InlineBinary>{attribute['InlineBinary']}</InlineBinary>"
    elif "BulkDataURI" in attribute:
        yield f"<BulkData uri={quoteattr(_text(attribute['BulkDataURI']))}/>"
    for number, value in enumerate(attribute.get("Value", ()), 1):
        if attribute["vr"] == "SQ":
            yield f'<Item number="{number}">{"".join(_attributes(value or {}))}</Item>'
        elif attribute["vr"] == "PN":
            yield f'<PersonName number="{number}">{"".join(_groups(value or {}))}</PersonName>'
        elif value is not None:
            yield f'<Value number="{number}">{escape(_text(value), _LINE_ENDS)}</Value>'


def _groups(name: Mapping[str, str]) -> Iterator[str]:
    for group in _GROUPS:
        if name.get(group):
            parts = zip(_NAME_PARTS, _text(name[group]).split("^"), strict=False)
            inside = "".join(f"<{part}>{escape(text, _LINE_ENDS)}</{part}>" for part, text in parts if text)
            yield f"<{group}>{inside}</{group}>"


def _text(value: object) -> str:
    return str(value).translate(_FORBIDDEN)


def data_set_of_xml(document: bytes) -> JsonDataSet:
    """Read one document; raises Invalid. Document types and entities are refused, depth and size are bounded."""
    if len(document) > MOST_OCTETS:
        raise Invalid(f"the XML has more than {MOST_OCTETS} octets")
    reader = _Reader()
    try:
        reader.parser.Parse(document, True)  # the signature of expat
    except expat.ExpatError as error:
        raise Invalid("the XML is malformed", peer_said=str(error)[:200]) from error
    if reader.root is None:
        raise Invalid("the XML holds no NativeDicomModel (PS3.19 A.1)")
    return reader.root


class _Reader:
    """Builds the JSON model while expat reads; each open element leaves one entry on the stack."""

    def __init__(self) -> None:
        self.root: JsonDataSet | None = None
        self._stack: list[Any] = []
        self._texts: list[str] = []
        self._left = _MOST_ELEMENTS
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._texts.append

    def _refuse(self, *_: object) -> None:
        raise Invalid("the XML declares a document type or an entity, which no Native DICOM Model needs")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        if len(self._stack) >= _DEEPEST or self._left < 0:
            raise Invalid("the XML nests too deeply, or has too many elements")
        name = name.rpartition(" ")[2]
        begin = _BEGINNINGS.get(name)
        if begin is None:
            raise Invalid(f"<{name[:32]}> is no element of the Native DICOM Model (PS3.19 A.1)")
        self._texts.clear()
        around = self._stack[-1] if self._stack else None
        opened = begin(around, attributes)
        if isinstance(opened, _DataSet) and around is None:
            self.root = opened
        self._stack.append(opened)

    def _end(self, name: str) -> None:
        closed = self._stack.pop()
        around: Any = self._stack[-1] if self._stack else None
        name = name.rpartition(" ")[2]
        if isinstance(closed, _Group):
            parts = "^".join(closed.get(part, "") for part in _NAME_PARTS)
            around[name] = parts.rstrip("^")
        elif name in _ENDINGS:
            _ENDINGS[name](around, "".join(self._texts), name)
        self._texts.clear()


class _DataSet(dict[str, dict[str, Any]]):
    """A data set being read."""


class _Attribute(dict[str, Any]):
    """An attribute being read."""


class _Name(dict[str, str]):
    """A person name being read."""


class _Group(dict[str, str]):
    """A component group of a name being read."""


class _Leaf:
    """An element that holds text, or nothing."""


def _model(around: object, _: Mapping[str, str]) -> _DataSet:
    _demand(around is None)
    return _DataSet()


def _attribute(around: object, attributes: Mapping[str, str]) -> _Attribute:
    _demand(isinstance(around, _DataSet))
    tag, vr = attributes.get("tag", "").upper(), attributes.get("vr", "")
    if len(tag) != 8 or not set(tag) <= set("0123456789ABCDEF") or vr not in ALL_VRS:
        raise Invalid("a DicomAttribute has no tag of eight hexadecimal digits, or no VR of the standard")
    attribute = _Attribute(vr=vr)
    around[_placed(around, tag, attributes.get("privateCreator", ""))] = attribute  # type: ignore[index]  # demanded above
    return attribute


def _placed(data_set: Any, tag: str, creator: str) -> str:  # noqa: ANN401  # a _DataSet, demanded by the caller
    """Return the tag in the block that its private creator reserves here; one without a block gets the next."""
    number = int(tag, 16)
    if not creator or not number & 0x10000:
        return tag
    group, block = number & 0xFFFF0000, number >> 8 & 0xFF
    names = {one: data_set.get(f"{group | one:08X}", {}).get("Value", [None])[0] for one in _BLOCKS}
    free = (one for one in (block, *_BLOCKS) if one in _BLOCKS and names[one] is None)
    place = next((one for one, name in names.items() if name == creator), None) or next(free, None)
    if place is None:
        raise Invalid("the XML reserves more than 240 blocks of private attributes in one group")
    data_set.setdefault(f"{group | place:08X}", {"vr": "LO", "Value": [creator]})
    return f"{group | place << 8 | number & 0xFF:08X}"


def _item(around: object, _: Mapping[str, str]) -> _DataSet:
    attribute = _of(around, "SQ")
    item = _DataSet()
    attribute.setdefault("Value", []).append(item)
    return item


def _person_name(around: object, _: Mapping[str, str]) -> _Name:
    attribute = _of(around, "PN")
    name = _Name()
    attribute.setdefault("Value", []).append(name)
    return name


def _group(around: object, _: Mapping[str, str]) -> _Group:
    _demand(isinstance(around, _Name))
    return _Group()


def _name_part(around: object, _: Mapping[str, str]) -> _Leaf:
    _demand(isinstance(around, _Group))
    return _Leaf()


def _value(around: object, attributes: Mapping[str, str]) -> _Leaf:
    """Begin a value; those that its number says were left out are empty."""
    _demand(isinstance(around, _Attribute))
    values = around.setdefault("Value", [])  # type: ignore[attr-defined]  # demanded above
    number = attributes.get("number", str(len(values) + 1))
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise Invalid("the number of a Value is none")
    gap = int(number) - 1 - len(values)
    if not 0 <= gap <= _WIDEST_GAP:
        raise Invalid("the Values of an attribute are not in order")
    values.extend([None] * gap)
    return _Leaf()


def _bulk_data(around: object, attributes: Mapping[str, str]) -> _Leaf:
    _demand(isinstance(around, _Attribute))
    uuid = attributes.get("uuid", "")
    uri = attributes.get("uri", "") or (f"urn:uuid:{uuid}" if uuid else "")
    _demand(bool(uri))
    around["BulkDataURI"] = uri  # type: ignore[index]  # demanded above
    return _Leaf()


def _inline(around: object, _: Mapping[str, str]) -> _Leaf:
    _demand(isinstance(around, _Attribute))
    return _Leaf()


_BEGINNINGS: Mapping[str, Callable[[object, Mapping[str, str]], object]] = MappingProxyType(
    {
        "NativeDicomModel": _model,
        "DicomAttribute": _attribute,
        "Item": _item,
        "Value": _value,
        "PersonName": _person_name,
        "BulkData": _bulk_data,
        "InlineBinary": _inline,
        **dict.fromkeys(_GROUPS, _group),
        **dict.fromkeys(_NAME_PARTS, _name_part),
    }
)


def _end_value(around: Any, text: str, _: str) -> None:  # noqa: ANN401  # an _Attribute
    around["Value"].append(_typed(around["vr"], text))


def _end_inline(around: Any, text: str, _: str) -> None:  # noqa: ANN401  # an _Attribute
    around["InlineBinary"] = "".join(text.split())


def _end_part(around: Any, text: str, part: str) -> None:  # noqa: ANN401  # a _Group
    around[part] = text


_ENDINGS: Mapping[str, Callable[[Any, str, str], None]] = MappingProxyType(
    {"Value": _end_value, "InlineBinary": _end_inline, **dict.fromkeys(_NAME_PARTS, _end_part)}
)


def _typed(vr: str, text: str) -> str | float | None:
    """Return a value as the JSON model has it (PS3.18 Table F.2.3-1)."""
    if not text:
        return None
    if vr not in _NUMBERS:
        return text
    try:
        return (
            int(text)
            if vr not in _DECIMALS and len(text) < _LONGEST_NUMBER and "." not in text
            else float(text)
        )
    except ValueError as error:
        if vr in _TEXT_NUMBERS:
            return text.strip()
        raise Invalid(f"a Value of VR {vr} is no number") from error


def _of(around: object, vr: str) -> Any:  # noqa: ANN401  # an _Attribute
    _demand(isinstance(around, _Attribute) and around["vr"] == vr)
    return around


def _demand(condition: bool) -> None:
    if not condition:
        raise Invalid("the XML is not nested as the Native DICOM Model is (PS3.19 A.1)")
