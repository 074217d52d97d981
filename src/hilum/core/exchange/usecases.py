"""Receive a message: keep it, apply it once, in one commit."""

from datetime import timedelta

from hilum.core.access import policy
from hilum.core.audit.usecases import record
from hilum.core.exchange.model import (
    Applied,
    Command,
    Envelope,
    FileReports,
    InboundMessage,
    MergePatients,
    PlaceOrders,
    RegisterPatient,
)
from hilum.core.exchange.ports import ExchangeTransaction
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import NotFound
from hilum.core.orders import usecases as orders
from hilum.core.patients import usecases as patients
from hilum.core.reports import usecases as reports

REPEAT_WINDOW = timedelta(hours=24)


def receive(tx: ExchangeTransaction, caller: Caller, envelope: Envelope, command: Command) -> Applied:
    """Apply a message unless this peer sent the same one within a day: raw bytes and effects in one commit."""
    since = tx.now - REPEAT_WINDOW
    if tx.messages.accepted_since(caller.name, envelope.control_id, envelope.digest, since):
        return Applied(repeated=True)
    _apply(tx, caller, command)
    tx.messages.add(_kept(tx, caller, envelope, "AA", ""))
    return Applied(repeated=False)


def note_rejected(
    tx: ExchangeTransaction, caller: Caller, envelope: Envelope, answer: str, reason: str
) -> None:
    """Keep a message that was answered AE or AR, so that a person can see it. `reason` carries no wire values."""
    tx.messages.add(_kept(tx, caller, envelope, answer, reason))


def messages(
    tx: ExchangeTransaction, caller: Caller, limit: int, before_key: int | None = None
) -> list[InboundMessage]:
    """Return messages, newest first."""
    policy.demand(caller, Permission.ROUTING_READ)
    return tx.messages.newest(limit, before_key)


def message(tx: ExchangeTransaction, caller: Caller, key: int) -> InboundMessage:
    """Return one message with its bytes; raises NotFound."""
    policy.demand(caller, Permission.ROUTING_READ)
    found = tx.messages.message(key)
    if found is None:
        raise NotFound("no such message")
    record(tx, caller, "exchange.read", f"Message/{key}")
    return found


def _apply(tx: ExchangeTransaction, caller: Caller, command: Command) -> None:
    match command:
        case RegisterPatient(statement):
            patients.register(tx, caller, statement)
        case MergePatients(pairs):
            for survivor, retired in pairs:
                patients.merge(tx, caller, survivor, retired)
        case PlaceOrders(order_message):
            orders.place(tx, caller, order_message)
        case FileReports(requests):
            for request in requests:
                reports.file(tx, caller, request)


def _kept(
    tx: ExchangeTransaction, caller: Caller, envelope: Envelope, answer: str, reason: str
) -> InboundMessage:
    return InboundMessage(
        key=0,
        peer=caller.name,
        envelope=envelope,
        answer=answer,
        reason=reason,
        trace=caller.trace,
        received=tx.now,
    )
