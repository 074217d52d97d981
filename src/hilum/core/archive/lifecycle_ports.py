"""What stores must do for the life of an instance after it was stored."""

from datetime import datetime
from typing import Protocol

from hilum.core.archive.lifecycle import (
    Before,
    Held,
    Rejection,
    RejectionReason,
    Standing,
    Tombstone,
    Version,
)
from hilum.core.archive.model import Blob, Header, StoredConflict


class LifecycleShelf(Protocol):
    """Rejections and how instances stand. Counts of series and studies follow: they count what is in use."""

    def held(self, sop_instance_uids: list[str]) -> list[Held]:
        """Return those of the instances that are kept."""

    def below(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> list[Held]:
        """Return all instances of a study, of one series or one instance where those are not empty."""

    def put_standing(self, sop_instance_uids: list[str], standing: Standing) -> None:
        """Let instances stand so, and count anew what is above them."""

    def show_series(self, series_key: int, study_key: int, modality: str) -> None:
        """Count a series again on its study: all of it was out of sight, and something new comes in."""

    def recount(self, study_instance_uid: str) -> None:
        """Count anew what is below a study."""

    def add_rejection(self, rejection: Rejection, sop_instance_uids: list[str]) -> int:
        """Keep a rejection (key 0) with its instances and return its key."""

    def rejection(self, key: int) -> Rejection | None:
        """Return one rejection."""

    def rejections(self, limit: int, study_instance_uid: str = "") -> list[Rejection]:
        """Return rejections that hold, newest first."""

    def rejected(self, key: int) -> list[str]:
        """Return the SOP Instance UIDs of a rejection."""

    def reasons(self, sop_instance_uids: list[str]) -> dict[str, frozenset[RejectionReason]]:
        """Return for what reasons instances are rejected by what holds."""

    def restore(self, key: int, at: datetime, by: str, detail: str) -> None:
        """Let a rejection hold no more."""

    def due(self, now: datetime) -> Rejection | None:
        """Return a rejection whose instances are to be deleted now, locked for this transaction."""

    def bury(self, rejection: Rejection, sop_instance_uids: list[str], now: datetime) -> None:
        """Delete instances with the series and studies that are empty then; leave tombstones, note the deletion."""

    def tombstones(self, limit: int, study_instance_uid: str = "") -> list[Tombstone]:
        """Return what was deleted, newest first."""

    def replace_instance(self, header: Header, blob: Blob, source: str, expires: datetime) -> None:
        """Put other bytes in use for an instance, and keep those before them as a version."""

    def versions(self, sop_instance_uid: str) -> list[Version]:
        """Return the earlier versions of an instance, newest first."""

    def drop_versions(self, now: datetime) -> int:
        """Forget versions that expired; returns how many."""

    def conflict(self, key: int) -> StoredConflict | None:
        """Return one conflict, open or resolved."""

    def resolved_conflicts(self, limit: int) -> list[StoredConflict]:
        """Return resolved conflicts, the latest first."""

    def resolve(self, conflict: StoredConflict, before: Before | None) -> None:
        """Keep how a conflict stands: resolved, with what that changed, or open again."""

    def before(self, key: int) -> Before | None:
        """Return what the resolution of a conflict changed."""

    def drop_conflicts(self, before: datetime) -> int:
        """Forget conflicts over bytes that were resolved before a moment; returns how many."""

    def reassign(self, study_key: int, patient_record_key: int, *, reassigned: bool) -> None:
        """Let a study belong to another patient record."""

    def digests(self, after: str, limit: int) -> list[str]:
        """Return the digests of instances beyond one, in their order."""

    def release(self, sop_instance_uid: str) -> None:
        """Take one instance out of every rejection that holds."""
