"""A workitem, who watches it, and what they are told (PS3.4 CC; PS3.3 B.26)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

from hilum.core.archive.model import Match
from hilum.core.kernel.errors import Conflict, Invalid, NotFound

Attributes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""A data set in the DICOM JSON model (PS3.18 F.2): `00741000` -> `{"vr": "CS", "Value": [...]}`."""

UPS_PUSH = "1.2.840.10008.5.1.4.34.6.1"
"""The SOP class of every workitem, by whatever class it is spoken of (PS3.4 CC.3.1)."""
ALL_WORKITEMS = "1.2.840.10008.5.1.4.34.5"
FILTERED_WORKITEMS = "1.2.840.10008.5.1.4.34.5.1"
"""The well-known instances of global and filtered global subscription (PS3.4 CC.2.3.2)."""


class WorkitemState(StrEnum):
    """Procedure Step State (0074,1000), PS3.4 Table CC.1.1-1."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


class Reason(StrEnum):
    """Why an operation on a workitem was not done: the failures of PS3.4 CC.2.1.4 to CC.2.7.4, in its words."""

    MAY_NO_LONGER_BE_UPDATED = "the UPS may no longer be updated"
    NO_TRANSACTION_UID = "the Transaction UID is missing"
    WRONG_TRANSACTION_UID = "the correct Transaction UID was not provided"
    ALREADY_IN_PROGRESS = "the UPS is already IN PROGRESS"
    ONLY_CREATED_SCHEDULED = "the UPS may only become SCHEDULED by creation"
    FINAL_STATE_REQUIREMENTS = "the UPS has not met final state requirements"
    UNKNOWN = "no UPS with this UID is managed here"
    RECEIVER_UNKNOWN = "the Receiving AE title is unknown here"
    NOT_SCHEDULED = "a UPS is created in the state SCHEDULED"
    NOT_IN_PROGRESS = "the UPS is not in the IN PROGRESS state"
    ALREADY_COMPLETED = "the UPS is already COMPLETED"
    PERFORMER_OUT_OF_REACH = "the performer cannot be contacted"
    NOT_APPROPRIATE = "the action is not appropriate for this instance"
    DUPLICATE = "a UPS with this UID exists already"


class WorkitemConflict(Conflict):
    """The state of the workitem does not allow it."""

    def __init__(
        self, reason: Reason, *, detail: str = "", next_step: str = "read the workitem again"
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason, next_step=next_step)
        self.reason = reason


class WorkitemUnknown(NotFound):
    """The workitem, or the subscriber, is not known here."""

    def __init__(self, reason: Reason, next_step: str = "search for the workitem first") -> None:
        super().__init__(reason, next_step=next_step)
        self.reason = reason


class Fault(StrEnum):
    """What is wrong with an attribute (PS3.7 C.5)."""

    MISSING = "is missing"
    EMPTY = "has no value"
    WRONG = "has a value that is not allowed here"
    NOT_ALLOWED = "may not be set"


class AttributeFault(Invalid):
    """An attribute that a workitem cannot be created or changed with."""

    def __init__(self, tag: str, keyword: str, fault: Fault) -> None:
        super().__init__(
            f"{keyword} ({tag[:4]},{tag[4:]}) {fault}",
            next_step="see PS3.4 Table CC.2.5-3 for what is required",
        )
        self.tag = tag
        self.fault = fault


class Remark(StrEnum):
    """What to say although an operation succeeded: the warnings of PS3.4 CC.2."""

    NOTHING = ""
    CREATED_WITH_MODIFICATIONS = "the UPS was created with modifications"
    ALREADY_CANCELED = "the UPS is already in the requested state of CANCELED"
    ALREADY_COMPLETED = "the UPS is already in the requested state of COMPLETED"
    COERCED = "invalid values were coerced to valid ones"


class EventType(IntEnum):
    """Event Type ID of N-EVENT-REPORT (PS3.4 Table CC.2.4-1)."""

    STATE_REPORT = 1
    CANCEL_REQUESTED = 2
    PROGRESS_REPORT = 3
    SCP_STATUS_CHANGE = 4
    ASSIGNED = 5


class Channel(StrEnum):
    """How a subscriber hears."""

    ASSOCIATION = "association"
    """N-EVENT-REPORT on an association that we open to the peer with its AE title."""
    WEB_SOCKET = "web-socket"


@dataclass(frozen=True, slots=True)
class Workitem:
    """One Unified Procedure Step. `attributes` has all of them but the Transaction UID (0008,1195)."""

    sop_instance_uid: str
    state: WorkitemState
    attributes: Attributes
    version: int
    created: datetime
    updated: datetime
    transaction_uid: str = field(default="", repr=False)
    """The Locking UID of whoever performs it: compared, never told (PS3.4 CC.2.7.3)."""


@dataclass(frozen=True, slots=True)
class WorkitemChange:
    """One entry of a workitem's history."""

    sop_instance_uid: str
    state: WorkitemState
    caller: str
    detail: str
    occurred: datetime


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What a request to cancel says (PS3.4 Table CC.2.2-1); `attributes` as in the JSON model."""

    requesting_ae: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Key:
    """One matching key: a match of its own, or keys that one item of a sequence meets together (PS3.4 C.2.2.2)."""

    tag: str
    vr: str
    match: Match | None = None
    items: "tuple[Key, ...]" = ()


@dataclass(frozen=True, slots=True)
class WorkitemQuery:
    """A search for workitems; no keys match everything. In the order of their scheduled start."""

    keys: tuple[Key, ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An AE that is told of workitems, and its Global Subscription State (PS3.4 CC.2.3.1)."""

    ae_title: str
    channel: Channel
    globally: bool = False
    deletion_lock: bool = False
    keys: tuple[Key, ...] = ()
    """The Filtered Global Subscription, where it is one."""


@dataclass(frozen=True, slots=True)
class Report:
    """One event for one subscriber. `number` counts from 1 without gaps, in the order of commits."""

    ae_title: str
    number: int
    sop_instance_uid: str
    event_type: EventType
    information: Attributes
    created: datetime
