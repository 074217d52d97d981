"""Command sets (PS3.7 6.3.1, E.1): always implicit VR little endian, group 0000 only."""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from struct import Struct
from typing import cast, get_args

from hilum.wire.dicom.dimse.elements import ELEMENTS, ValueRepresentation
from hilum.wire.dicom.dimse.messages import Command
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.inbox import Octets

_ELEMENT_HEADER = Struct("<HHI")
_GROUP_LENGTH = Struct("<HHII")
_COMMAND_FIELD, _COMMAND_DATA_SET_TYPE = 0x0100, 0x0800
_NO_DATA_SET, _DATA_SET = b"\x01\x01", b"\x01\x00"
_REQUIRED = object()


@dataclass(frozen=True, slots=True)
class _Field:
    """One command element of a message: where it stands, how it is read and written, what absence means."""

    keyword: str
    element: int
    vr: ValueRepresentation
    default: object


def _layout(message: type) -> tuple[_Field, ...]:
    """The command elements of a message in the order of their tags, read off its fields."""
    found = [
        _Field(field.name, *ELEMENTS[field.name], _REQUIRED if field.default is MISSING else field.default)
        for field in fields(message)
        if field.name != "has_data_set"
    ]
    return tuple(sorted(found, key=lambda field: field.element))


_LAYOUTS: dict[type, tuple[_Field, ...]] = {message: _layout(message) for message in get_args(Command)}
_MESSAGES = {message.command_field: (message, _LAYOUTS[message]) for message in get_args(Command)}


def decode_command(command_set: Octets) -> Command:
    """The message of a command set; whatever cannot be read is a ProtocolError."""
    values = _elements(bytes(command_set))
    command_field, data_set_type = values.get(_COMMAND_FIELD), values.get(_COMMAND_DATA_SET_TYPE)
    if command_field is None or data_set_type is None or len(command_field) != 2:
        raise ProtocolError("a command set has no command field or data set type")
    known = _MESSAGES.get(command_field[0] | command_field[1] << 8)
    if known is None:
        raise ProtocolError("the command field is none of PS3.7 Table E.1-1")
    message, layout = known
    arguments: dict[str, object] = {"has_data_set": data_set_type != _NO_DATA_SET}
    for field in layout:
        octets = values.get(field.element)
        if octets is not None and (octets or field.default is not _REQUIRED):
            arguments[field.keyword] = field.vr.read(octets) if octets else field.default
        elif field.default is _REQUIRED:
            raise ProtocolError(f"a command set has no {field.keyword}")
    return cast("Command", message(**arguments))


def _elements(octets: bytes) -> dict[int, bytes]:
    """The values of group 0000 by element number; each once."""
    values: dict[int, bytes] = {}
    offset, end = 0, len(octets)
    unpack = _ELEMENT_HEADER.unpack_from
    while offset < end:
        if offset + 8 > end:
            raise ProtocolError("a command element is cut short")
        group, element, length = unpack(octets, offset)
        start = offset + 8
        offset = start + length
        if group or offset > end or element in values:
            raise ProtocolError("a command element is of another group, too long, or there twice")
        values[element] = octets[start:offset]
    return values


def encode_command(command: Command) -> bytes:
    """The command set of a message, with its group length (PS3.7 E.1)."""
    body = b"".join(_encoded(command))
    return _GROUP_LENGTH.pack(0, 0, 4, len(body)) + body


def _encoded(command: Command) -> Iterator[bytes]:
    """The elements in the order of their tags; an absent value is an absent element."""
    own = {_COMMAND_FIELD: command.command_field.to_bytes(2, "little")}
    own[_COMMAND_DATA_SET_TYPE] = _DATA_SET if command.has_data_set else _NO_DATA_SET
    for field in _LAYOUTS[type(command)]:
        value = getattr(command, field.keyword)
        if value is not None:
            own[field.element] = field.vr.write(value)
    for element in sorted(own):
        yield _ELEMENT_HEADER.pack(0, element, len(own[element])) + own[element]
