"""Versions of reports."""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, bindparam, cast, func, select, update

from hilum.core.archive.model import Between
from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.reports.model import (
    Attachment,
    FiledReport,
    Observation,
    Report,
    ReportQuery,
    ReportStatus,
)
from hilum.stores.sql.matching import any_range, text_condition
from hilum.stores.sql.numbers import (
    NUMBERS,
    any_code_is,
    any_number_matches,
    identifier,
    number_columns,
    number_pairs,
    number_row,
)
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.orders import keys_of
from hilum.stores.sql.patients import WIDTH, columns_of, patient_record, persons
from hilum.stores.sql.putting import added
from hilum.stores.sql.schema import orders, patient_records, report_attachments, reports

_NESTED = (*NUMBERS, "key", "identifier", "status", "observations", "attachments")
_PLAIN = tuple(field.name for field in fields(Report) if field.name not in _NESTED)
_REPORT = (
    reports.c.key,
    reports.c.status,
    reports.c.observations,
    reports.c.value,
    reports.c.issuer,
    *number_columns(reports),
    *(reports.c[name] for name in _PLAIN),
)
_received = patient_records.alias("received")
_root = patient_records.alias("root")

_NEWEST = select(*_REPORT).where(
    reports.c.value == bindparam("value"), reports.c.issuer == bindparam("issuer"), reports.c.newest
)
_FILED = (
    select(*columns_of(_root), orders.c.public_id, *_REPORT)
    .join_from(reports, _received, _received.c.key == reports.c.patient_record_key)
    .join(_root, _root.c.key == _received.c.root_key)
    .outerjoin(orders, orders.c.key == reports.c.order_key)
)
_SUPERSEDE = (
    update(reports)
    .where(reports.c.value == bindparam("at"), reports.c.issuer == bindparam("by"), reports.c.newest)
    .values(newest=False)
)
_ADD = reports.insert()
_ADD_ATTACHMENT = report_attachments.insert().inline()
_ATTACHMENTS = (
    select(report_attachments.c.report_key, report_attachments.c.media_type, report_attachments.c.content)
    .where(report_attachments.c.report_key.in_(bindparam("keys", expanding=True)))
    .order_by(report_attachments.c.report_key, report_attachments.c.place)
)


class SqlReports:
    """Core's `ReportShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def newest(self, identifier: Identifier) -> Report | None:
        """Return the newest version of the report with exactly this identifier."""
        sought = {"value": identifier.value, "issuer": identifier.issuer}
        row = self._opened.connection.execute(_NEWEST, sought).first()
        return _report(row, self._attachments([row[0]])) if row else None

    def by_public_id(self, public_id: str, version: int | None = None) -> FiledReport | None:
        """Return a version of a report, the newest if none is named, with the surviving patient."""
        which = reports.c.newest if version is None else reports.c.version == version
        found = self._filed(_FILED.where(reports.c.public_id == public_id, which))
        return found[0] if found else None

    def add(self, report: Report) -> Report:
        """Keep a new version (its key 0) and return it with its key; raises Conflict when it is there."""
        connection, number = self._opened.connection, report.identifier
        connection.execute(_SUPERSEDE, {"at": number.value, "by": number.issuer})
        key = added(connection, _ADD, _row(report))
        rows = [
            {"report_key": key, "place": place, "media_type": one.media_type, "content": one.content}
            for place, one in enumerate(report.attachments)
        ]
        if rows:
            connection.execute(_ADD_ATTACHMENT, rows)
        return replace(report, key=key)

    def find(self, query: ReportQuery) -> list[FiledReport]:
        """Return newest versions, newest change first, then by key."""
        chosen = (
            _FILED.where(*_conditions(query))
            .order_by(reports.c.created.desc(), reports.c.key.desc())
            .limit(query.limit)
            .offset(query.offset)
        )
        return self._filed(chosen, attached=query.with_attachments)

    def count(self, query: ReportQuery) -> int:
        """Return how many `find` would give without limit."""
        counted = select(func.count()).select_from(reports).where(*_conditions(query))
        return int(self._opened.connection.execute(counted).scalar_one())

    def _filed(self, statement: Select[Any], *, attached: bool = True) -> list[FiledReport]:
        rows = self._opened.connection.execute(statement).all()
        keys = [row[WIDTH + 1] for row in rows]
        attachments = self._attachments(keys) if attached else {key: [] for key in keys}
        return [
            FiledReport(_report(row[WIDTH + 1 :], attachments), patient_record(row[:WIDTH]), row[WIDTH] or "")
            for row in rows
        ]

    def _attachments(self, keys: list[int]) -> dict[int, list[Attachment]]:
        found: dict[int, list[Attachment]] = {key: [] for key in keys}
        if keys:
            for key, *one in self._opened.connection.execute(_ATTACHMENTS, {"keys": keys}):
                found[key].append(Attachment(*one))
        return found


def _row(report: Report) -> dict[str, Any]:
    row = {name: getattr(report, name) for name in _PLAIN} | number_row(report)
    return row | {
        "newest": True,
        "value": report.identifier.value,
        "issuer": report.identifier.issuer,
        "status": report.status.value,
        "observations": [asdict(observation) for observation in report.observations],
    }


def _report(row: Sequence[Any], attachments: dict[int, list[Attachment]]) -> Report:
    key, status, observations, value, issuer, *others = row
    numbers: dict[str, Any] = {
        name: identifier(others[2 * at], others[2 * at + 1]) for at, name in enumerate(NUMBERS)
    }
    plain = dict(zip(_PLAIN, others[2 * len(NUMBERS) :], strict=True))
    return Report(
        key=key,
        identifier=Identifier(value, issuer),
        status=ReportStatus(status),
        observations=tuple(_observation(kept) for kept in observations),
        attachments=tuple(attachments[key]),
        **numbers,
        **plain,
    )


def _observation(kept: dict[str, Any]) -> Observation:
    codes = {name: Code(**kept[name]) for name in ("code", "value_code", "unit")}
    return Observation(**(kept | codes))


def _conditions(query: ReportQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [reports.c.newest]
    if query.patient_root_key is not None:
        of_person = select(patient_records.c.key).where(patient_records.c.root_key == query.patient_root_key)
        conditions.append(reports.c.patient_record_key.in_(of_person))
    conditions += [
        reports.c[name] == getattr(query, name)
        for name in ("public_id", "study_instance_uid")
        if getattr(query, name)
    ]
    if query.order_key is not None:
        conditions.append(reports.c.order_key == query.order_key)
    if query.status:
        conditions.append(reports.c.status.in_([status.value for status in query.status]))
    if any(query.issued):
        conditions.append(text_condition(reports.c.issued, Between(*query.issued)))
    if query.updated_since is not None:
        conditions.append(reports.c.created >= query.updated_since)
    if query.updated_before is not None:
        conditions.append(reports.c.created < query.updated_before)
    return conditions + _any_of_conditions(query)


def _any_of_conditions(query: ReportQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, values in (
        (reports.c.public_id, query.public_ids),
        (reports.c.study_instance_uid, query.study_instance_uids),
    ):
        if values:
            conditions.append(column.in_(values))
    if query.identified_by:
        pairs = [(reports.c.value, reports.c.issuer), *number_pairs(reports)]
        conditions.append(any_number_matches(pairs, query.identified_by))
    if query.codes:
        conditions.append(any_code_is(reports.c.code, query.codes))
    for column, ranges in ((reports.c.effective, query.observed), (reports.c.issued, query.reported)):
        if ranges:
            conditions.append(any_range(column, ranges))
    if query.with_observations:
        conditions.append(cast(reports.c.observations, Text) != "[]")
    conditions += [reports.c.patient_record_key.in_(persons(one)) for one in query.patients]
    return conditions + [reports.c.order_key.in_(keys_of(one)) for one in query.orders]
