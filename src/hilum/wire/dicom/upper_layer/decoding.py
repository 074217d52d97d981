"""From octets to PDUs (PS3.8 9.3): anything that cannot be read is a ProtocolError."""

from enum import IntEnum
from struct import Struct
from typing import TypeVar

from hilum.wire.dicom.upper_layer.errors import AbortReason, AbortSource, ProtocolError
from hilum.wire.dicom.upper_layer.events import DataFragment
from hilum.wire.dicom.upper_layer.limits import DEFAULT_LIMITS, Limits
from hilum.wire.dicom.upper_layer.pdus import (
    PDU,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ContextResult,
    PDUType,
    PresentationContext,
    PresentationContextResult,
    RejectResult,
    RejectSource,
    ReleaseRequest,
    ReleaseResponse,
)
from hilum.wire.dicom.upper_layer.reader import Reader, legible, printable, uid
from hilum.wire.dicom.upper_layer.user_information import UserInformation
from hilum.wire.dicom.upper_layer.user_information_decoding import NOTHING_SAID, decode_user_information

_CONTEXT_REQUEST = Struct(">Bxxx")
_CONTEXT_RESULT = Struct(">BxBx")
_FOUR = Struct(">xBBB")
_PDV = Struct(">IBB")
_Member = TypeVar("_Member", bound=IntEnum)


def decode_pdu(pdu_type: int, body: memoryview, limits: Limits = DEFAULT_LIMITS) -> PDU:
    """The PDU of this type with this body; P-DATA-TF is read by `decode_fragments`."""
    match pdu_type:
        case PDUType.ASSOCIATE_RQ:
            return _associate_request(body, limits)
        case PDUType.ASSOCIATE_AC:
            return _associate_accept(body, limits)
        case PDUType.ASSOCIATE_RJ:
            return _associate_reject(body)
        case PDUType.RELEASE_RQ:
            return ReleaseRequest()
        case PDUType.RELEASE_RP:
            return ReleaseResponse()
        case PDUType.ABORT:
            return _abort(body)
    raise ProtocolError("the PDU type is unknown", AbortReason.UNRECOGNIZED_PDU)


def decode_fragments(body: memoryview, limits: Limits = DEFAULT_LIMITS) -> list[DataFragment]:
    """The presentation data values of one P-DATA-TF, as views of its body (PS3.8 9.3.5)."""
    fragments: list[DataFragment] = []
    offset, end = 0, len(body)
    while offset < end:
        if offset + 6 > end or len(fragments) == limits.maximum_fragments_per_pdu:
            raise ProtocolError("a P-DATA-TF holds a broken value or too many of them")
        length, context_id, control = _PDV.unpack_from(body, offset)
        start, offset = offset + 6, offset + 4 + length
        if length < 2 or offset > end:
            raise ProtocolError("a presentation data value does not fit its P-DATA-TF")
        fragments.append(DataFragment(context_id, bool(control & 1), bool(control & 2), body[start:offset]))
    if not fragments:
        raise ProtocolError("a P-DATA-TF holds no presentation data value")
    return fragments


class _Associate:
    """The fields that A-ASSOCIATE-RQ and -AC share, in the order of the standard."""

    def __init__(self, body: memoryview, limits: Limits) -> None:
        reader = Reader(body)
        self.protocol_version = int.from_bytes(reader.take(2), "big")
        reader.take(2)
        self.called_ae_title = reader.take(16)
        self.calling_ae_title = reader.take(16)
        reader.take(32)
        self.application_context_name = ""
        self.contexts: list[tuple[int, Reader]] = []
        self.user_information: UserInformation = NOTHING_SAID
        for item_type, item in reader.items(limits.maximum_presentation_contexts + 16):
            self._take(item_type, item, limits)

    def _take(self, item_type: int, item: Reader, limits: Limits) -> None:
        """Keep one item; a type that the standard does not know is skipped (PS3.8 9.3.1)."""
        if item_type == 0x10:
            self.application_context_name = uid(item.rest())
        elif item_type in {0x20, 0x21}:
            self.contexts.append((item_type, item))
        elif item_type == 0x50:
            self.user_information = decode_user_information(item, limits)

    def contexts_of_type(self, item_type: int) -> list[Reader]:
        """The context items; one of the other PDU's kind does not belong here."""
        if any(found != item_type for found, _ in self.contexts):
            raise ProtocolError("a context item of another PDU", AbortReason.UNEXPECTED_PDU_PARAMETER)
        return [item for _, item in self.contexts]


def _associate_request(body: memoryview, limits: Limits) -> AssociateRequest:
    """A-ASSOCIATE-RQ (PS3.8 Table 9-11)."""
    shared = _Associate(body, limits)
    contexts = tuple(_proposed_context(item, limits) for item in shared.contexts_of_type(0x20))
    _check_context_ids([context.context_id for context in contexts], limits)
    return AssociateRequest(
        printable(shared.called_ae_title),
        printable(shared.calling_ae_title),
        contexts,
        shared.user_information,
        shared.application_context_name,
        shared.protocol_version,
    )


def _associate_accept(body: memoryview, limits: Limits) -> AssociateAccept:
    """A-ASSOCIATE-AC (PS3.8 Table 9-17); its AE titles shall not be tested."""
    shared = _Associate(body, limits)
    contexts = tuple(_context_result(item, limits) for item in shared.contexts_of_type(0x21))
    _check_context_ids([context.context_id for context in contexts], limits)
    return AssociateAccept(
        legible(shared.called_ae_title),
        legible(shared.calling_ae_title),
        contexts,
        shared.user_information,
        shared.application_context_name,
        shared.protocol_version,
    )


def _check_context_ids(context_ids: list[int], limits: Limits) -> None:
    """Context identifiers are odd and each is used once (PS3.8 9.3.2.2)."""
    if len(context_ids) > limits.maximum_presentation_contexts:
        raise ProtocolError("too many presentation contexts", AbortReason.UNEXPECTED_PDU_PARAMETER)
    if len(set(context_ids)) != len(context_ids) or not all(context_id % 2 for context_id in context_ids):
        raise ProtocolError("a presentation context identifier is even or used twice")


def _proposed_context(item: Reader, limits: Limits) -> PresentationContext:
    """Presentation context item of the request (PS3.8 Table 9-13)."""
    (context_id,) = item.unpack(_CONTEXT_REQUEST)
    syntaxes = [(kind, uid(name.rest())) for kind, name in item.items(limits.maximum_items)]
    abstract = [name for kind, name in syntaxes if kind == 0x30]
    if len(abstract) != 1:
        raise ProtocolError("a presentation context has not exactly one abstract syntax")
    return PresentationContext(
        context_id, abstract[0], tuple(name for kind, name in syntaxes if kind == 0x40)
    )


def _context_result(item: Reader, limits: Limits) -> PresentationContextResult:
    """Presentation context item of the answer (PS3.8 Table 9-18)."""
    context_id, result = item.unpack(_CONTEXT_RESULT)
    member = _member(ContextResult, result)
    if member is not ContextResult.ACCEPTANCE:  # What follows is not significant, so it is not read.
        return PresentationContextResult(context_id, member)
    syntaxes = [uid(name.rest()) for kind, name in item.items(limits.maximum_items) if kind == 0x40]
    if len(syntaxes) != 1:
        raise ProtocolError("an accepted context has not exactly one transfer syntax")
    return PresentationContextResult(context_id, member, syntaxes[0])


def _associate_reject(body: memoryview) -> AssociateReject:
    """A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""
    result, source, reason = Reader(body).unpack(_FOUR)
    return AssociateReject(_member(RejectResult, result), _member(RejectSource, source), reason)


def _abort(body: memoryview) -> Abort:
    """A-ABORT (PS3.8 Table 9-26); a peer that aborts wrongly has still aborted."""
    _, source, reason = Reader(body).unpack(_FOUR)
    sources, reasons = set(AbortSource), set(AbortReason)
    return Abort(
        AbortSource(source) if source in sources else AbortSource.SERVICE_PROVIDER,
        AbortReason(reason) if reason in reasons else AbortReason.NOT_SPECIFIED,
    )


def _member(kind: type[_Member], number: int) -> _Member:
    """The enumeration member of a number, which the peer may have invented."""
    try:
        return kind(number)
    except ValueError as error:
        raise ProtocolError("a value is none that the standard enumerates") from error
