"""What a store must do for orders."""

from typing import Protocol

from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import (
    Order,
    OrderQuery,
    PerformedMessage,
    PerformedProcedureStep,
    StepStatus,
    WorklistItem,
    WorklistQuery,
)
from hilum.core.patients.ports import PatientsTransaction


class OrderShelf(Protocol):
    """Orders and steps. Placer number, filler number and study UID are each unique where they are given."""

    def by_public_id(self, public_id: str) -> Order | None:
        """Return one order."""

    def by_key(self, key: int) -> Order | None:
        """Return one order."""

    def by_placer_order_number(self, number: Identifier) -> Order | None:
        """Return the order with exactly this placer number."""

    def by_filler_order_number(self, number: Identifier) -> Order | None:
        """Return the order with exactly this filler number."""

    def by_accession_number(self, value: str) -> list[Order]:
        """Return the orders with this accession number, of any issuer."""

    def by_study_instance_uid(self, study_instance_uid: str) -> Order | None:
        """Return the order whose study has this UID."""

    def public_ids(self, keys: list[int]) -> dict[int, str]:
        """Return the public ids of orders by their keys."""

    def add(self, order: Order) -> Order:
        """Keep a new order and its steps (keys 0), and return it with its keys; raises Conflict."""

    def put(self, order: Order) -> None:
        """Replace an order and its steps by key, with version + 1; steps with key 0 are added."""

    def put_step_status(self, step_key: int, status: StepStatus) -> None:
        """Set the status of one step."""

    def find(self, query: OrderQuery) -> list[Order]:
        """Return orders, newest change first, then by key."""

    def count(self, query: OrderQuery) -> int:
        """Return how many `find` would give without limit."""

    def worklist(self, query: WorklistQuery) -> list[WorklistItem]:
        """Return matching steps with the surviving patient, by start date and time."""

    def performed(self, sop_instance_uid: str) -> PerformedProcedureStep | None:
        """Return one performed procedure step."""

    def put_performed(self, step: PerformedProcedureStep) -> None:
        """Add or replace a performed procedure step by its UID."""

    def add_performed_message(self, message: PerformedMessage) -> int:
        """Keep a message (key 0); returns its key."""

    def performed_message(self, key: int) -> PerformedMessage | None:
        """Return one message."""

    def performed_of_study(self, study_instance_uid: str) -> list[PerformedProcedureStep]:
        """Return the performed procedure steps that name a study."""


class OrdersTransaction(PatientsTransaction, Protocol):
    """A transaction that sees orders."""

    @property
    def orders(self) -> OrderShelf:
        """Orders and steps."""
