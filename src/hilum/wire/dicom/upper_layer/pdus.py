"""The protocol data units that open and close an association, as values (PS3.8 9.3)."""

from dataclasses import dataclass
from enum import IntEnum

from hilum.wire.dicom.upper_layer.errors import AbortReason, AbortSource
from hilum.wire.dicom.upper_layer.user_information import OURS, UserInformation

APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"


class PDUType(IntEnum):
    """The first octet of every PDU (PS3.8 9.3.1)."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


@dataclass(frozen=True, slots=True)
class PresentationContext:
    """One proposed presentation context: an abstract syntax in one of some encodings (PS3.8 9.3.2.2)."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


class ContextResult(IntEnum):
    """What became of a proposed presentation context (PS3.8 Table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class PresentationContextResult:
    """The answer to one proposed context; its transfer syntax means nothing unless accepted (PS3.8 9.3.3.2)."""

    context_id: int
    result: ContextResult
    transfer_syntax: str = ""


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2)."""

    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[PresentationContext, ...]
    user_information: UserInformation = OURS
    application_context_name: str = APPLICATION_CONTEXT_NAME
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """A-ASSOCIATE-AC (PS3.8 9.3.3); the AE titles repeat the request and are not to be tested."""

    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[PresentationContextResult, ...]
    user_information: UserInformation = OURS
    application_context_name: str = APPLICATION_CONTEXT_NAME
    protocol_version: int = 1


class RejectResult(IntEnum):
    """Whether trying again can help (PS3.8 Table 9-21)."""

    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2


class RejectSource(IntEnum):
    """Who rejected the association (PS3.8 Table 9-21)."""

    SERVICE_USER = 1
    SERVICE_PROVIDER_ACSE = 2
    SERVICE_PROVIDER_PRESENTATION = 3


# PS3.8 Table 9-21: (source, reason) -> meaning.
REJECT_REASONS = {
    (RejectSource.SERVICE_USER, 1): "no reason given",
    (RejectSource.SERVICE_USER, 2): "application context name not supported",
    (RejectSource.SERVICE_USER, 3): "calling AE title not recognized",
    (RejectSource.SERVICE_USER, 7): "called AE title not recognized",
    (RejectSource.SERVICE_PROVIDER_ACSE, 1): "no reason given",
    (RejectSource.SERVICE_PROVIDER_ACSE, 2): "protocol version not supported",
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, 1): "temporary congestion",
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, 2): "local limit exceeded",
}


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    result: RejectResult
    source: RejectSource
    reason: int

    @property
    def meaning(self) -> str:
        """The reason in words (PS3.8 Table 9-21)."""
        return REJECT_REASONS.get((self.source, self.reason), f"reason {self.reason}")


_PERMANENT, _TRANSIENT = RejectResult.REJECTED_PERMANENT, RejectResult.REJECTED_TRANSIENT
REJECT_NO_REASON = AssociateReject(_PERMANENT, RejectSource.SERVICE_USER, 1)
REJECT_FOR_NOW = AssociateReject(_TRANSIENT, RejectSource.SERVICE_USER, 1)
REJECT_APPLICATION_CONTEXT = AssociateReject(_PERMANENT, RejectSource.SERVICE_USER, 2)
REJECT_CALLING_AE_TITLE = AssociateReject(_PERMANENT, RejectSource.SERVICE_USER, 3)
REJECT_CALLED_AE_TITLE = AssociateReject(_PERMANENT, RejectSource.SERVICE_USER, 7)
REJECT_PROTOCOL_VERSION = AssociateReject(_PERMANENT, RejectSource.SERVICE_PROVIDER_ACSE, 2)
REJECT_CONGESTION = AssociateReject(_TRANSIENT, RejectSource.SERVICE_PROVIDER_PRESENTATION, 1)
REJECT_LOCAL_LIMIT = AssociateReject(_TRANSIENT, RejectSource.SERVICE_PROVIDER_PRESENTATION, 2)


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A-RELEASE-RQ (PS3.8 9.3.6)."""


@dataclass(frozen=True, slots=True)
class ReleaseResponse:
    """A-RELEASE-RP (PS3.8 9.3.7)."""


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 9.3.8)."""

    source: AbortSource = AbortSource.SERVICE_USER
    reason: AbortReason = AbortReason.NOT_SPECIFIED


PDU = AssociateRequest | AssociateAccept | AssociateReject | ReleaseRequest | ReleaseResponse | Abort
