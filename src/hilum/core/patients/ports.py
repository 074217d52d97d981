"""What a store must do for the patient index."""

from typing import Protocol

from hilum.core.access.ports import AccessTransaction
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientQuery, PatientRecord


class PatientShelf(Protocol):
    """Records; (value, issuer) is unique, so two registrations of one record cannot race."""

    def by_identifier(self, identifier: Identifier) -> PatientRecord | None:
        """Return the record with exactly this value and issuer."""

    def by_value(self, value: str) -> list[PatientRecord]:
        """Return the records of all issuers with this value."""

    def by_key(self, key: int) -> PatientRecord | None:
        """Return one record."""

    def by_public_id(self, public_id: str) -> PatientRecord | None:
        """Return one record by the id that FHIR and the console show."""

    def linked(self, root_key: int) -> list[PatientRecord]:
        """Return the root and all records that point to it, root first."""

    def linked_to(self, root_keys: list[int]) -> list[PatientRecord]:
        """Return the roots and all records that point to any of them, roots first."""

    def survivors(self, keys: list[int]) -> dict[int, PatientRecord]:
        """Return the surviving record of each of the records, by the key of the record."""

    def touch(self, keys: list[int]) -> None:
        """Note that the links of records changed: version + 1 and the transaction's time."""

    def pointing_at(self, key: int) -> list[PatientRecord]:
        """Return the records whose survivor pointer is this key."""

    def issuers(self) -> list[str]:
        """Return the distinct issuers, without the empty one; two at most are needed."""

    def add(self, record: PatientRecord) -> PatientRecord:
        """Keep a new record (its key 0, root_key 0) and return it with its key; raises Conflict when it is there."""

    def put_demographics(
        self, record: PatientRecord, demographics: Demographics, *, authoritative: bool
    ) -> None:
        """Replace demographics, with version + 1 and the transaction's time."""

    def put_issuer(self, record: PatientRecord, issuer: str) -> None:
        """Give a record without issuer its issuer, with version + 1."""

    def point(self, record: PatientRecord, survivor_key: int | None) -> None:
        """Set or clear the survivor pointer, with version + 1."""

    def put_root(self, keys: list[int], root_key: int) -> None:
        """Set the derived root of records."""

    def find(self, query: PatientQuery) -> list[PatientRecord]:
        """Return records by the query, newest change first, then by key."""

    def count(self, query: PatientQuery) -> int:
        """Return how many `find` would give without limit."""


class PatientsTransaction(AccessTransaction, Protocol):
    """A transaction that sees patients."""

    @property
    def patients(self) -> PatientShelf:
        """The patient index."""
