"""Rules, deliveries, attempts, receipts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO

from hilum.core.archive.model import Commitment, ReferencedInstance, Retrieved
from hilum.core.orders.model import Order, PerformedMessage
from hilum.core.reports.model import FiledReport
from hilum.core.workitems.model import Report


class ParcelKind(StrEnum):
    """What is sent."""

    INSTANCE = "instance"
    """`reference` is a SOP Instance UID."""
    REPORT = "report"
    """`reference` is `public_id/version` of a report."""
    PROCEDURE_STEP = "procedure-step"
    """`reference` is the key of an MPPS message as it came."""
    AVAILABILITY = "availability"
    """`reference` is `study_instance_uid/instances`: how many there were when it was announced."""
    COMMITMENT_REQUEST = "commitment-request"
    """`reference` is the transaction UID of a storage commitment that we ask for."""
    COMMITMENT = "commitment"
    """`reference` is the transaction UID of a storage commitment report."""
    WORKITEM_REPORT = "workitem-report"
    """`reference` is `number/ae_title` of an event of the Unified Procedure Step service."""


class DeliveryState(StrEnum):
    """Where a delivery stands; the word is always the receiver's."""

    WAITING = "waiting"
    """Not yet sent, or to be sent again at `next_attempt`."""
    SENT = "sent"
    """The receiver accepted it."""
    STORED = "stored"
    """The receiver took it; its storage commitment is asked for next."""
    ASKED = "asked"
    """Its storage commitment was asked for, and not reported yet."""
    COMMITTED = "committed"
    """The receiver reported that it keeps it (PS3.4 J)."""
    UNCERTAIN = "uncertain"
    """The answer did not come: the receiver may have it. It is sent again, under the same name."""
    DEAD = "dead"
    """Given up: the receiver rejected it for good, or the attempts ran out. Waits for a replay."""


class Verdict(StrEnum):
    """What a receipt means for the queue."""

    ACCEPTED = "accepted"
    STORED = "stored"
    """Accepted, and to be committed to."""
    RETRY = "retry"
    """A failure that may pass: the head of the queue waits, order is kept."""
    UNCERTAIN = "uncertain"
    REJECTED = "rejected"
    """A failure that will not pass."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One routing rule. Empty conditions match everything; all given ones must match.

    `tags` maps a DICOM keyword to a pattern with * and ?; they are read from the stored header.
    """

    name: str
    event: str
    """`instance-stored`, `study-available`, `report-filed` or `procedure-step-reported`."""
    to: tuple[str, ...]
    """Names of peers."""
    source: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One parcel to one destination. `key` is its place in the destination's queue."""

    key: int
    destination: str
    kind: ParcelKind
    reference: str
    state: DeliveryState
    attempts: int
    next_attempt: datetime
    rule: str
    trace: str
    reason: str
    """The receiver's own code and text, of the last attempt."""
    created: datetime
    settled: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a delivery."""

    delivery_key: int
    number: int
    started: datetime
    ended: datetime
    verdict: Verdict
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What a peer reported about a storage commitment that we asked for (PS3.4 J.3.3)."""

    transaction_uid: str
    committed: frozenset[str]
    """SOP Instance UIDs."""
    failed: Mapping[str, int]
    """SOP Instance UID to Failure Reason (0008,1197)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the peer answered: its own code (DIMSE status, MSA-1, HTTP status) and text."""

    verdict: Verdict
    code: str
    text: str
    report: CommitmentReport | None = None
    """Came on the association of the request."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """A delivery that was just tried."""

    delivery: Delivery
    receipt: Receipt
    started: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class InstanceParcel:
    """A stored instance on its way out; `open_blob` gives its Part 10 bytes by digest, seekable."""

    retrieved: Retrieved
    open_blob: Callable[[str], BinaryIO]


@dataclass(frozen=True, slots=True)
class ReportParcel:
    """One version of a report on its way out. `control_id` is the same on every attempt (MSH-10)."""

    filed: FiledReport
    order: Order | None
    control_id: str


@dataclass(frozen=True, slots=True)
class ProcedureStepParcel:
    """An N-CREATE or N-SET of MPPS on its way on (PS3.4 F.7)."""

    message: PerformedMessage


@dataclass(frozen=True, slots=True)
class AskedCommitment:
    """One storage commitment that we ask a peer for."""

    transaction_uid: str
    destination: str
    delivery_keys: tuple[int, ...]
    planned: datetime


@dataclass(frozen=True, slots=True)
class CommitmentRequestParcel:
    """A request for storage commitment on its way (PS3.4 J.3.2)."""

    transaction_uid: str
    references: tuple[ReferencedInstance, ...]


@dataclass(frozen=True, slots=True)
class AvailabilityParcel:
    """What of a study can be retrieved here (PS3.4 R). The UID is the same on every attempt."""

    sop_instance_uid: str
    study_instance_uid: str
    instances: tuple[Retrieved, ...]
    performed_procedure_steps: tuple[str, ...]
    """SOP Instance UIDs of the MPPS that name the study."""


@dataclass(frozen=True, slots=True)
class CommitmentParcel:
    """The report of a storage commitment on its way to who asked."""

    commitment: Commitment


@dataclass(frozen=True, slots=True)
class WorkitemReportParcel:
    """An event of a workitem on its way to a subscriber (PS3.4 CC.2.4)."""

    report: Report


Parcel = (
    AvailabilityParcel
    | CommitmentRequestParcel
    | InstanceParcel
    | ReportParcel
    | ProcedureStepParcel
    | CommitmentParcel
    | WorkitemReportParcel
)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to deliver to one destination until `expires`; a higher fence voids all lower ones."""

    destination: str
    owner: str
    fence: int
    expires: datetime


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """A search for deliveries."""

    destination: str = ""
    states: tuple[DeliveryState, ...] = ()
    kind: ParcelKind | None = None
    reference: str = ""
    before_key: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Queue:
    """How one destination stands."""

    destination: str
    waiting: int
    dead: int
    sent: int
    oldest_waiting: datetime | None
    last_reason: str
