"""The command elements of PS3.7 Table E.1-1, all in group 0000, and how their values are written (PS3.5 6.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from struct import pack, unpack

from hilum.wire.dicom.upper_layer.errors import ProtocolError

_LONGEST = {"UI": 64, "AE": 16, "LO": 64}


def _read_us(octets: bytes) -> int:
    """Unsigned short."""
    if len(octets) != 2:
        raise ProtocolError("a US element of the command set is not 2 octets long")
    return octets[0] | octets[1] << 8


def _read_text(octets: bytes) -> str:
    """Text without its padding; whether a UID is one is for the use-case to judge, with a status and not an abort."""
    return octets.decode("latin-1").strip(" \0")


def _read_at(octets: bytes) -> tuple[int, ...]:
    """Attribute tags, each as one number of group and element."""
    if len(octets) % 4:
        raise ProtocolError("an AT element of the command set is not a multiple of 4 octets long")
    halves = unpack(f"<{len(octets) // 2}H", octets)
    return tuple(group << 16 | element for group, element in zip(halves[::2], halves[1::2], strict=True))


def _write_us(number: int) -> bytes:
    """Unsigned short."""
    return pack("<H", number)


def _write_ui(uid: str) -> bytes:
    """UID, padded with NUL."""
    return _even(uid.encode("latin-1"), b"\0")


def _write_ae(title: str) -> bytes:
    """AE title, padded with a space."""
    octets = title.encode("ascii")
    if len(octets) > _LONGEST["AE"]:
        raise ValueError("an AE title has at most 16 characters")
    return _even(octets, b" ")


def _write_lo(text: str) -> bytes:
    """Long string, cut to its 64 characters of the default repertoire: a comment must never fail the answer."""
    legible = "".join(letter if " " <= letter <= "~" and letter != "\\" else "?" for letter in text)
    return _even(legible[: _LONGEST["LO"]].encode("ascii"), b" ")


def _write_at(tags: tuple[int, ...]) -> bytes:
    """Attribute tags."""
    return b"".join(pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)


def _even(octets: bytes, padding: bytes) -> bytes:
    """Values have an even length (PS3.5 7.1.1)."""
    return octets + padding if len(octets) % 2 else octets


@dataclass(frozen=True, slots=True)
class ValueRepresentation:
    """How the values of one VR are read and written."""

    read: Callable[[bytes], object]
    write: Callable[..., bytes]


US = ValueRepresentation(_read_us, _write_us)
UI = ValueRepresentation(_read_text, _write_ui)
AE = ValueRepresentation(_read_text, _write_ae)
LO = ValueRepresentation(_read_text, _write_lo)
AT = ValueRepresentation(_read_at, _write_at)

# PS3.7 Table E.1-1, by keyword. The group length (0000,0000) is computed, never believed.
ELEMENTS: dict[str, tuple[int, ValueRepresentation]] = {
    "AffectedSOPClassUID": (0x0002, UI),
    "RequestedSOPClassUID": (0x0003, UI),
    "CommandField": (0x0100, US),
    "MessageID": (0x0110, US),
    "MessageIDBeingRespondedTo": (0x0120, US),
    "MoveDestination": (0x0600, AE),
    "Priority": (0x0700, US),
    "CommandDataSetType": (0x0800, US),
    "Status": (0x0900, US),
    "OffendingElement": (0x0901, AT),
    "ErrorComment": (0x0902, LO),
    "ErrorID": (0x0903, US),
    "AffectedSOPInstanceUID": (0x1000, UI),
    "RequestedSOPInstanceUID": (0x1001, UI),
    "EventTypeID": (0x1002, US),
    "AttributeIdentifierList": (0x1005, AT),
    "ActionTypeID": (0x1008, US),
    "NumberOfRemainingSuboperations": (0x1020, US),
    "NumberOfCompletedSuboperations": (0x1021, US),
    "NumberOfFailedSuboperations": (0x1022, US),
    "NumberOfWarningSuboperations": (0x1023, US),
    "MoveOriginatorApplicationEntityTitle": (0x1030, AE),
    "MoveOriginatorMessageID": (0x1031, US),
}
