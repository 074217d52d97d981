"""What stores must do for the life of an instance after it was stored."""

from datetime import datetime
from typing import Protocol

from hilum.core.archive.lifecycle import Held, Rejection, RejectionReason, Standing


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

    def release(self, sop_instance_uid: str) -> None:
        """Take one instance out of every rejection that holds."""
