"""The state machine of PS3.8 9.2 as its table, without the cells that are the transport's.

The transport connects before a `Connection` exists, so Sta1 is only the end, and Sta4 waits for our request. A cell
that is absent is AA-1 or AA-8 for what is received (the peer's error) and impossible for what is sent (ours). In Sta13
whatever arrives is dropped (AA-6; a further A-ABORT, AA-7, would tell a broken peer nothing new).
"""

from enum import Enum, IntEnum

from hilum.wire.dicom.upper_layer.pdus import PDUType


class Role(Enum):
    """Who opened the association: not who is SCU or SCP of a service."""

    REQUESTOR = "requestor"
    ACCEPTOR = "acceptor"


class State(IntEnum):
    """The states of PS3.8 Tables 9-1 to 9-5, by their numbers there."""

    CLOSED = 1
    AWAITING_ASSOCIATE_REQUEST = 2
    AWAITING_LOCAL_ASSOCIATE_RESPONSE = 3
    READY_TO_REQUEST = 4
    AWAITING_ASSOCIATE_RESPONSE = 5
    ESTABLISHED = 6
    AWAITING_RELEASE_RESPONSE = 7
    AWAITING_LOCAL_RELEASE_RESPONSE = 8
    COLLISION_REQUESTOR_TO_RESPOND = 9
    COLLISION_ACCEPTOR_AWAITING_RESPONSE = 10
    COLLISION_REQUESTOR_AWAITING_RESPONSE = 11
    COLLISION_ACCEPTOR_TO_RESPOND = 12
    AWAITING_CLOSE = 13


class Timer(Enum):
    """Which timer the transport has to run in a state."""

    ARTIM = "ARTIM"  # PS3.8 9.1.5: the peer must ask, or must close, soon
    ACSE = "ACSE"  # the peer owes us the answer to a request or release
    IDLE = "idle"  # the peer may be silent, for as long as we allow
    NONE = "none"  # the next step is ours, or there is none


class Direction(IntEnum):
    """Which way a PDU goes."""

    RECEIVED = 0
    SENT = 1


_R, _S = Direction.RECEIVED, Direction.SENT
_RQ, _AC, _RJ = PDUType.ASSOCIATE_RQ, PDUType.ASSOCIATE_AC, PDUType.ASSOCIATE_RJ
_DATA, _RELEASE_RQ, _RELEASE_RP = PDUType.P_DATA_TF, PDUType.RELEASE_RQ, PDUType.RELEASE_RP
_Cell = tuple[Direction, PDUType, State]
_UNASKED = {State.CLOSED, State.READY_TO_REQUEST}

# PS3.8 Table 9-10: what happens, in which state -> the next state.
_TABLE: dict[_Cell, State] = {
    (_S, _RQ, State.READY_TO_REQUEST): State.AWAITING_ASSOCIATE_RESPONSE,  # AE-2
    (_R, _AC, State.AWAITING_ASSOCIATE_RESPONSE): State.ESTABLISHED,  # AE-3
    (_R, _RJ, State.AWAITING_ASSOCIATE_RESPONSE): State.CLOSED,  # AE-4
    (_R, _RQ, State.AWAITING_ASSOCIATE_REQUEST): State.AWAITING_LOCAL_ASSOCIATE_RESPONSE,  # AE-6
    (_S, _AC, State.AWAITING_LOCAL_ASSOCIATE_RESPONSE): State.ESTABLISHED,  # AE-7
    (_S, _RJ, State.AWAITING_LOCAL_ASSOCIATE_RESPONSE): State.AWAITING_CLOSE,  # AE-8
    (_S, _DATA, State.ESTABLISHED): State.ESTABLISHED,  # DT-1
    (_R, _DATA, State.ESTABLISHED): State.ESTABLISHED,  # DT-2
    (_S, _RELEASE_RQ, State.ESTABLISHED): State.AWAITING_RELEASE_RESPONSE,  # AR-1
    (_R, _RELEASE_RQ, State.ESTABLISHED): State.AWAITING_LOCAL_RELEASE_RESPONSE,  # AR-2
    (_R, _RELEASE_RP, State.AWAITING_RELEASE_RESPONSE): State.CLOSED,  # AR-3
    (_S, _RELEASE_RP, State.AWAITING_LOCAL_RELEASE_RESPONSE): State.AWAITING_CLOSE,  # AR-4
    (_R, _DATA, State.AWAITING_RELEASE_RESPONSE): State.AWAITING_RELEASE_RESPONSE,  # AR-6
    (_S, _DATA, State.AWAITING_LOCAL_RELEASE_RESPONSE): State.AWAITING_LOCAL_RELEASE_RESPONSE,  # AR-7
    (
        _S,
        _RELEASE_RP,
        State.COLLISION_REQUESTOR_TO_RESPOND,
    ): State.COLLISION_REQUESTOR_AWAITING_RESPONSE,  # AR-9
    (
        _R,
        _RELEASE_RP,
        State.COLLISION_ACCEPTOR_AWAITING_RESPONSE,
    ): State.COLLISION_ACCEPTOR_TO_RESPOND,  # AR-10
    (_R, _RELEASE_RP, State.COLLISION_REQUESTOR_AWAITING_RESPONSE): State.CLOSED,  # AR-3
    (_S, _RELEASE_RP, State.COLLISION_ACCEPTOR_TO_RESPOND): State.AWAITING_CLOSE,  # AR-4
    **{(_R, PDUType.ABORT, state): State.CLOSED for state in State if state not in _UNASKED},  # AA-2, AA-3
    **{
        (_S, PDUType.ABORT, state): State.AWAITING_CLOSE for state in State if state != State.CLOSED
    },  # AA-1, AA-8
}
# The one cell that depends on who opened the association: both sides ask for release at once (AR-8).
_COLLISION: _Cell = (_R, _RELEASE_RQ, State.AWAITING_RELEASE_RESPONSE)
TRANSITIONS: dict[Role, dict[_Cell, State]] = {
    Role.REQUESTOR: _TABLE | {_COLLISION: State.COLLISION_REQUESTOR_TO_RESPOND},
    Role.ACCEPTOR: _TABLE | {_COLLISION: State.COLLISION_ACCEPTOR_AWAITING_RESPONSE},
}

TIMERS: dict[State, Timer] = {
    State.CLOSED: Timer.NONE,
    State.AWAITING_ASSOCIATE_REQUEST: Timer.ARTIM,
    State.AWAITING_LOCAL_ASSOCIATE_RESPONSE: Timer.NONE,
    State.READY_TO_REQUEST: Timer.NONE,
    State.AWAITING_ASSOCIATE_RESPONSE: Timer.ACSE,
    State.ESTABLISHED: Timer.IDLE,
    State.AWAITING_RELEASE_RESPONSE: Timer.ACSE,
    State.AWAITING_LOCAL_RELEASE_RESPONSE: Timer.NONE,
    State.COLLISION_REQUESTOR_TO_RESPOND: Timer.NONE,
    State.COLLISION_ACCEPTOR_AWAITING_RESPONSE: Timer.ACSE,
    State.COLLISION_REQUESTOR_AWAITING_RESPONSE: Timer.ACSE,
    State.COLLISION_ACCEPTOR_TO_RESPOND: Timer.NONE,
    State.AWAITING_CLOSE: Timer.ARTIM,
}
