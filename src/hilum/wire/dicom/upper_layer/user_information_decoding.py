"""From octets to the user information item (PS3.8 D, PS3.7 D.3.3)."""

from struct import Struct

from hilum.wire.dicom.upper_layer.errors import AbortReason, ProtocolError
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.reader import Reader, legible, uid
from hilum.wire.dicom.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentity,
    UserIdentityResponse,
    UserInformation,
)

NOTHING_SAID = UserInformation(implementation_class_uid="", implementation_version_name="")

_U32 = Struct(">I")
_TWO_U16 = Struct(">HH")
_TWO_OCTETS = Struct(">BB")


def decode_user_information(item: Reader, limits: Limits) -> UserInformation:
    """All sub-items; a type that the standard does not know is skipped (PS3.8 9.3.1)."""
    once: dict[str, object] = {}
    many: dict[str, list[object]] = {}
    for sub_item_type, sub_item in item.items(limits.maximum_items):
        if sub_item_type in _ONCE:
            name, read = _ONCE[sub_item_type]
            if name in once:
                raise ProtocolError("a sub-item stands twice", AbortReason.UNEXPECTED_PDU_PARAMETER)
            once[name] = read(sub_item)
        elif sub_item_type in _MANY:
            name, read = _MANY[sub_item_type]
            many.setdefault(name, []).append(read(sub_item))
    said = once | {name: tuple(values) for name, values in many.items()}
    return UserInformation(**_UNSAID | said)  # type: ignore[arg-type]  # the tables below pair field and reader


def _maximum_length(item: Reader) -> int:
    """51H (PS3.8 D.1.1)."""
    return item.unpack(_U32)[0]


def _uid(item: Reader) -> str:
    """52H (PS3.7 D.3.3.2.1)."""
    return uid(item.rest())


def _version_name(item: Reader) -> str:
    """55H (PS3.7 D.3.3.2.3): 16 characters that nothing depends on, so what is odd in them is left out."""
    return legible(item.rest())[:16].rstrip()


def _window(item: Reader) -> AsynchronousOperationsWindow:
    """53H (PS3.7 D.3.3.3.1)."""
    return AsynchronousOperationsWindow(*item.unpack(_TWO_U16))


def _role_selection(item: Reader) -> RoleSelection:
    """54H (PS3.7 D.3.3.4.1)."""
    sop_class_uid = uid(item.counted())
    scu_role, scp_role = item.unpack(_TWO_OCTETS)
    return RoleSelection(sop_class_uid, scu_role == 1, scp_role == 1)


def _extended(item: Reader) -> SOPClassExtendedNegotiation:
    """56H (PS3.7 D.3.3.5.1)."""
    return SOPClassExtendedNegotiation(uid(item.counted()), bytes(item.rest()))


def _common_extended(item: Reader) -> SOPClassCommonExtendedNegotiation:
    """57H (PS3.7 D.3.3.6.1)."""
    sop_class_uid, service_class_uid = uid(item.counted()), uid(item.counted())
    related = Reader(item.counted())
    return SOPClassCommonExtendedNegotiation(sop_class_uid, service_class_uid, _uids(related))


def _uids(reader: Reader) -> tuple[str, ...]:
    """As many counted UIDs as there are octets for."""
    found = []
    while reader.remaining:
        found.append(uid(reader.counted()))
    return tuple(found)


def _user_identity(item: Reader) -> UserIdentity:
    """58H (PS3.7 D.3.3.7.1)."""
    kind, positive_response_requested = item.unpack(_TWO_OCTETS)
    primary, secondary = bytes(item.counted()), bytes(item.counted())
    return UserIdentity(kind, primary, secondary, positive_response_requested == 1)


def _user_identity_response(item: Reader) -> UserIdentityResponse:
    """59H (PS3.7 D.3.3.7.2)."""
    return UserIdentityResponse(bytes(item.counted()))


# PS3.7 Annex D and PS3.8 Annex D: sub-item type -> field of UserInformation and its reader.
_ONCE = {
    0x51: ("maximum_length", _maximum_length),
    0x52: ("implementation_class_uid", _uid),
    0x53: ("asynchronous_operations_window", _window),
    0x55: ("implementation_version_name", _version_name),
    0x58: ("user_identity", _user_identity),
    0x59: ("user_identity_response", _user_identity_response),
}
_MANY = {
    0x54: ("role_selections", _role_selection),
    0x56: ("extended_negotiations", _extended),
    0x57: ("common_extended_negotiations", _common_extended),
}
_UNSAID = {"implementation_class_uid": "", "implementation_version_name": ""}
