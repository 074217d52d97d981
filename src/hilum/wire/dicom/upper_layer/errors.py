"""How an association breaks: what the peer did wrong, and what we answer."""

from enum import IntEnum


class AbortSource(IntEnum):
    """Who ends the association (PS3.8 Table 9-26)."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Why the service-provider ends the association (PS3.8 Table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PDU_PARAMETER = 4
    UNEXPECTED_PDU_PARAMETER = 5
    INVALID_PDU_PARAMETER_VALUE = 6


class ProtocolError(Exception):
    """The peer broke PS3.8 or PS3.7: answer A-ABORT with this source and reason, then close.

    The message names the rule, never the peer's bytes, so that it may be logged.
    """

    def __init__(
        self,
        message: str,
        reason: AbortReason = AbortReason.INVALID_PDU_PARAMETER_VALUE,
        source: AbortSource = AbortSource.SERVICE_PROVIDER,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.source = source


class StateError(Exception):
    """We tried to send what the state machine does not allow now: a fault of ours, not the peer's."""
