"""From PDUs to octets (PS3.8 9.3)."""

from struct import Struct

from hilum.wire.dicom.upper_layer.pdus import (
    PDU,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    PDUType,
    PresentationContext,
    PresentationContextResult,
    ReleaseRequest,
    ReleaseResponse,
)
from hilum.wire.dicom.upper_layer.user_information import (
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentity,
    UserInformation,
)

_PDU_HEADER = Struct(">BxI")
_ITEM_HEADER = Struct(">BxH")
_U16 = Struct(">H")
_U32 = Struct(">I")
_ASSOCIATE = Struct(">Hxx16s16s32x")


def encode_pdu(pdu: PDU) -> bytes:
    """The octets of one PDU."""
    match pdu:
        case AssociateRequest():
            contexts = b"".join(map(_proposed_context, pdu.presentation_contexts))
            return _associate(PDUType.ASSOCIATE_RQ, pdu, contexts)
        case AssociateAccept():
            contexts = b"".join(map(_context_result, pdu.presentation_contexts))
            return _associate(PDUType.ASSOCIATE_AC, pdu, contexts)
        case AssociateReject():
            return _pdu(PDUType.ASSOCIATE_RJ, bytes((0, pdu.result, pdu.source, pdu.reason)))
        case ReleaseRequest():
            return _pdu(PDUType.RELEASE_RQ, bytes(4))
        case ReleaseResponse():
            return _pdu(PDUType.RELEASE_RP, bytes(4))
        case Abort():
            return _pdu(PDUType.ABORT, bytes((0, 0, pdu.source, pdu.reason)))


def _pdu(pdu_type: PDUType, body: bytes) -> bytes:
    """A PDU header and its body (PS3.8 9.3.1)."""
    return _PDU_HEADER.pack(pdu_type, len(body)) + body


def _item(item_type: int, body: bytes) -> bytes:
    """An item header and its body (PS3.8 9.3.1)."""
    return _ITEM_HEADER.pack(item_type, len(body)) + body


def _counted(octets: bytes) -> bytes:
    """A field that starts with its own 16-bit length."""
    return _U16.pack(len(octets)) + octets


def _associate(pdu_type: PDUType, pdu: AssociateRequest | AssociateAccept, contexts: bytes) -> bytes:
    """What A-ASSOCIATE-RQ and -AC share (PS3.8 Tables 9-11 and 9-17)."""
    fixed = _ASSOCIATE.pack(
        pdu.protocol_version, _ae_title(pdu.called_ae_title), _ae_title(pdu.calling_ae_title)
    )
    application_context = _item(0x10, pdu.application_context_name.encode("ascii"))
    user_information = _item(0x50, b"".join(_sub_items(pdu.user_information)))
    return _pdu(pdu_type, fixed + application_context + contexts + user_information)


def _ae_title(title: str) -> bytes:
    """An AE title in its 16 octets (PS3.8 9.3.2)."""
    octets = title.encode("ascii")
    if len(octets) > 16:
        raise ValueError("an AE title has at most 16 characters")
    return octets.ljust(16)


def _proposed_context(context: PresentationContext) -> bytes:
    """Presentation context item of the request (PS3.8 Table 9-13)."""
    abstract = _item(0x30, context.abstract_syntax.encode("ascii"))
    transfers = (_item(0x40, syntax.encode("ascii")) for syntax in context.transfer_syntaxes)
    return _item(0x20, bytes((context.context_id, 0, 0, 0)) + abstract + b"".join(transfers))


def _context_result(context: PresentationContextResult) -> bytes:
    """Presentation context item of the answer (PS3.8 Table 9-18)."""
    transfer = _item(0x40, context.transfer_syntax.encode("ascii"))
    return _item(0x21, bytes((context.context_id, 0, context.result, 0)) + transfer)


def _sub_items(said: UserInformation) -> list[bytes]:
    """The sub-items of the user information item, in order of their type (PS3.7 D.3.3)."""
    window = said.asynchronous_operations_window
    sub_items = [
        _item(0x51, _U32.pack(said.maximum_length)),
        _item(0x52, said.implementation_class_uid.encode("ascii")),
    ]
    if window is not None:
        invoked, performed = (
            window.maximum_number_operations_invoked,
            window.maximum_number_operations_performed,
        )
        sub_items.append(_item(0x53, _U16.pack(invoked) + _U16.pack(performed)))
    sub_items += map(_role_selection, said.role_selections)
    if said.implementation_version_name:
        sub_items.append(_item(0x55, said.implementation_version_name.encode("ascii")))
    sub_items += map(_extended, said.extended_negotiations)
    sub_items += map(_common_extended, said.common_extended_negotiations)
    if said.user_identity is not None:
        sub_items.append(_user_identity(said.user_identity))
    if said.user_identity_response is not None:
        sub_items.append(_item(0x59, _counted(said.user_identity_response.server_response)))
    return sub_items


def _role_selection(selection: RoleSelection) -> bytes:
    """54H (PS3.7 D.3.3.4.1)."""
    roles = bytes((selection.scu_role, selection.scp_role))
    return _item(0x54, _counted(selection.sop_class_uid.encode("ascii")) + roles)


def _extended(negotiation: SOPClassExtendedNegotiation) -> bytes:
    """56H (PS3.7 D.3.3.5.1)."""
    sop_class_uid = _counted(negotiation.sop_class_uid.encode("ascii"))
    return _item(0x56, sop_class_uid + negotiation.service_class_application_information)


def _common_extended(negotiation: SOPClassCommonExtendedNegotiation) -> bytes:
    """57H (PS3.7 D.3.3.6.1); its version octet is 0."""
    related = b"".join(_counted(uid.encode("ascii")) for uid in negotiation.related_general_sop_class_uids)
    sop_class_uid = _counted(negotiation.sop_class_uid.encode("ascii"))
    service_class_uid = _counted(negotiation.service_class_uid.encode("ascii"))
    return _item(0x57, sop_class_uid + service_class_uid + _counted(related))


def _user_identity(identity: UserIdentity) -> bytes:
    """58H (PS3.7 D.3.3.7.1)."""
    kind = bytes((identity.user_identity_type, identity.positive_response_requested))
    return _item(0x58, kind + _counted(identity.primary_field) + _counted(identity.secondary_field))
