"""The hallway: every capability on one page. Doors call these, once per request.

A method here opens the transaction, writes refusals to the trail, and does nothing else: what happens is in the
use-case of the same name.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import BinaryIO, TypeVar

from hilum.core.access import policy
from hilum.core.access import usecases as access
from hilum.core.access.admission import Resolve, Sender
from hilum.core.access.certificates import Line
from hilum.core.access.model import Claim, ClaimKind, Peer, PeerKind, Session, Token, User
from hilum.core.access.ports import Passwords
from hilum.core.archive import (
    chores,
    commitment_at_once,
    conflict_resolution,
    deletion,
    rejection,
    verification,
)
from hilum.core.archive import usecases as archive
from hilum.core.archive.lifecycle import (
    Damaged,
    Rejection,
    RejectionNote,
    RejectionReason,
    Resolution,
    Tombstone,
)
from hilum.core.archive.model import (
    Blob,
    Chore,
    Commitment,
    Exact,
    Found,
    Header,
    KeptSummary,
    Level,
    Query,
    ReferencedInstance,
    Retrieved,
    Stored,
    StoredConflict,
    StudyContent,
    StudyPage,
)
from hilum.core.archive.ports import Objects, ReceivingBudget, Spool
from hilum.core.archive.receiving import Receiving
from hilum.core.audit.model import AuditEntry
from hilum.core.exchange import usecases as exchange
from hilum.core.exchange.model import Applied, Command, Envelope, InboundMessage
from hilum.core.exchange.ports import ExchangeTransaction
from hilum.core.kernel.caller import Caller, CallerKind, Permission
from hilum.core.kernel.errors import Busy, Refused
from hilum.core.kernel.identifiers import Identifier
from hilum.core.kernel.transaction import Transactor
from hilum.core.orders import usecases as orders
from hilum.core.orders.model import (
    Order,
    OrderMessage,
    OrderQuery,
    PerformedChange,
    PerformedProcedureStep,
    WorklistItem,
    WorklistQuery,
)
from hilum.core.patients import usecases as patients
from hilum.core.patients.model import LinkedPatient, PatientQuery, PatientRecord, PatientStatement
from hilum.core.reports import usecases as reports
from hilum.core.reports.model import FiledReport, Report, ReportQuery, ReportRequest
from hilum.core.routing import announcing, committing
from hilum.core.routing import usecases as routing
from hilum.core.routing.model import (
    Attempt,
    Attempted,
    CommitmentReport,
    Delivery,
    DeliveryQuery,
    Lease,
    Parcel,
    ParcelKind,
    Queue,
    Rule,
)
from hilum.core.workitems import telling
from hilum.core.workitems import usecases as workitems
from hilum.core.workitems.model import (
    Attributes,
    Cancellation,
    Remark,
    Subscriber,
    Workitem,
    WorkitemChange,
    WorkitemQuery,
    WorkitemState,
)
from hilum.core.workitems.model import Report as WorkitemReport

T = TypeVar("T")
Work = Callable[[ExchangeTransaction], T]


class Hub:
    """Everything that Hilum can do, for whoever may ask."""

    def __init__(
        self,
        database: Transactor[ExchangeTransaction],
        objects: Objects,
        passwords: Passwords,
        read_tags: routing.TagReader,
        *,
        read_note: rejection.NoteReader = rejection.no_note,
        read_header: conflict_resolution.HeaderReader = conflict_resolution.no_header,
        open_to_all: bool = False,
        default_issuer: str = "",
        grace: timedelta = archive.GRACE,
        budget: ReceivingBudget | None = None,
        resolve: Resolve = lambda _host: frozenset(),
    ) -> None:
        """Join the stores.

        `open_to_all` admits callers without credentials: `--open`, loopback only. `default_issuer` is that of
        patient identifiers that come without one from a peer that has no issuer of its own. `resolve` looks up peers that are
        configured by host name. `grace` is how long what was deleted or replaced can be brought back.
        """
        self._database = database
        self._objects = objects
        self._passwords = passwords
        self.read_tags = read_tags
        self._read_note = read_note
        self._read_header = read_header
        self.open_to_all = open_to_all
        self._default_issuer = default_issuer
        self._grace = grace
        self._resolve = resolve
        self._budget = budget

    # Who belongs

    def admit_association(self, ae_title: str, line: Line, trace: str) -> Caller:
        """Admit a DICOM association by calling AE title, address and certificate; raises Refused."""
        known = self._database.read(lambda tx: tx.access.peers_by_ae_title(ae_title))
        try:
            caller = access.admit_association(known, line, trace, self._resolve)
        except Refused:
            if not self.open_to_all:
                self._note_refusal(None, "association", line.address, trace)
                raise
            caller = policy.open_caller(line.address, trace, ae_title)
        self._note_heard(caller)
        return caller

    def admit_address(self, kind: PeerKind, line: Line, trace: str, sender: Sender | None = None) -> Caller:
        """Admit a connection by its address, and by the sender that a message names (MLLP); raises Refused."""
        known = self._database.read(lambda tx: tx.access.peers())
        try:
            caller = access.admit_address(known, kind, line, trace, self._resolve, sender or Sender())
        except Refused:
            if not self.open_to_all:
                self._note_refusal(None, "connection", line.address, trace)
                raise
            caller = policy.open_caller(line.address, trace)
        self._note_heard(caller)
        return caller

    def admit_user(self, caller: Caller, claim: Claim | None) -> Caller:
        """Return the caller of an association for the user that it names (PS3.7 D.3.3.7); raises Refused."""
        wanted = caller.options.user_identity
        if caller.kind is CallerKind.OPEN or wanted == "ignored":
            return caller
        try:
            return self._spoken_for(caller, claim, required=wanted == "required")
        except Refused:
            self._note_refusal(caller, "user-identity", caller.address, caller.trace)
            raise

    def _spoken_for(self, caller: Caller, claim: Claim | None, *, required: bool) -> Caller:
        if claim is not None and claim.kind is ClaimKind.PASSWORD:
            user = self._user_of(claim.name, claim.secret)
            return self._database.write(lambda tx: access.speak_for_user(tx, caller, user))
        if claim is not None and claim.kind is ClaimKind.TOKEN:
            return self._database.write(lambda tx: access.speak_for_token(tx, caller, claim.secret))
        if required or (claim is not None and claim.kind is ClaimKind.OTHER):
            raise Refused(
                "a user name with passcode, or a token, is needed: nothing else can be checked here",
                next_step="configure it there, or: hilum peers set NAME user_identity=ignored",
            )
        return caller

    def _user_of(self, name: str, password: str) -> User:
        """Return the user whose password this is; raises Refused with one text, and after one time, for every cause."""
        user = self._database.read(lambda tx: access.active_user(tx, name))
        if not self._passwords.verified(user.password_hash if user else "", password) or user is None:
            raise Refused(
                "name or password is wrong", next_step="try again, or ask an administrator for a link"
            )
        return user

    def note_failed_handshake(self, address: str, trace: str) -> None:
        """Write to the trail that a caller could not prove by TLS who it is (PS3.15 A.5.3.10)."""
        self._note_refusal(None, "tls", address, trace)

    def admit_token(self, secret: str, address: str, trace: str) -> Caller:
        """Admit a bearer token; raises Refused."""
        try:
            return self._database.read(lambda tx: access.admit_token(tx, secret, address, trace))
        except Refused:
            self._note_refusal(None, "token", address, trace)
            raise

    def admit_nobody(self, address: str, trace: str) -> Caller:
        """Admit a request without credentials: only with `--open`; raises Refused."""
        if self.open_to_all:
            return policy.open_caller(address, trace)
        raise Refused(
            "credentials are needed", next_step="send a bearer token: hilum token create --scope ..."
        )

    def admit_session(self, secret: str, address: str, trace: str) -> tuple[Caller, Session]:
        """Admit a session cookie; raises Refused."""
        return self._database.read(lambda tx: access.admit_session(tx, secret, address, trace))

    def sign_in(self, name: str, password: str, address: str, trace: str) -> tuple[str, Session]:
        """Sign in by password; raises Refused with one text for every cause."""
        try:
            user = self._user_of(name, password)
        except Refused:
            self._note_refusal(None, "sign-in", address, trace)
            raise
        return self._database.write(lambda tx: access.open_session(tx, user, address, trace))

    def sign_in_by_link(self, secret: str, address: str, trace: str) -> tuple[str, Session]:
        """Sign in by a one-time link; raises Refused."""
        try:
            return self._database.write(lambda tx: access.use_link(tx, secret, address, trace))
        except Refused:
            self._note_refusal(None, "link", address, trace)
            raise

    def sign_out(self, caller: Caller, secret: str) -> None:
        """End a session."""
        self._database.write(lambda tx: access.close_session(tx, caller, secret))

    def set_password(self, caller: Caller, password: str, session_secret: str = "") -> None:
        """Set the caller's own password, keeping this session only; raises Invalid when it is too short."""
        access.check_password_rule(password)
        password_hash = self._passwords.hashed(password)
        self._write(caller, lambda tx: access.set_password(tx, caller, password_hash, session_secret))

    def set_user_password(self, caller: Caller, name: str, password: str) -> None:
        """Set anybody's password and end the sessions; raises Invalid, NotFound."""
        access.check_password_rule(password)
        password_hash = self._passwords.hashed(password)
        self._write(caller, lambda tx: access.set_user_password(tx, caller, name, password_hash))

    def disable_user(self, caller: Caller, name: str, *, disabled: bool) -> None:
        """Keep a user out, or let it in again; raises NotFound."""
        self._write(caller, lambda tx: access.disable_user(tx, caller, name, disabled=disabled))

    def revoke_token(self, caller: Caller, key: str) -> Token:
        """End a token for good, by key or name; raises NotFound, Conflict."""
        return self._write(caller, lambda tx: access.revoke_token(tx, caller, key))

    def has_users(self) -> bool:
        """Tell whether anybody has a password yet."""
        return self._database.read(access.has_users)

    def issue_link(self, caller: Caller, user_name: str) -> str:
        """Return the secret of a one-time link."""
        return self._write(caller, lambda tx: access.issue_link(tx, caller, user_name))

    def users(self, caller: Caller) -> list[User]:
        """Return the users."""
        self._demand(caller, Permission.ACCESS_ADMINISTER)
        return self._database.read(lambda tx: tx.access.users())

    def tokens(self, caller: Caller) -> list[Token]:
        """Return the tokens, without their secrets."""
        self._demand(caller, Permission.ACCESS_ADMINISTER)
        return self._database.read(lambda tx: tx.access.tokens())

    def create_token(
        self, caller: Caller, name: str, scopes: tuple[str, ...], lifetime: timedelta | None
    ) -> str:
        """Return the secret of a new bearer token."""
        return self._write(caller, lambda tx: access.create_token(tx, caller, name, scopes, lifetime))

    def viewer_token(self, caller: Caller) -> str:
        """Return the secret of a token of some minutes, for the requests of the caller's viewer."""
        return self._write(caller, lambda tx: access.viewer_token(tx, caller))

    def peers(self, caller: Caller) -> list[Peer]:
        """Return the configured peers."""
        return self._read(caller, lambda tx: access.peers(tx, caller))

    def peer(self, caller: Caller, name: str) -> Peer:
        """Return one peer; raises NotFound."""
        return self._read(caller, lambda tx: access.peer(tx, caller, name))

    def peer_by_ae_title(self, ae_title: str) -> Peer | None:
        """Return the DICOM peer with an AE title: a move destination, or who gets a commitment report."""
        found = self._database.read(lambda tx: tx.access.peers_by_ae_title(ae_title))
        return found[0] if found else None

    def put_peer(self, caller: Caller, peer: Peer) -> None:
        """Add or replace a peer."""
        self._write(caller, lambda tx: access.put_peer(tx, caller, peer))

    def remove_peer(self, caller: Caller, name: str) -> None:
        """Remove a peer; raises NotFound."""
        self._write(caller, lambda tx: access.remove_peer(tx, caller, name))

    def audit(self, caller: Caller, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return audit entries, newest first."""
        self._demand(caller, Permission.AUDIT_READ)
        return self._database.read(lambda tx: tx.audit.newest(limit, before))

    # Patients

    def register_patient(self, caller: Caller, statement: PatientStatement) -> PatientRecord:
        """Register or update a patient."""
        caller = self._with_issuer(caller)
        return self._write(caller, lambda tx: patients.register(tx, caller, statement))

    def merge_patients(
        self, caller: Caller, survivor: PatientStatement, retired: PatientStatement
    ) -> PatientRecord:
        """Merge two records; returns the survivor."""
        caller = self._with_issuer(caller)
        return self._write(caller, lambda tx: patients.merge(tx, caller, survivor, retired))

    def unmerge_patient(self, caller: Caller, public_id: str) -> PatientRecord:
        """Take a merge back; raises NotFound, Conflict."""
        return self._write(caller, lambda tx: patients.unmerge(tx, caller, public_id))

    def read_patient(self, caller: Caller, public_id: str) -> tuple[PatientRecord, list[PatientRecord]]:
        """Return a record and all that are linked to it, root first; raises NotFound."""
        return self._read(caller, lambda tx: patients.read(tx, caller, public_id))

    def find_patients(self, caller: Caller, query: PatientQuery) -> tuple[list[PatientRecord], int]:
        """Return one page of records, and how many there are."""
        return self._read(caller, lambda tx: patients.find(tx, caller, query))

    def find_linked_patients(self, caller: Caller, query: PatientQuery) -> tuple[list[LinkedPatient], int]:
        """Return one page of records, each with all that are linked to it, and how many there are."""
        return self._read(caller, lambda tx: patients.find_linked(tx, caller, query))

    # Orders

    def place_orders(self, caller: Caller, message: OrderMessage) -> tuple[Order, ...]:
        """Place, change or end the orders of a message."""
        caller = self._with_issuer(caller)
        return self._write(caller, lambda tx: orders.place(tx, caller, message))

    def read_order(self, caller: Caller, public_id: str) -> tuple[Order, PatientRecord]:
        """Return one order and its surviving patient; raises NotFound."""
        return self._read(caller, lambda tx: orders.with_patient(tx, orders.read(tx, caller, public_id)))

    def find_orders(self, caller: Caller, query: OrderQuery) -> tuple[list[tuple[Order, PatientRecord]], int]:
        """Return one page of orders with their surviving patients, and how many there are."""
        return self._read(caller, lambda tx: orders.find_with_patients(tx, caller, query))

    def worklist(self, caller: Caller, query: WorklistQuery) -> list[WorklistItem]:
        """Return the scheduled steps that match."""
        return self._read(caller, lambda tx: orders.worklist(tx, caller, query))

    def start_procedure(self, caller: Caller, step: PerformedProcedureStep) -> None:
        """MPPS N-CREATE; raises Conflict."""
        self._write(caller, lambda tx: orders.start_procedure(tx, caller, step))

    def change_procedure(
        self, caller: Caller, sop_instance_uid: str, change: PerformedChange
    ) -> PerformedProcedureStep:
        """MPPS N-SET; raises NotFound, Conflict."""
        return self._write(caller, lambda tx: orders.change_procedure(tx, caller, sop_instance_uid, change))

    def performed_procedure(self, caller: Caller, sop_instance_uid: str) -> PerformedProcedureStep:
        """Return one performed procedure step (MPPS N-GET); raises NotFound."""
        return self._read(caller, lambda tx: orders.performed(tx, caller, sop_instance_uid))

    # Archive

    def spool(self, caller: Caller | None = None) -> Spool:
        """Return a place for bytes that arrive from a caller; raises Refused, and Busy, also while they are written."""
        if caller is not None:
            self._demand(caller, Permission.ARCHIVE_STORE)
        if self._budget is None:
            return self._objects.spool()
        if caller is None:
            return self._budget.spool(self._objects, "", 0)
        holder = caller.peer or caller.name
        return self._budget.spool(self._objects, holder, caller.options.maximum_arriving)

    def receiving(self, caller: Caller) -> Receiving | None:
        """Return how much is arriving and how much room there is; None where nothing is counted."""
        self._demand(caller, Permission.ARCHIVE_QUERY)
        return self._budget.receiving() if self._budget else None

    def store(self, caller: Caller, spool: Spool, header: Header) -> Stored:
        """Make the spooled Part 10 object durable, then commit its rows: blob first, then one commit."""
        caller = self._with_issuer(caller)
        self._demand(caller, Permission.ARCHIVE_STORE)
        blob = spool.seal()
        note = self._note_in(header, blob)

        def work(tx: ExchangeTransaction) -> Stored:
            stored = archive.store(tx, caller, header, blob, note, self._grace)
            spool.keep()  # the disk was at it meanwhile; what follows is the commit
            return stored

        return self._write(caller, work)

    def reject(
        self, caller: Caller, uids: tuple[str, str, str], reason: RejectionReason, detail: str
    ) -> Rejection:
        """Reject a study, series or instance (the last UIDs may be empty); raises NotFound."""
        return self._write(caller, lambda tx: rejection.reject(tx, caller, uids, reason, detail))

    def order_deletion(
        self, caller: Caller, uids: tuple[str, str, str], reason: RejectionReason, detail: str
    ) -> Rejection:
        """Delete a study, series or instance after the grace period; raises NotFound, Invalid."""
        return self._write(
            caller, lambda tx: deletion.order_deletion(tx, caller, uids, reason, detail, self._grace)
        )

    def tombstones(self, caller: Caller, limit: int = 100, study_instance_uid: str = "") -> list[Tombstone]:
        """Return what was deleted, newest first."""
        return self._read(caller, lambda tx: deletion.tombstones(tx, caller, limit, study_instance_uid))

    def restore(self, caller: Caller, key: int, detail: str) -> Rejection:
        """Take a rejection back; raises NotFound, Conflict."""
        return self._write(caller, lambda tx: rejection.restore(tx, caller, key, detail))

    def rejections(self, caller: Caller, limit: int = 100, study_instance_uid: str = "") -> list[Rejection]:
        """Return rejections that hold, newest first."""
        return self._read(caller, lambda tx: rejection.rejections(tx, caller, limit, study_instance_uid))

    def find(self, caller: Caller, query: Query) -> list[Found]:
        """Return one page of answers."""
        return self._read(caller, lambda tx: archive.find(tx, caller, query))

    def count(self, caller: Caller, query: Query) -> int:
        """Return how many answers a query has."""
        return self._read(caller, lambda tx: archive.count(tx, caller, query))

    def find_contents(self, caller: Caller, query: Query, *, most_instances: int, counted: bool) -> StudyPage:
        """Return one page of studies with all that is below them, and how many there are when that is asked."""
        return self._read(
            caller,
            lambda tx: archive.find_contents(
                tx, caller, query, most_instances=most_instances, counted=counted
            ),
        )

    def read_study(self, caller: Caller, study_instance_uid: str) -> StudyContent:
        """Return one study with all that is below it; raises NotFound."""
        return self._read(caller, lambda tx: archive.read_study(tx, caller, study_instance_uid))

    def retrieve(self, caller: Caller, query: Query) -> list[Retrieved]:
        """Return every instance below what matches, to hand out."""
        return self._read(caller, lambda tx: archive.retrieve(tx, caller, query))

    def open_blob(self, digest: str) -> BinaryIO:
        """Open stored bytes that a use-case handed out; raises NotFound, and Damaged, which the trail keeps."""
        try:
            return self._objects.open(digest)
        except Damaged:
            self._note_damage(policy.ENGINE, digest, verification.BlobState.ALTERED)
            raise

    def verify(self, caller: Caller, after: str = "", limit: int = 256) -> verification.Verified:
        """Verify the blobs beyond a position; damage is written to the trail."""
        digests = self._read(caller, lambda tx: verification.stretch(tx, caller, after, limit))
        found = [(digest, *verification.state_of(self._objects, digest)) for digest in digests]
        damaged = tuple(
            (digest, state) for digest, state, _ in found if state is not verification.BlobState.GOOD
        )
        for digest, state in damaged:
            self._note_damage(caller, digest, state)
        position = digests[-1] if len(digests) == limit else ""
        return verification.Verified(position, len(found), sum(size for *_, size in found), damaged)

    def summary(self, series_instance_uid: str) -> KeptSummary | None:
        """Return where the summary of a series is kept, whose instances a use-case handed out."""
        return self._database.read(lambda tx: tx.background.summary(series_instance_uid))

    def keep_summary(self, series_instance_uid: str, spool: Spool | None) -> None:
        """Make the spooled summary of a series durable, then refer to it; None forgets the one that is kept."""
        blob = spool.keep() if spool else None
        self._database.write(lambda tx: tx.background.put_summary(series_instance_uid, blob))

    def request_commitment(
        self,
        caller: Caller,
        ae_title: str,
        transaction_uid: str,
        references: tuple[ReferencedInstance, ...],
    ) -> Commitment:
        """Judge a storage commitment request. The door reports on the same association, or calls `report_later`."""
        return self._write(
            caller,
            lambda tx: archive.request_commitment(
                tx, caller, ae_title, transaction_uid, references, self._objects
            ),
        )

    def commit_at_once(
        self, caller: Caller, transaction_uid: str, references: tuple[ReferencedInstance, ...]
    ) -> Commitment:
        """Judge a storage commitment whose answer is its report; raises Conflict where its UID is in use."""
        return self._write(
            caller,
            lambda tx: commitment_at_once.commit_at_once(
                tx, caller, transaction_uid, references, self._objects
            ),
        )

    def own_commitment(self, caller: Caller, transaction_uid: str) -> Commitment:
        """Return a storage commitment to who asked for it; raises NotFound."""
        return self._read(caller, lambda tx: commitment_at_once.own_commitment(tx, caller, transaction_uid))

    def commitment(self, transaction_uid: str) -> Commitment:
        """Return one storage commitment transaction; raises NotFound."""
        return self._database.read(lambda tx: archive.commitment(tx, transaction_uid))

    def commitment_reported(self, transaction_uid: str) -> None:
        """Note that the peer took the report."""
        self._database.write(lambda tx: archive.commitment_reported(tx, transaction_uid))

    def report_later(self, transaction_uid: str) -> None:
        """Let the engine report a storage commitment on a new association."""
        self._database.write(lambda tx: routing.plan_commitment(tx, transaction_uid))

    def plan_overdue_commitments(self) -> None:
        """Plan reports that no association took."""
        self._database.write(routing.plan_overdue_commitments)

    def announce_study(self, study_instance_uid: str) -> None:
        """Plan to tell peers that a study is available."""
        self._database.write(lambda tx: announcing.announce(tx, study_instance_uid))

    def plan_commitment_requests(self) -> None:
        """Ask peers to commit to what was sent to them."""
        self._database.write(committing.plan_requests)

    def take_commitment_report(self, caller: Caller, report: CommitmentReport) -> None:
        """Settle deliveries by what a peer reports; raises NotFound."""
        self._write(caller, lambda tx: committing.take_report(tx, caller, report))

    def conflicts(self, caller: Caller, limit: int = 100) -> list[StoredConflict]:
        """Return open conflicts, newest first."""
        return self._read(caller, lambda tx: archive.conflicts(tx, caller, limit))

    def conflict(self, caller: Caller, key: int) -> StoredConflict:
        """Return one conflict, open or resolved; raises NotFound."""
        return self._read(caller, lambda tx: conflict_resolution.conflict(tx, caller, key))

    def resolved_conflicts(self, caller: Caller, limit: int = 100) -> list[StoredConflict]:
        """Return resolved conflicts, the latest first."""
        return self._read(caller, lambda tx: conflict_resolution.resolved(tx, caller, limit))

    def resolve_conflict(
        self, caller: Caller, key: int, resolution: Resolution, detail: str, to: Identifier | None = None
    ) -> StoredConflict:
        """Resolve a conflict; raises NotFound, Conflict, Invalid."""
        blob = self.conflict(caller, key).blob if resolution is Resolution.TAKE else None
        header = self._header_of(blob.digest if blob else "")
        return self._write(
            caller,
            lambda tx: conflict_resolution.resolve(
                tx, caller, key, resolution, detail, to=to, header=header, grace=self._grace
            ),
        )

    def undo_resolution(self, caller: Caller, key: int) -> StoredConflict:
        """Take a resolution back; raises NotFound, Conflict."""
        digest = self._read(caller, lambda tx: conflict_resolution.bytes_before(tx, caller, key))
        header = self._header_of(digest)
        return self._write(caller, lambda tx: conflict_resolution.undo(tx, caller, key, header, self._grace))

    def totals(self, caller: Caller) -> dict[str, int]:
        """Return how many studies, series, instances, octets and open conflicts there are."""
        self._demand(caller, Permission.ARCHIVE_QUERY)
        return self._database.read(lambda tx: tx.archive.totals())

    # Reports

    def file_report(self, caller: Caller, request: ReportRequest) -> Report:
        """Keep a version of a report; raises Conflict."""
        caller = self._with_issuer(caller)
        return self._write(caller, lambda tx: reports.file(tx, caller, request))

    def read_report(self, caller: Caller, public_id: str, version: int | None = None) -> FiledReport:
        """Return a version of a report; raises NotFound."""
        return self._read(caller, lambda tx: reports.read(tx, caller, public_id, version))

    def find_reports(self, caller: Caller, query: ReportQuery) -> tuple[list[FiledReport], int]:
        """Return one page of reports, and how many there are."""
        return self._read(caller, lambda tx: reports.find(tx, caller, query))

    # Workitems

    def create_workitem(
        self, caller: Caller, sop_instance_uid: str, given: Attributes
    ) -> tuple[Workitem, Remark]:
        """UPS N-CREATE; raises AttributeFault, WorkitemConflict."""
        return self._write(caller, lambda tx: workitems.create(tx, caller, sop_instance_uid, given))

    def read_workitem(self, caller: Caller, sop_instance_uid: str) -> Workitem:
        """UPS N-GET; raises WorkitemUnknown."""
        return self._read(caller, lambda tx: workitems.read(tx, caller, sop_instance_uid))

    def workitem_history(self, caller: Caller, sop_instance_uid: str) -> list[WorkitemChange]:
        """Return the states that a workitem went through, oldest first; raises WorkitemUnknown."""
        return self._read(caller, lambda tx: workitems.history(tx, caller, sop_instance_uid))

    def change_workitem(
        self, caller: Caller, sop_instance_uid: str, given: Attributes, transaction_uid: str
    ) -> None:
        """UPS N-SET; raises AttributeFault, WorkitemConflict, WorkitemUnknown."""
        self._write(caller, lambda tx: workitems.change(tx, caller, sop_instance_uid, given, transaction_uid))

    def change_workitem_state(
        self, caller: Caller, sop_instance_uid: str, wanted: WorkitemState, transaction_uid: str
    ) -> Remark:
        """Change UPS State; raises WorkitemConflict, WorkitemUnknown."""
        return self._write(
            caller, lambda tx: workitems.change_state(tx, caller, sop_instance_uid, wanted, transaction_uid)
        )

    def request_workitem_cancel(
        self, caller: Caller, sop_instance_uid: str, cancellation: Cancellation
    ) -> Remark:
        """Request UPS Cancel; raises WorkitemConflict, WorkitemUnknown."""
        return self._write(
            caller, lambda tx: workitems.request_cancel(tx, caller, sop_instance_uid, cancellation)
        )

    def find_workitems(self, caller: Caller, query: WorkitemQuery) -> list[Workitem]:
        """Return one page of workitems, by scheduled start."""
        return self._read(caller, lambda tx: workitems.find(tx, caller, query))

    def subscribe_to_workitems(self, caller: Caller, sop_instance_uid: str, wanted: Subscriber) -> None:
        """Subscribe an AE to one workitem, to all or to those that match; raises WorkitemUnknown."""
        self._write(caller, lambda tx: telling.subscribe(tx, caller, sop_instance_uid, wanted))

    def unsubscribe_from_workitems(self, caller: Caller, sop_instance_uid: str, ae_title: str) -> None:
        """End a subscription to one workitem, or all of them; raises WorkitemUnknown."""
        self._write(caller, lambda tx: telling.unsubscribe(tx, caller, sop_instance_uid, ae_title))

    def suspend_workitem_subscription(self, caller: Caller, sop_instance_uid: str, ae_title: str) -> None:
        """End a global subscription for workitems to come; raises WorkitemConflict."""
        self._write(caller, lambda tx: telling.suspend(tx, caller, sop_instance_uid, ae_title))

    def workitem_reports(
        self, caller: Caller, ae_title: str, after: int | None, limit: int = 100
    ) -> tuple[list[WorkitemReport], int]:
        """Return the reports to a subscriber after a number, and the newest number; None is from now on."""
        return self._read(caller, lambda tx: telling.reports_after(tx, caller, ae_title, after, limit))

    def announce_restart(self, fallback: tuple[str, ...]) -> None:
        """Tell all subscribers of workitems that the server was started."""
        self._database.write(lambda tx: telling.announce_restart(tx, fallback))

    def expire_workitems(self, keep: timedelta) -> int:
        """Remove workitems that ended so long ago and that nobody locked; returns how many."""
        return self._database.write(lambda tx: workitems.expire(tx, tx.now - keep))

    # Messages

    def receive_message(self, caller: Caller, envelope: Envelope, command: Command) -> Applied:
        """Keep and apply an HL7 message in one commit."""
        caller = self._with_issuer(caller)
        return self._write(caller, lambda tx: exchange.receive(tx, caller, envelope, command))

    def note_rejected_message(self, caller: Caller, envelope: Envelope, answer: str, reason: str) -> None:
        """Keep a message that was answered AE or AR."""
        self._database.write(lambda tx: exchange.note_rejected(tx, caller, envelope, answer, reason))

    def messages(
        self, caller: Caller, limit: int = 100, before_key: int | None = None
    ) -> list[InboundMessage]:
        """Return messages, newest first."""
        return self._read(caller, lambda tx: exchange.messages(tx, caller, limit, before_key))

    def message(self, caller: Caller, key: int) -> InboundMessage:
        """Return one message with its bytes; raises NotFound."""
        return self._read(caller, lambda tx: exchange.message(tx, caller, key))

    # Routing

    def put_rules(self, caller: Caller, rules: list[Rule]) -> None:
        """Replace the routing rules; raises Invalid when a destination is unknown."""
        self._write(caller, lambda tx: routing.put_rules(tx, caller, rules))

    def rules(self, caller: Caller) -> list[Rule]:
        """Return the routing rules in force."""
        self._demand(caller, Permission.ROUTING_READ)
        return self._database.read(lambda tx: tx.routing.rules())

    def deliveries(self, caller: Caller, query: DeliveryQuery) -> list[Delivery]:
        """Return deliveries, newest first."""
        return self._read(caller, lambda tx: routing.deliveries(tx, caller, query))

    def delivery(self, caller: Caller, key: int) -> tuple[Delivery, list[Attempt]]:
        """Return one delivery with its attempts; raises NotFound."""
        return self._read(caller, lambda tx: routing.delivery(tx, caller, key))

    def queues(self, caller: Caller) -> list[Queue]:
        """Return how every destination stands."""
        return self._read(caller, lambda tx: routing.queues(tx, caller))

    def replay(self, caller: Caller, keys: list[int]) -> int:
        """Make dead or sent deliveries wait again; returns how many."""
        return self._write(caller, lambda tx: routing.replay(tx, caller, keys))

    def send(self, caller: Caller, destination: str, kind: ParcelKind, reference: str) -> bool:
        """Plan one delivery by hand; tell whether it is new."""
        return self._write(caller, lambda tx: routing.send(tx, caller, destination, kind, reference))

    # For the engine

    def destinations_due(self) -> list[str]:
        """Return destinations with something to deliver now."""
        return self._database.read(lambda tx: tx.routing.destinations_due(tx.now))

    def claim(self, destination: str, owner: str) -> Lease | None:
        """Take or renew the lease of a destination."""
        return self._database.write(lambda tx: routing.claim(tx, destination, owner))

    def release(self, lease: Lease) -> None:
        """Give a lease up."""
        self._database.write(lambda tx: tx.routing.release(lease))

    def batch(self, lease: Lease, limit: int) -> list[Delivery]:
        """Return the head of the queue of a lease."""
        return self._database.write(lambda tx: routing.batch(tx, lease, limit))

    def parcel(self, delivery: Delivery) -> Parcel:
        """Return what a delivery sends; raises NotFound when it is gone."""
        return self._database.read(lambda tx: routing.parcel(tx, delivery, self._objects))

    def settle(self, lease: Lease, attempted: Attempted, chance: float) -> None:
        """Write what the peer answered; raises Conflict when the lease was taken over."""
        self._database.write(lambda tx: routing.settle(tx, lease, attempted, chance))

    def take_up_chore(self) -> Chore | None:
        """Take the chore that has been due for the longest time, None when none is due."""
        if self._database.read(lambda tx: tx.background.due_chore(tx.now)) is None:
            return None
        return self._database.write(chores.take_up)

    def end_chore(self, chore: Chore) -> None:
        """Note that a chore is done."""
        self._database.write(lambda tx: tx.background.end_chore(chore))

    def instances_of_series(self, series_instance_uid: str) -> list[Retrieved]:
        """Return the instances of a series for what the engine makes of them."""
        query = Query(Level.SERIES, {"series_instance_uid": Exact(series_instance_uid)})
        return self._database.read(lambda tx: archive.instances(tx, query))

    def transact(self, work: Work[T]) -> T:
        """Run `reactions` in one transaction."""
        return self._database.write(work)

    def sweep(self) -> int:
        """Delete what is due, then remove old blobs that no row refers to; returns how many."""
        while self._database.write(deletion.sweep):
            pass
        self._database.write(lambda tx: tx.lifecycle.drop_versions(tx.now))
        self._database.write(lambda tx: tx.lifecycle.drop_conflicts(tx.now - self._grace))
        before = self._database.read(lambda tx: tx.now) - archive.SWEEP_AGE
        digests = self._objects.digests(before)
        referenced = self._database.read(lambda tx: tx.archive.referenced(digests))
        lonely = [digest for digest in digests if digest not in referenced]
        for digest in lonely:
            self._objects.remove(digest, before)
        return len(lonely)

    def check(self) -> None:
        """Ask database and object store whether they work; raises Busy with the reason."""
        self._database.read(lambda tx: tx.access.peers())
        self._objects.check()

    def _note_damage(self, caller: Caller, digest: str, state: verification.BlobState) -> None:
        self._database.write(lambda tx: verification.note_damage(tx, caller, digest, state))

    def _header_of(self, digest: str) -> Header | None:
        if not digest:
            return None
        with self._objects.open(digest) as file:
            return self._read_header(file)

    def _note_in(self, header: Header, blob: Blob) -> RejectionNote | None:
        if header.sop_class_uid != rejection.KEY_OBJECT_SELECTION:
            return None
        with self._objects.open(blob.digest) as file:
            return self._read_note(file)

    def _write(self, caller: Caller, work: Work[T]) -> T:
        try:
            return self._database.write(work)
        except Refused as refusal:
            self._note_refused(caller, refusal)
            raise

    def _read(self, caller: Caller, work: Work[T]) -> T:
        try:
            return self._database.read(work)
        except Refused as refusal:
            self._note_refused(caller, refusal)
            raise

    def _demand(self, caller: Caller, permission: Permission) -> None:
        try:
            policy.demand(caller, permission)
        except Refused as refusal:
            self._note_refused(caller, refusal)
            raise

    def _with_issuer(self, caller: Caller) -> Caller:
        """Whoever brings patient identifiers without issuer, by any door, means the house's own."""
        return replace(caller, default_issuer=caller.default_issuer or self._default_issuer)

    def _note_heard(self, caller: Caller) -> None:
        """Note that a peer was heard; when there is no room for the note, that is no reason to refuse the peer."""
        try:
            self._database.write(lambda tx: access.note_heard(tx, caller))
        except Busy:
            return

    def _note_refused(self, caller: Caller, refusal: Refused) -> None:
        """Write what a known caller was refused, by the name of the permission that it lacks."""
        what = refusal.permission if isinstance(refusal, policy.NotPermitted) else caller.kind
        self._note_refusal(caller, what, caller.address, caller.trace)

    def _note_refusal(self, caller: Caller | None, what: str, address: str, trace: str) -> None:
        self._database.write(lambda tx: access.note_refusal(tx, caller, what, address, trace))
