"""The patient index."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, bindparam, func, select, update

from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientQuery, PatientRecord
from hilum.stores.sql.folding import family_words, folded_name, given_words, name_words
from hilum.stores.sql.matching import any_range, fuzzy_condition
from hilum.stores.sql.numbers import any_number_matches
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.putting import added
from hilum.stores.sql.schema import patient_records as records

_DEMOGRAPHICS = tuple(field.name for field in fields(Demographics))
_NAMES = (
    "key",
    "public_id",
    "value",
    "issuer",
    *_DEMOGRAPHICS,
    "survivor_key",
    "root_key",
    "authoritative",
    "version",
    "created",
    "updated",
)
WIDTH = len(_NAMES)
"""How many columns a record takes in a row."""


def columns_of(table: FromClause) -> list[ColumnElement[Any]]:
    """Return the columns that `patient_record` reads, of the table or an alias of it."""
    return [table.c[name] for name in _NAMES]


def patient_record(row: Sequence[Any]) -> PatientRecord:
    """Return the record of a row of `columns_of`."""
    key, public_id, value, issuer, *others = row
    demographics, others = others[: len(_DEMOGRAPHICS)], others[len(_DEMOGRAPHICS) :]
    return PatientRecord(key, public_id, Identifier(value, issuer), Demographics(*demographics), *others)


_RECORDS = select(*columns_of(records))
_BY_IDENTIFIER = _RECORDS.where(
    records.c.value == bindparam("value"), records.c.issuer == bindparam("issuer")
)
_BY_VALUE = _RECORDS.where(records.c.value == bindparam("value")).order_by(records.c.key)
_BY_KEY = _RECORDS.where(records.c.key == bindparam("at"))
_BY_PUBLIC_ID = _RECORDS.where(records.c.public_id == bindparam("at"))
_LINKED = _RECORDS.where(records.c.root_key == bindparam("at")).order_by(
    records.c.key != bindparam("at"), records.c.key
)
_POINTING_AT = _RECORDS.where(records.c.survivor_key == bindparam("at")).order_by(records.c.key)
_LINKED_TO = _RECORDS.where(records.c.root_key.in_(bindparam("keys", expanding=True))).order_by(
    records.c.key != records.c.root_key, records.c.key
)
_pointing = records.alias("pointing")
_any_record = records.alias("any_record")
_of_person = records.alias("of_person")
_SURVIVORS = (
    select(_pointing.c.key, *columns_of(records))
    .join_from(_pointing, records, records.c.key == _pointing.c.root_key)
    .where(_pointing.c.key.in_(bindparam("keys", expanding=True)))
)
_NEXT_ISSUER = select(func.min(records.c.issuer)).where(records.c.issuer > bindparam("after"))
_ADD = records.insert()
_ROOT_ITSELF = update(records).where(records.c.key == bindparam("at")).values(root_key=records.c.key)
_CHANGE = (
    update(records)
    .where(records.c.key == bindparam("at"))
    .values(version=records.c.version + 1, updated=bindparam("now"))
)
_PUT_ISSUER = _CHANGE.values(issuer=bindparam("new_issuer"))
_POINT = _CHANGE.values(survivor_key=bindparam("to"))
_DESCRIBED = (*_DEMOGRAPHICS, "name_folded", "name_words", "family_words", "given_words", "authoritative")
_PUT_DEMOGRAPHICS = _CHANGE.values({name: bindparam(f"new_{name}") for name in _DESCRIBED})
_PUT_ROOT = update(records).where(records.c.key == bindparam("at")).values(root_key=bindparam("root"))


class SqlPatients:
    """Core's `PatientShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def by_identifier(self, identifier: Identifier) -> PatientRecord | None:
        """Return the record with exactly this value and issuer."""
        sought = {"value": identifier.value, "issuer": identifier.issuer}
        row = self._opened.connection.execute(_BY_IDENTIFIER, sought).first()
        return patient_record(row) if row else None

    def by_value(self, value: str) -> list[PatientRecord]:
        """Return the records of all issuers with this value."""
        return [patient_record(row) for row in self._opened.connection.execute(_BY_VALUE, {"value": value})]

    def by_key(self, key: int) -> PatientRecord | None:
        """Return one record."""
        row = self._opened.connection.execute(_BY_KEY, {"at": key}).first()
        return patient_record(row) if row else None

    def by_public_id(self, public_id: str) -> PatientRecord | None:
        """Return one record by the id that FHIR and the console show."""
        row = self._opened.connection.execute(_BY_PUBLIC_ID, {"at": public_id}).first()
        return patient_record(row) if row else None

    def linked(self, root_key: int) -> list[PatientRecord]:
        """Return the root and all records that point to it, root first."""
        return [patient_record(row) for row in self._opened.connection.execute(_LINKED, {"at": root_key})]

    def linked_to(self, root_keys: list[int]) -> list[PatientRecord]:
        """Return the roots and all records that point to any of them, roots first."""
        rows = self._opened.connection.execute(_LINKED_TO, {"keys": root_keys})
        return [patient_record(row) for row in rows]

    def survivors(self, keys: list[int]) -> dict[int, PatientRecord]:
        """Return the surviving record of each of the records, by the key of the record."""
        rows = self._opened.connection.execute(_SURVIVORS, {"keys": keys})
        return {key: patient_record(row) for key, *row in rows}

    def touch(self, keys: list[int]) -> None:
        """Note that the links of records changed: version + 1 and the transaction's time."""
        for key in keys:
            self._opened.connection.execute(_CHANGE, {"at": key, "now": self._opened.now})

    def pointing_at(self, key: int) -> list[PatientRecord]:
        """Return the records whose survivor pointer is this key."""
        return [patient_record(row) for row in self._opened.connection.execute(_POINTING_AT, {"at": key})]

    def issuers(self) -> list[str]:
        """Return the distinct issuers, without the empty one, hopping from one to the next along the index."""
        found: list[str] = []
        while (issuer := self._issuer_after(found[-1] if found else "")) is not None:
            found.append(issuer)
        return found

    def add(self, record: PatientRecord) -> PatientRecord:
        """Keep a new record (its key 0, root_key 0) and return it with its key; raises Conflict when it is there."""
        row = {name: getattr(record, name) for name in ("public_id", "survivor_key", "version")}
        row |= {"value": record.identifier.value, "issuer": record.identifier.issuer, "root_key": 0}
        row |= {"created": record.created, "updated": record.updated}
        row |= _described(record.demographics, authoritative=record.authoritative)
        key = added(self._opened.connection, _ADD, row)
        self._opened.connection.execute(_ROOT_ITSELF, {"at": key})
        return replace(record, key=key, root_key=key)

    def put_demographics(
        self, record: PatientRecord, demographics: Demographics, *, authoritative: bool
    ) -> None:
        """Replace demographics, with version + 1 and the transaction's time."""
        described = _described(demographics, authoritative=authoritative)
        changes = {f"new_{name}": value for name, value in described.items()}
        self._opened.connection.execute(
            _PUT_DEMOGRAPHICS, changes | {"at": record.key, "now": self._opened.now}
        )

    def put_issuer(self, record: PatientRecord, issuer: str) -> None:
        """Give a record without issuer its issuer, with version + 1."""
        change = {"at": record.key, "now": self._opened.now, "new_issuer": issuer}
        self._opened.connection.execute(_PUT_ISSUER, change)

    def point(self, record: PatientRecord, survivor_key: int | None) -> None:
        """Set or clear the survivor pointer, with version + 1."""
        change = {"at": record.key, "now": self._opened.now, "to": survivor_key}
        self._opened.connection.execute(_POINT, change)

    def put_root(self, keys: list[int], root_key: int) -> None:
        """Set the derived root of records."""
        if keys:
            self._opened.connection.execute(_PUT_ROOT, [{"at": key, "root": root_key} for key in keys])

    def find(self, query: PatientQuery) -> list[PatientRecord]:
        """Return records by the query, newest change first, then by key."""
        chosen = (
            _RECORDS.where(*_conditions(query))
            .order_by(records.c.updated.desc(), records.c.key.desc())
            .limit(query.limit)
            .offset(query.offset)
        )
        return [patient_record(row) for row in self._opened.connection.execute(chosen)]

    def count(self, query: PatientQuery) -> int:
        """Return how many `find` would give without limit."""
        counted = select(func.count()).select_from(records).where(*_conditions(query))
        return int(self._opened.connection.execute(counted).scalar_one())

    def _issuer_after(self, issuer: str) -> str | None:
        found: str | None = self._opened.connection.execute(_NEXT_ISSUER, {"after": issuer}).scalar_one()
        return found


def _described(demographics: Demographics, *, authoritative: bool) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(demographics, name) for name in _DEMOGRAPHICS}
    return row | {
        "name_folded": folded_name(demographics.name),
        "name_words": name_words(demographics.name),
        "family_words": family_words(demographics.name),
        "given_words": given_words(demographics.name),
        "authoritative": authoritative,
    }


def _conditions(query: PatientQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for words, text in (
        (records.c.name_words, query.name),
        (records.c.family_words, query.family),
        (records.c.given_words, query.given),
    ):
        if text:
            conditions.append(fuzzy_condition(words, text))
    conditions += [
        records.c[name] == getattr(query, name)
        for name in ("birth_date", "sex", "public_id")
        if getattr(query, name)
    ]
    if query.updated_since is not None:
        conditions.append(records.c.updated >= query.updated_since)
    if query.updated_before is not None:
        conditions.append(records.c.updated < query.updated_before)
    if query.only_merged:
        conditions.append(records.c.survivor_key.is_not(None))
    elif not query.include_merged:
        conditions.append(records.c.survivor_key.is_(None))
    return conditions + _any_of_conditions(query)


def _any_of_conditions(query: PatientQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, values in ((records.c.public_id, query.public_ids), (records.c.sex, query.sexes)):
        if values:
            conditions.append(column.in_(values))
    if query.born:
        conditions.append(any_range(records.c.birth_date, query.born))
    if query.identified_by:
        conditions.append(_identified(query))
    return conditions


def _identified(query: PatientQuery) -> ColumnElement[bool]:
    """A survivor is also known by the identifiers of the records that point to it; a merged one only by its own."""
    own = any_number_matches([(_any_record.c.value, _any_record.c.issuer)], query.identified_by)
    known = select(_any_record.c.root_key).where(own).union(select(_any_record.c.key).where(own))
    return records.c.key.in_(known)


def persons(query: PatientQuery) -> Select[Any]:
    """Return the keys of all records of the persons of whom a query finds a record."""
    roots = select(records.c.root_key).where(*_conditions(query)).correlate(None)
    return select(_of_person.c.key).where(_of_person.c.root_key.in_(roots)).correlate(None)
