"""What stores must do for the archive: bytes under a content address, and the rows that find them."""

from datetime import datetime
from typing import BinaryIO, Protocol

from hilum.core.archive.lifecycle_ports import LifecycleShelf
from hilum.core.archive.model import (
    Blob,
    Chore,
    Commitment,
    Found,
    Header,
    Instance,
    KeptSummary,
    Query,
    Series,
    SeriesContent,
    StoredConflict,
    Study,
)
from hilum.core.archive.receiving import Receiving
from hilum.core.kernel.choices import View
from hilum.core.orders.ports import OrdersTransaction


class Spool(Protocol):
    """Bytes on their way in: written and hashed as they arrive, kept or discarded at the end."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; raises Busy when the disk is full."""

    @property
    def size(self) -> int:
        """Octets written so far."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes already written; short at the end."""

    def seal(self) -> Blob:
        """Say that all bytes are there, and return their address: their SHA-256. The same bytes twice are one blob.

        They can be read there, but are not durable yet. What takes long of making them so is done here; what is short may go on beside what
        follows, until `keep`. Raises Busy.
        """

    def keep(self) -> Blob:
        """Return once the bytes are durable under their address: before the commit of the row that refers to them."""

    def discard(self) -> None:
        """Forget the bytes; harmless after `keep`, and when called twice."""


class ReceivingBudget(Protocol):
    """Puts senders off before memory or disk run out."""

    def spool(self, objects: "Objects", holder: str, most: int) -> Spool:
        """Return a spool whose octets count for a sender that may have `most` under way (0: any); raises Busy."""

    def receiving(self) -> Receiving:
        """Return how things stand."""


class Objects(Protocol):
    """The object store. A digest is 64 hexadecimal digits; anything else is Invalid and never becomes a path."""

    def spool(self) -> Spool:
        """Return a new spool; raises Busy."""

    def open(self, digest: str) -> BinaryIO:
        """Return a seekable reader of a blob; raises NotFound."""

    def contains(self, digest: str) -> bool:
        """Tell whether a blob is kept."""

    def remove(self, digest: str, written_before: datetime | None = None) -> None:
        """Remove a blob that no row refers to; harmless when it is gone, or was written again since that moment."""

    def digests(self, older_than: datetime) -> list[str]:
        """Return the digests of blobs written before a moment, for the sweep."""

    def check(self) -> None:
        """Write, read and remove a probe; raises Busy with the reason."""


class ArchiveShelf(Protocol):
    """Rows of studies, series, instances, conflicts and commitments. All three UIDs are unique, so none can race."""

    def instance(self, sop_instance_uid: str) -> tuple[Instance, Series, Study] | None:
        """Return an instance with its series and study."""

    def study(self, study_instance_uid: str) -> Study | None:
        """Return one study."""

    def series(self, series_instance_uid: str) -> tuple[Series, Study] | None:
        """Return one series with its study."""

    def add_study(self, header: Header, patient_record_key: int, order_key: int | None) -> int:
        """Keep a new study without instances and return its key."""

    def add_series(self, header: Header, study_key: int) -> int:
        """Keep a new series, count it on its study, join its modality there, and return its key."""

    def add_instance(self, header: Header, series_key: int, study_key: int, blob: Blob, source: str) -> None:
        """Keep a new instance, and count it on series and study."""

    def find(self, query: Query) -> list[Found]:
        """Return one page of answers: newest study first, then by number and key, so that pages are stable."""

    def count(self, query: Query) -> int:
        """Return how many answers `find` would give without limit."""

    def select(self, query: Query) -> list[Found]:
        """Return every instance below what matches, with series, study and surviving patient, in series order."""

    def contents(self, study_keys: list[int], view: View) -> dict[int, tuple[SeriesContent, ...]]:
        """Return the series of studies with the instances that a view shows, in order, by the key of the study."""

    def add_conflict(self, conflict: StoredConflict) -> bool:
        """Keep a conflict (key 0); tell whether it is new: the same kind, UID and bytes twice are one."""

    def conflicts(self, limit: int, study_instance_uid: str = "") -> list[StoredConflict]:
        """Return open conflicts, newest first."""

    def put_commitment(self, commitment: Commitment) -> None:
        """Add or replace a commitment by its transaction UID."""

    def commitment(self, transaction_uid: str) -> Commitment | None:
        """Return one commitment."""

    def commitments_requested(self, before: datetime) -> list[str]:
        """Return transaction UIDs of commitments still in state REQUESTED that were asked for before a moment."""

    def stored_classes(self, sop_instance_uids: list[str]) -> dict[str, tuple[str, str]]:
        """Return SOP Class UID and digest of those of the instances that are kept."""

    def referenced(self, digests: list[str]) -> set[str]:
        """Return those of the digests that any row refers to: instance, version, conflict or summary."""

    def totals(self) -> dict[str, int]:
        """Return how many studies, series, instances, octets and open conflicts there are."""


class BackgroundShelf(Protocol):
    """What is made in the background, and what is still to be made."""

    def summary(self, series_instance_uid: str) -> KeptSummary | None:
        """Return where the summary of a series is kept."""

    def put_summary(self, series_instance_uid: str, blob: Blob | None) -> None:
        """Replace the summary of a series, counting its generation; None forgets it."""

    def put_chore(self, chore: Chore) -> None:
        """Add a chore, or make it due at another moment."""

    def due_chore(self, now: datetime) -> Chore | None:
        """Return the chore that has been due for the longest time; nobody else is given it in this transaction."""

    def end_chore(self, chore: Chore) -> None:
        """Remove a chore, unless it was made due at another moment since."""


class ArchiveTransaction(OrdersTransaction, Protocol):
    """A transaction that sees the archive."""

    @property
    def archive(self) -> ArchiveShelf:
        """Studies, series and instances."""

    @property
    def lifecycle(self) -> LifecycleShelf:
        """Rejections, and how instances stand."""

    @property
    def background(self) -> BackgroundShelf:
        """Summaries and chores."""
