"""The life of an instance after it was stored: how it stands, who sees it, rejections."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hilum.core.kernel.choices import View
from hilum.core.kernel.errors import Busy


class RejectionReason(StrEnum):
    """Why instances were rejected: the document titles of rejection notes (IHE RAD-66; PS3.16 CID 7011)."""

    QUALITY = "quality"
    SAFETY = "patient-safety"
    WORKLIST = "worklist-entry"
    RETENTION = "retention"


REASON_OF_CODE: Mapping[str, RejectionReason] = {
    "113001": RejectionReason.QUALITY,
    "113037": RejectionReason.SAFETY,
    "113038": RejectionReason.WORKLIST,
    "113039": RejectionReason.RETENTION,
}
"""Code values of scheme DCM."""

STRENGTH = (
    RejectionReason.QUALITY,
    RejectionReason.RETENTION,
    RejectionReason.WORKLIST,
    RejectionReason.SAFETY,
)
"""Where several rejections hold for one instance, the last of these decides who sees it."""

NEVER_AGAIN = frozenset({RejectionReason.SAFETY, RejectionReason.WORKLIST})
"""Instances rejected so are not accepted again (IHE RAD 4.66.4.2.3.1, 4.66.4.3.3)."""


class Standing(StrEnum):
    """How an instance stands: in use, rejected for a reason, or itself a rejection note."""

    CURRENT = ""
    QUALITY = "quality"
    SAFETY = "patient-safety"
    WORKLIST = "worklist-entry"
    RETENTION = "retention"
    NOTE = "note"
    QUALITY_NOTE = "quality-note"


NOTES = frozenset({Standing.NOTE, Standing.QUALITY_NOTE})

VISIBLE: Mapping[View, frozenset[Standing]] = {
    View.REGULAR: frozenset({Standing.CURRENT}),
    View.QUALITY: frozenset({Standing.CURRENT, Standing.QUALITY, Standing.QUALITY_NOTE}),
    View.EVERYTHING: frozenset(Standing),
}
"""What each view shows, at every door."""


@dataclass(frozen=True, slots=True)
class RejectedReference:
    """One instance that a rejection note refers to."""

    study_instance_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """What a Key Object Selection with the title of a rejection says."""

    reason: RejectionReason
    references: tuple[RejectedReference, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Where a kept instance belongs, and how it stands."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Rejection:
    """Instances of one study that were rejected together."""

    key: int
    study_instance_uid: str
    note_uid: str
    """SOP Instance UID of the rejection note; empty where a person or program rejected without one."""
    reason: RejectionReason
    detail: str
    caller: str
    created: datetime
    expires: datetime | None = None
    """When the sweep deletes the instances for good; None: never."""
    restored: datetime | None = None
    restored_by: str = ""
    restore_detail: str = ""
    deleted: datetime | None = None
    """When the sweep deleted what was still rejected."""
    number_of_instances: int = 0


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of an instance that was deleted: that it was here, and who had it deleted, when and why."""

    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    sop_class_uid: str
    digest: str
    reason: RejectionReason
    detail: str
    caller: str
    ordered: datetime
    deleted: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """Bytes that were in use before others replaced them, kept until `expires`."""

    key: int
    sop_instance_uid: str
    digest: str
    size: int
    transfer_syntax_uid: str
    source: str
    stored: datetime
    replaced_by: str
    expires: datetime


class Resolution(StrEnum):
    """What a person decided about a conflict."""

    KEEP = "keep"
    """What is in use stays in use; the other bytes are let go after the grace period."""
    TAKE = "take"
    """The other bytes are in use now; those before them stay as a version for the grace period."""
    ACCEPT = "accept"
    """The contradiction was looked at and is right as it stands."""
    MOVE = "move"
    """The study belongs to another patient, and shows under that one now."""


_OF_BYTES = (Resolution.KEEP, Resolution.TAKE)
_OF_PERSONS = (Resolution.ACCEPT, Resolution.MOVE)

RESOLUTIONS: Mapping[str, tuple[Resolution, ...]] = {
    "same-uid": _OF_BYTES,
    "quarantined": _OF_BYTES,
    "patient-contradiction": _OF_PERSONS,
    "order-of-another-patient": _OF_PERSONS,
    "patient-of-study": _OF_PERSONS,
}
"""How each kind of conflict can be resolved.

Keeping both under a new SOP Instance UID is not among them: the object would be another one than was received, and
whoever refers to the UID (KOS, SR, PR, SEG) would mean one of two without saying which.
"""


@dataclass(frozen=True, slots=True)
class Before:
    """What a resolution changed: enough to take it back."""

    digest: str = ""
    size: int = 0
    patient_record_key: int = 0
    moved_to: int = 0
    reassigned: bool = False


def strongest(reasons: frozenset[RejectionReason]) -> Standing:
    """Return how an instance stands for which these rejections hold."""
    holding = [reason for reason in STRENGTH if reason in reasons]
    return Standing(holding[-1]) if holding else Standing.CURRENT


def standing_of_note(reason: RejectionReason) -> Standing:
    """Return how the rejection note itself stands: that of a quality rejection shows beside what it rejects."""
    return Standing.QUALITY_NOTE if reason is RejectionReason.QUALITY else Standing.NOTE


def reason_of(standing: Standing) -> RejectionReason | None:
    """Return for what reason an instance is rejected; None where it is not."""
    rejected = standing is not Standing.CURRENT and standing not in NOTES
    return RejectionReason(standing.value) if rejected else None


class Damaged(Busy):
    """Stored bytes are not what was stored: they are handed to nobody."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            "the stored object is damaged: its bytes are not those that were received",
            next_step="bring it back from a backup, or send it again; `hilum archive verify` finds all",
        )
        self.digest = digest
