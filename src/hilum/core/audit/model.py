"""An audit entry, in the terms of PS3.15 A.5 and IHE ATNA."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """EventOutcomeIndicator."""

    SUCCESS = "success"
    REFUSED = "refused"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Actor, action, object and outcome. The object is named by Hilum's own keys or UIDs, never by a person's name."""

    action: str
    outcome: Outcome
    caller: str
    caller_kind: str
    address: str
    entity: str
    trace: str
    detail: str = ""
    occurred: datetime | None = None
    sequence: int = 0
