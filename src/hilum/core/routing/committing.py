"""Storage commitment as its requester (PS3.4 J): ask for what was sent, and settle it by what the peer reports."""

from datetime import timedelta

from hilum.core.access import policy
from hilum.core.archive.model import ReferencedInstance
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, CallerKind, Permission
from hilum.core.kernel.errors import NotFound
from hilum.core.routing import rules
from hilum.core.routing.events import DeliveryDied
from hilum.core.routing.model import (
    AskedCommitment,
    CommitmentReport,
    CommitmentRequestParcel,
    Delivery,
    DeliveryState,
    ParcelKind,
)
from hilum.core.routing.ports import RoutingTransaction

PATIENCE = timedelta(hours=1)
"""How long a peer may take to report; then it is asked again under a new transaction UID."""
MOST_AT_ONCE = 500
RULE = "storage-commitment"


def plan_requests(tx: RoutingTransaction) -> None:
    """Ask again where no report came in time, and ask for what was stored since."""
    for asked in tx.routing.asked_before(tx.now - PATIENCE):
        give_up(tx, asked.transaction_uid, "no report of the storage commitment came", again=True)
    for destination in tx.routing.destinations_stored():
        stored = tx.routing.stored(destination, MOST_AT_ONCE)
        asked = AskedCommitment(tx.fresh_uid(), destination, tuple(one.key for one in stored), tx.now)
        tx.routing.put_asked(asked)
        for one in stored:
            _move(tx, one, DeliveryState.ASKED, one.reason)
        tx.routing.add(
            destination, ParcelKind.COMMITMENT_REQUEST, asked.transaction_uid, RULE, tx.fresh_key()[:16]
        )


def request(tx: RoutingTransaction, transaction_uid: str) -> CommitmentRequestParcel:
    """Return what a request names; raises NotFound when it is over."""
    asked = _asked(tx, transaction_uid)
    uids = [one.reference for one in tx.routing.of_keys(asked.delivery_keys)]
    kept = tx.archive.stored_classes(uids)
    references = tuple(ReferencedInstance(kept[uid][0], uid) for uid in uids if uid in kept)
    if not references:
        raise NotFound("no instance of this storage commitment is here any more")
    return CommitmentRequestParcel(transaction_uid, references)


def take_report(tx: RoutingTransaction, caller: Caller, report: CommitmentReport) -> None:
    """N-EVENT-REPORT: settle what the peer keeps, send again what it does not (PS3.4 J.3.3); raises NotFound."""
    policy.demand(caller, Permission.ARCHIVE_COMMIT)
    asked = _asked(tx, report.transaction_uid)
    if caller.kind is CallerKind.PEER and caller.peer != asked.destination:
        raise NotFound("no such storage commitment was asked of this peer")
    for one in tx.routing.of_keys(asked.delivery_keys):
        if one.state is DeliveryState.ASKED:
            _judge(tx, one, report)
    tx.routing.forget_asked(report.transaction_uid)
    detail = f"{len(report.committed)} committed, {len(report.failed)} failed"
    record(tx, caller, "routing.committed", f"Peer/{asked.destination}", detail=detail)


def give_up(tx: RoutingTransaction, transaction_uid: str, reason: str, *, again: bool) -> None:
    """End a request without a report: ask again where that may help, else the deliveries are dead."""
    asked = tx.routing.asked(transaction_uid)
    if asked is None:
        return
    for one in tx.routing.of_keys(asked.delivery_keys):
        if one.state is DeliveryState.ASKED:
            _again(tx, one, DeliveryState.STORED if again else DeliveryState.DEAD, reason)
    tx.routing.forget_asked(transaction_uid)


def _judge(tx: RoutingTransaction, one: Delivery, report: CommitmentReport) -> None:
    if one.reference in report.committed:
        _move(tx, one, DeliveryState.COMMITTED, "storage commitment")
    elif one.reference in report.failed:
        code = f"{report.failed[one.reference]:04X}"
        _again(tx, one, DeliveryState.WAITING, f"{code} not committed to by the peer")
    else:
        _again(tx, one, DeliveryState.STORED, "not named in the report of the storage commitment")


def _again(tx: RoutingTransaction, one: Delivery, state: DeliveryState, reason: str) -> None:
    """Try again; whoever was tried often enough is dead."""
    if one.attempts >= rules.MOST_ATTEMPTS or state is DeliveryState.DEAD:
        _move(tx, one, DeliveryState.DEAD, reason)
        tx.events.append(DeliveryDied(one.key, one.destination), one.trace)
        return
    counted = one.attempts + (state is DeliveryState.STORED)  # sending again counts by itself
    next_attempt = tx.now + rules.wait_after(max(counted, 1), 0)
    tx.routing.move(one.key, state, reason, attempts=counted, next_attempt=next_attempt)


def _move(tx: RoutingTransaction, one: Delivery, state: DeliveryState, reason: str) -> None:
    tx.routing.move(one.key, state, reason, attempts=one.attempts, next_attempt=one.next_attempt)


def _asked(tx: RoutingTransaction, transaction_uid: str) -> AskedCommitment:
    asked = tx.routing.asked(transaction_uid)
    if asked is None:
        raise NotFound("no such storage commitment was asked for, or it is over")
    return asked
