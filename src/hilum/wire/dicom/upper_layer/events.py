"""What a connection reports: indications and confirmations of PS3.8 as values."""

from dataclasses import dataclass

from hilum.wire.dicom.upper_layer.errors import AbortReason, AbortSource
from hilum.wire.dicom.upper_layer.pdus import AssociateAccept, AssociateReject, AssociateRequest


@dataclass(frozen=True, slots=True)
class AssociateRequested:
    """The peer asks for an association: accept or reject it."""

    request: AssociateRequest


@dataclass(frozen=True, slots=True)
class AssociateAccepted:
    """The peer accepted our request: messages may be sent."""

    accept: AssociateAccept


@dataclass(frozen=True, slots=True)
class AssociateRejected:
    """The peer rejected our request: close the transport."""

    reject: AssociateReject


@dataclass(frozen=True, slots=True)
class DataFragment:
    """One presentation data value (PS3.8 9.3.5.1); its payload is a view of the received bytes, not a copy."""

    context_id: int
    is_command: bool
    is_last: bool
    payload: memoryview


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer asks to end the association: finish sending, then answer."""


@dataclass(frozen=True, slots=True)
class Released:
    """The peer confirmed our release request."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The peer sent A-ABORT: close the transport."""

    source: AbortSource
    reason: AbortReason


@dataclass(frozen=True, slots=True)
class TransportClosed:
    """The peer closed the transport; it was orderly where no association stood open (PS3.8 AA-4, AA-5, AR-5)."""

    is_orderly: bool


Event = (
    AssociateRequested
    | AssociateAccepted
    | AssociateRejected
    | DataFragment
    | ReleaseRequested
    | Released
    | Aborted
    | TransportClosed
)
