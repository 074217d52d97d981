"""Who asks: the same value at every door."""

from dataclasses import dataclass, field
from enum import StrEnum

from hilum.core.kernel.choices import DuplicatePolicy, View
from hilum.core.kernel.peer_options import NO_OPTIONS, PeerOptions


class CallerKind(StrEnum):
    """How the caller proved who it is."""

    PEER = "peer"
    USER = "user"
    TOKEN = "token"  # noqa: S105  # a word, not a secret
    LOCAL = "local"
    """The operator at the command line of the machine."""
    OPEN = "open"
    """Nobody in particular: `--open` on a loopback address."""
    ENGINE = "engine"


class Permission(StrEnum):
    """One thing that a caller may do; also the scope of a token."""

    VERIFY = "verify"
    ARCHIVE_STORE = "archive.store"
    ARCHIVE_QUERY = "archive.query"
    ARCHIVE_RETRIEVE = "archive.retrieve"
    ARCHIVE_COMMIT = "archive.commit"
    ARCHIVE_REJECT = "archive.reject"
    ARCHIVE_RESTORE = "archive.restore"
    ARCHIVE_VERIFY = "archive.verify"
    DELETION_ORDER = "deletion.order"
    """Stands apart from `archive.*`, so that no token for the archive deletes."""
    CONFLICTS_READ = "conflicts.read"
    CONFLICTS_RESOLVE = "conflicts.resolve"
    WORKLIST_QUERY = "worklist.query"
    PROCEDURE_REPORT = "procedure.report"
    WORKITEMS_READ = "workitems.read"
    WORKITEMS_CREATE = "workitems.create"
    WORKITEMS_PERFORM = "workitems.perform"
    WORKITEMS_CANCEL = "workitems.cancel"
    WORKITEMS_SUBSCRIBE = "workitems.subscribe"
    PATIENTS_READ = "patients.read"
    PATIENTS_WRITE = "patients.write"
    ORDERS_READ = "orders.read"
    ORDERS_WRITE = "orders.write"
    REPORTS_READ = "reports.read"
    REPORTS_WRITE = "reports.write"
    ROUTING_READ = "routing.read"
    ROUTING_REPLAY = "routing.replay"
    PEERS_READ = "peers.read"
    PEERS_WRITE = "peers.write"
    ACCESS_ADMINISTER = "access.administer"
    AUDIT_READ = "audit.read"
    VIEW_QUALITY = "view.quality"
    VIEW_EVERYTHING = "view.everything"
    """The view of a token whose scope names it; `*` names none."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, with what rights, from where, in which trace."""

    kind: CallerKind
    name: str
    permissions: frozenset[Permission] = field(default_factory=frozenset)
    address: str = ""
    trace: str = ""
    default_issuer: str = ""
    """Issuer of patient identifiers that this caller sends without one."""
    ae_title: str = ""
    """Calling AE title of an association."""
    peer: str = ""
    """Name of the peer that speaks, also where it speaks for a user."""
    options: PeerOptions = NO_OPTIONS
    """What holds for this peer only."""

    @property
    def view(self) -> View:
        """Return what this caller sees of instances that were rejected."""
        return View(self.options.view)

    @property
    def duplicates(self) -> DuplicatePolicy:
        """Return what becomes of other bytes that it sends under a SOP Instance UID that is kept."""
        return DuplicatePolicy(self.options.duplicates)

    @property
    def source(self) -> str:
        """Return what an instance is said to come from: the AE title, else the name."""
        return self.ae_title or self.name
