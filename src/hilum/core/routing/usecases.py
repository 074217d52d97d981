"""Plan, claim, settle, replay."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from hilum.core.access import policy
from hilum.core.archive import usecases as archive
from hilum.core.archive.events import InstanceStored
from hilum.core.archive.lifecycle import reason_of
from hilum.core.archive.model import CommitmentState, Exact, Level, Query
from hilum.core.archive.ports import Objects
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Conflict, Invalid, NotFound
from hilum.core.orders.events import ProcedureStepReported
from hilum.core.reports import usecases as reports
from hilum.core.reports.events import ReportFiled
from hilum.core.routing import announcing, committing, rules
from hilum.core.routing.events import DeliveryDied
from hilum.core.routing.model import (
    Attempt,
    Attempted,
    CommitmentParcel,
    Delivery,
    DeliveryQuery,
    DeliveryState,
    InstanceParcel,
    Lease,
    Parcel,
    ParcelKind,
    ProcedureStepParcel,
    Queue,
    ReportParcel,
    Rule,
    Verdict,
    WorkitemReportParcel,
)
from hilum.core.routing.ports import RoutingTransaction
from hilum.core.workitems import telling
from hilum.core.workitems.events import WorkitemReported

TagReader = Callable[[str, frozenset[str]], Mapping[str, str]]
"""Reads top-level attributes by keyword from the stored bytes of a digest."""

LEASE_LIFETIME = timedelta(seconds=10)

COMMITMENT_PATIENCE = timedelta(seconds=30)
"""How long a storage commitment report may wait for the association of its request."""

STATE_AFTER: Mapping[Verdict, DeliveryState] = {
    Verdict.ACCEPTED: DeliveryState.SENT,
    Verdict.STORED: DeliveryState.STORED,
    Verdict.RETRY: DeliveryState.WAITING,
    Verdict.UNCERTAIN: DeliveryState.UNCERTAIN,
    Verdict.REJECTED: DeliveryState.DEAD,
}


def put_rules(tx: RoutingTransaction, caller: Caller, new: list[Rule]) -> None:
    """Replace the rules; every destination must be a configured peer."""
    policy.demand(caller, Permission.PEERS_WRITE)
    known = {peer.name for peer in tx.access.peers()}
    missing = sorted({name for rule in new for name in rule.to} - known)
    if missing:
        raise Invalid(
            f"routing rules name unknown peers: {', '.join(missing)}",
            next_step="add them first: hilum peers add",
        )
    if new != tx.routing.rules():
        tx.routing.put_rules(new)
        record(tx, caller, "routing.rules", "Routing", detail=f"{len(new)} rules")


def plan_instance(tx: RoutingTransaction, event: InstanceStored, trace: str, read_tags: TagReader) -> None:
    """Plan a delivery of a stored instance to every destination of every rule that applies."""
    candidates = [rule for rule in tx.routing.rules() if rule.event == rules.INSTANCE_STORED]
    if not candidates:
        return
    keywords = frozenset(keyword for rule in candidates for keyword in (rule.tags or {}))
    tags = _tags_of(tx, event.sop_instance_uid, keywords, read_tags)
    for rule in candidates:
        if rules.applies(rule, rule.event, source=event.source, modality=event.modality, tags=tags):
            for destination in rule.to:
                tx.routing.add(destination, ParcelKind.INSTANCE, event.sop_instance_uid, rule.name, trace)


def plan_report(tx: RoutingTransaction, event: ReportFiled, trace: str) -> None:
    """Plan a delivery of a report version to every destination of every rule that applies."""
    reference = f"{event.public_id}/{event.version}"
    for rule in tx.routing.rules():
        if rules.applies(rule, rules.REPORT_FILED, source=event.source, status=event.status):
            for destination in rule.to:
                tx.routing.add(destination, ParcelKind.REPORT, reference, rule.name, trace)


def plan_procedure_step(tx: RoutingTransaction, event: ProcedureStepReported, trace: str) -> None:
    """Plan to send an MPPS message on to every destination of every rule that applies: in order, as they came."""
    reference, what = str(event.message_key), rules.PROCEDURE_STEP_REPORTED
    for rule in tx.routing.rules():
        if rules.applies(rule, what, source=event.source, modality=event.modality, status=event.status):
            for destination in rule.to:
                tx.routing.add(destination, ParcelKind.PROCEDURE_STEP, reference, rule.name, trace)


def plan_commitment(tx: RoutingTransaction, transaction_uid: str) -> None:
    """Plan the report of a storage commitment to the peer that asked, on a new association (PS3.4 J.3.3)."""
    kept = archive.commitment(tx, transaction_uid)
    if kept.state is not CommitmentState.REQUESTED:
        return
    names = [peer.name for peer in tx.access.peers_by_ae_title(kept.ae_title)]
    state = CommitmentState.PLANNED if names else CommitmentState.UNREACHABLE
    archive.put_commitment_state(tx, transaction_uid, state)
    if names:
        name, trace = kept.peer if kept.peer in names else names[0], tx.fresh_key()[:16]
        tx.routing.add(name, ParcelKind.COMMITMENT, transaction_uid, "storage-commitment", trace)


def plan_overdue_commitments(tx: RoutingTransaction) -> None:
    """Plan the reports whose association ended, or whose process died, before they went out."""
    for transaction_uid in tx.archive.commitments_requested(tx.now - COMMITMENT_PATIENCE):
        plan_commitment(tx, transaction_uid)


def plan_workitem_reports(tx: RoutingTransaction, event: WorkitemReported, trace: str) -> None:
    """Plan N-EVENT-REPORTs to the peer with the subscriber's AE title; a peer that is gone is told nothing (CC.2.4.3)."""
    peers = tx.access.peers_by_ae_title(event.ae_title) if event.by_association else []
    for peer in peers[:1]:
        for number in range(event.first, event.last + 1):
            reference = f"{number}/{event.ae_title}"
            tx.routing.add(peer.name, ParcelKind.WORKITEM_REPORT, reference, "workitems", trace)


def claim(tx: RoutingTransaction, destination: str, owner: str) -> Lease | None:
    """Take or renew the lease of a destination."""
    return tx.routing.lease(destination, owner, tx.now, tx.now + LEASE_LIFETIME)


def batch(tx: RoutingTransaction, lease: Lease, limit: int) -> list[Delivery]:
    """Return the head of the queue, if the lease still holds."""
    return tx.routing.head(lease.destination, tx.now, limit) if tx.routing.holds(lease, tx.now) else []


def parcel(tx: RoutingTransaction, delivery: Delivery, objects: Objects) -> Parcel:
    """Return what a delivery sends; raises NotFound when it is gone."""
    match delivery.kind:
        case ParcelKind.INSTANCE:
            query = Query(Level.INSTANCE, {"sop_instance_uid": Exact(delivery.reference)})
            chosen = archive.retrieve(tx, policy.ENGINE, query)
            if not chosen:
                raise NotFound("the instance of this delivery is gone")
            if reason_of(chosen[0].instance.standing) is not None:
                raise NotFound("the instance of this delivery was rejected since")
            return InstanceParcel(chosen[0], objects.open)
        case ParcelKind.REPORT:
            filed = reports.read(tx, policy.ENGINE, *_report_version(delivery.reference))
            order = tx.orders.by_key(filed.report.order_key) if filed.report.order_key else None
            return ReportParcel(filed, order, f"HILUM{delivery.key:015d}")
        case ParcelKind.PROCEDURE_STEP:
            message = tx.orders.performed_message(_number(delivery.reference))
            if message is None:
                raise NotFound("the MPPS message of this delivery is gone")
            return ProcedureStepParcel(message)
        case ParcelKind.AVAILABILITY:
            return announcing.parcel(tx, delivery)
        case ParcelKind.COMMITMENT_REQUEST:
            return committing.request(tx, delivery.reference)
        case ParcelKind.COMMITMENT:
            return CommitmentParcel(archive.commitment(tx, delivery.reference))
        case ParcelKind.WORKITEM_REPORT:
            return WorkitemReportParcel(telling.report(tx, *_numbered_report(delivery.reference)))


def settle(tx: RoutingTransaction, lease: Lease, attempted: Attempted, chance: float) -> None:
    """Write what the peer answered. A worker whose lease was taken over changes nothing."""
    if not tx.routing.holds(lease, tx.now):
        raise Conflict(
            "the lease of this destination was taken over", next_step="nothing: the new holder goes on"
        )
    _settle(tx, attempted, chance)


def deliveries(tx: RoutingTransaction, caller: Caller, query: DeliveryQuery) -> list[Delivery]:
    """Return deliveries, newest first."""
    policy.demand(caller, Permission.ROUTING_READ)
    return tx.routing.find(query)


def delivery(tx: RoutingTransaction, caller: Caller, key: int) -> tuple[Delivery, list[Attempt]]:
    """Return one delivery with its attempts; raises NotFound."""
    policy.demand(caller, Permission.ROUTING_READ)
    found = tx.routing.delivery(key)
    if found is None:
        raise NotFound(f"no delivery has the number {key}", next_step="hilum deliveries list")
    return found, tx.routing.attempts(key)


def queues(tx: RoutingTransaction, caller: Caller) -> list[Queue]:
    """Return how every destination stands."""
    policy.demand(caller, Permission.ROUTING_READ)
    return tx.routing.queues()


def replay(tx: RoutingTransaction, caller: Caller, keys: list[int]) -> int:
    """Make deliveries wait again, at their old place; those that wait already are left alone. Returns how many."""
    policy.demand(caller, Permission.ROUTING_REPLAY)
    replayed = 0
    for key in keys:
        found, _ = delivery(tx, caller, key)
        if found.state in (DeliveryState.DEAD, DeliveryState.SENT):
            tx.routing.put_back(key)
            record(tx, caller, "routing.replay", f"Delivery/{key}", detail=found.destination)
            replayed += 1
    return replayed


def send(tx: RoutingTransaction, caller: Caller, destination: str, kind: ParcelKind, reference: str) -> bool:
    """Plan one delivery by hand; tell whether it is new. Raises NotFound when there is no such peer or parcel."""
    policy.demand(caller, Permission.ROUTING_REPLAY)
    if tx.access.peer(destination) is None:
        raise NotFound(f"no peer is called '{destination}'", next_step="hilum peers list")
    if not _is_here(tx, kind, reference):
        raise NotFound(f"there is no such {kind} to send", next_step="search for it first")
    new = tx.routing.add(destination, kind, reference, "by-hand", caller.trace)
    if new:
        record(tx, caller, "routing.send", f"Peer/{destination}", detail=f"{kind} {reference}")
    return new


def _settle(tx: RoutingTransaction, attempted: Attempted, chance: float) -> None:
    delivery, receipt = attempted.delivery, attempted.receipt
    number = delivery.attempts + 1
    state = STATE_AFTER[receipt.verdict]
    spent = number >= rules.MOST_ATTEMPTS and state in (DeliveryState.WAITING, DeliveryState.UNCERTAIN)
    state = DeliveryState.DEAD if spent else state
    retry = state in (DeliveryState.WAITING, DeliveryState.UNCERTAIN)
    next_attempt = tx.now + rules.wait_after(number, chance) if retry else None
    tx.routing.settle(delivery.key, state, next_attempt, f"{receipt.code} {receipt.text}".strip())
    tx.routing.add_attempt(
        Attempt(
            delivery_key=delivery.key,
            number=number,
            started=attempted.started,
            ended=attempted.ended,
            verdict=receipt.verdict,
            code=receipt.code,
            text=receipt.text,
        )
    )
    if state is DeliveryState.DEAD:
        tx.events.append(DeliveryDied(delivery.key, delivery.destination), delivery.trace)
    if state is DeliveryState.DEAD and delivery.kind is ParcelKind.COMMITMENT_REQUEST:
        reason = f"storage commitment was not taken up: {receipt.code} {receipt.text}".strip()
        committing.give_up(tx, delivery.reference, reason, again=False)
    if receipt.report is not None:
        committing.take_report(tx, policy.ENGINE, receipt.report)
    if state is DeliveryState.SENT and delivery.kind is ParcelKind.COMMITMENT:
        archive.commitment_reported(tx, delivery.reference)


def _is_here(tx: RoutingTransaction, kind: ParcelKind, reference: str) -> bool:
    match kind:
        case ParcelKind.INSTANCE:
            return tx.archive.instance(reference) is not None
        case ParcelKind.REPORT:
            return tx.reports.by_public_id(*_report_version(reference)) is not None
        case ParcelKind.PROCEDURE_STEP:
            return tx.orders.performed_message(_number(reference)) is not None
        case ParcelKind.AVAILABILITY:
            kept = tx.archive.find(
                Query(Level.STUDY, {"study_instance_uid": Exact(reference.partition("/")[0])})
            )
            return bool(kept)
        case ParcelKind.COMMITMENT_REQUEST:
            return tx.routing.asked(reference) is not None
        case ParcelKind.COMMITMENT:
            return tx.archive.commitment(reference) is not None
        case ParcelKind.WORKITEM_REPORT:
            return tx.workitems.report(*_numbered_report(reference)) is not None


def _number(reference: str) -> int:
    return int(reference) if reference.isascii() and reference.isdecimal() and len(reference) < 18 else 0


def _report_version(reference: str) -> tuple[str, int | None]:
    """Return public id and version; without a number the newest is meant."""
    public_id, _, version = reference.partition("/")
    return public_id, int(version) if version.isdecimal() else None


def _numbered_report(reference: str) -> tuple[str, int]:
    """Return AE title and number of a workitem report."""
    number, _, ae_title = reference.partition("/")
    return ae_title, int(number) if number.isdecimal() and len(number) < 18 else 0


def _tags_of(
    tx: RoutingTransaction, sop_instance_uid: str, keywords: frozenset[str], read_tags: TagReader
) -> Mapping[str, str]:
    kept = tx.archive.stored_classes([sop_instance_uid]) if keywords else {}
    _, digest = kept.get(sop_instance_uid, ("", ""))
    try:
        return read_tags(digest, keywords) if digest else {}
    except (NotFound, Invalid):
        # Bytes that cannot be read match no tag; the events behind this one must not wait for them.
        return {}
