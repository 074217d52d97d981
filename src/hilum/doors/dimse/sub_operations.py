"""The books of C-MOVE and C-GET: counts, what failed, and what it comes to (PS3.7 9.1.3.1, 9.1.4.1)."""

import re
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

from hilum.core.routing.model import Receipt
from hilum.doors.dimse.failures import comment_of
from hilum.wire.dicom.data_sets import put
from hilum.wire.dicom.dimse.status import STORAGE, Category, Status, look_up

_FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
_MOST_COUNT = 0xFFFF
"""The counts are US."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one C-STORE sub-operation, and what the receiver said."""

    category: Category
    said: str


_STATUS = re.compile(r"[0-9A-F]{4}")


def is_status(code: str) -> bool:
    """Tell whether the code of a receipt is the receiver's own status, not ours for one without association."""
    return _STATUS.fullmatch(code) is not None


def outcome_of(receipt: Receipt) -> Outcome:
    """Return what a receipt means for the counts: the destination's own status where it gave one."""
    if is_status(receipt.code):
        meaning = look_up(int(receipt.code, 16), STORAGE)
        return Outcome(meaning.category, f"{receipt.code} {receipt.text}")
    return Outcome(Category.FAILURE, receipt.text)


@dataclass(slots=True)
class SubOperations:
    """How the C-STORE sub-operations stand."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)
    reason: str = ""
    """What the first failure said, as an Error Comment."""

    def note(self, sop_instance_uid: str, outcome: Outcome) -> None:
        """Count one sub-operation."""
        self.remaining -= 1
        if outcome.category is Category.SUCCESS:
            self.completed += 1
        elif outcome.category is Category.WARNING:
            self.warning += 1
        else:
            self.failed.append(sop_instance_uid)
            self.reason = self.reason or comment_of(outcome.said)

    def counts(self, *, with_remaining: bool) -> dict[str, Any]:
        """Return the fields of a response; a final one counts what remains only when cancelled (PS3.7 9.1.3.1.7)."""
        counts: dict[str, Any] = {
            "NumberOfCompletedSuboperations": min(self.completed, _MOST_COUNT),
            "NumberOfFailedSuboperations": min(len(self.failed), _MOST_COUNT),
            "NumberOfWarningSuboperations": min(self.warning, _MOST_COUNT),
        }
        if with_remaining:
            counts["NumberOfRemainingSuboperations"] = min(self.remaining, _MOST_COUNT)
        return counts

    def failed_list(self) -> Dataset | None:
        """Return the Failed SOP Instance UID List (PS3.4 C.4.2.1.4.2); None where nothing failed."""
        if not self.failed:
            return None
        identifier = Dataset()
        put(identifier, _FAILED_SOP_INSTANCE_UID_LIST, "UI", tuple(self.failed))
        return identifier

    def final_status(self) -> Status:
        """Return the status of the final response (PS3.4 Tables C.4-2, C.4-3)."""
        if not self.failed and not self.warning:
            return Status.SUCCESS
        if self.completed or self.warning:
            return Status.SUB_OPERATIONS_WITH_FAILURES
        return Status.UNABLE_TO_PERFORM_SUB_OPERATIONS
