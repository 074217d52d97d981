"""Queries over the archive at the four levels (PS3.4 C.6, PS3.18 10.6), as one statement each."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    exists,
    func,
    literal_column,
    select,
    true,
)

from hilum.core.archive.model import AnyBetween, Between, Found, Instance, Level, Match, Query
from hilum.core.archive.rules import KEYS
from hilum.core.kernel.choices import View
from hilum.stores.sql.chunks import chunks
from hilum.stores.sql.matching import is_universal, name_condition, text_condition
from hilum.stores.sql.narrowing import few_persons, modality_condition
from hilum.stores.sql.orders import keys_of
from hilum.stores.sql.paging import behind
from hilum.stores.sql.patients import WIDTH, columns_of, patient_record, persons
from hilum.stores.sql.rows import INSTANCE, SERIES, STUDY, instance_of, series_of, study_of
from hilum.stores.sql.schema import instances, patient_records, series, studies
from hilum.stores.sql.showing import recounted, showing

_received = patient_records.alias("received")
"""The record that the images came under."""
_root = patient_records.alias("root")
"""The record that survives: what answers show, and what names and dates are matched on."""
_any_record = patient_records.alias("any_record")
"""Any record of the person: old and new numbers find the same studies."""

_PATIENT = tuple(columns_of(_root))

_COLUMNS: Mapping[Level, tuple[ColumnElement[Any], ...]] = {
    Level.PATIENT: _PATIENT,
    Level.STUDY: _PATIENT + STUDY,
    Level.SERIES: _PATIENT + STUDY + SERIES,
    Level.INSTANCE: _PATIENT + STUDY + SERIES + INSTANCE,
}
_NEWEST_STUDY = (studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.key.desc())
_BY_SERIES = (*_NEWEST_STUDY, series.c.series_order, series.c.key)
_ORDER: Mapping[Level, tuple[ColumnElement[Any], ...]] = {
    Level.PATIENT: (_root.c.key.desc(),),
    Level.STUDY: _NEWEST_STUDY,
    Level.SERIES: _BY_SERIES,
    Level.INSTANCE: (*_BY_SERIES, instances.c.instance_order, instances.c.key),
}
_UPDATED: Mapping[Level, Column[Any]] = {
    Level.PATIENT: _root.c.updated,
    Level.STUDY: studies.c.updated,
    Level.SERIES: series.c.updated,
    Level.INSTANCE: instances.c.stored,
}

_STUDIES = studies.join(_received, _received.c.key == studies.c.patient_record_key).join(
    _root, _root.c.key == _received.c.root_key
)
_SERIES = _STUDIES.join(series, series.c.study_key == studies.c.key)
_INSTANCES = _SERIES.join(instances, instances.c.series_key == series.c.key)
_FROM: Mapping[Level, FromClause] = {
    Level.PATIENT: _root,
    Level.STUDY: _STUDIES,
    Level.SERIES: _SERIES,
    Level.INSTANCE: _INSTANCES,
}
_STUDIES_OF_ROOT = (
    select(studies.c.key)
    .join_from(studies, _received, _received.c.key == studies.c.patient_record_key)
    .where(_received.c.root_key == _root.c.key)
)

_PATIENT_COLUMNS: Mapping[str, Column[Any]] = {
    "patient_birth_date": _root.c.birth_date,
    "patient_sex": _root.c.sex,
}
_TABLES = {Level.STUDY: studies, Level.SERIES: series, Level.INSTANCE: instances}


def find(connection: Connection, query: Query) -> list[Found]:
    """Return one page of answers."""
    chosen = _chosen(connection, query, query.level).order_by(*_ORDER[query.level]).offset(query.offset)
    if query.limit is not None:
        chosen = chosen.limit(query.limit)
    elif query.offset:
        chosen = chosen.limit(2**31)
    found = [_found(row, query.level) for row in connection.execute(chosen)]
    return found if query.view is View.REGULAR else recounted(connection, found, query.view)


def count(connection: Connection, query: Query) -> int:
    """Return how many answers there are.

    Studies are counted by an index alone, then those without instances in use, who are few, are taken off again.
    """
    conditions = _conditions(connection, query, counting=True)
    if query.level is not Level.STUDY or query.view is not View.REGULAR:
        return _number(connection, _FROM[query.level], [*conditions, *_showing(query.level, query.view)])
    of_patients = bool(query.patients) or query.patient_root_key is not None
    of_patients = of_patients or any(KEYS[key] is Level.PATIENT for key in query.matches)
    counted = _STUDIES if of_patients else studies
    empty = studies.c.number_of_instances == literal_column("0")
    return _number(connection, counted, conditions) - _number(connection, counted, [*conditions, empty])


def _number(connection: Connection, counted: FromClause, conditions: list[ColumnElement[bool]]) -> int:
    return int(connection.execute(select(func.count()).select_from(counted).where(*conditions)).scalar_one())


def every_instance(connection: Connection, query: Query) -> list[Found]:
    """Return every instance below what matches, in series order.

    What stands above the instances is read once for each series: of a long series it would be most of the answer.
    """
    if query.level is Level.INSTANCE:
        chosen = _chosen(connection, query, Level.INSTANCE).order_by(*_ORDER[Level.INSTANCE])
        return [_found(row, Level.INSTANCE) for row in connection.execute(chosen)]
    narrow = select(series.c.key, *INSTANCE).select_from(_INSTANCES)
    narrow = narrow.where(*_conditions(connection, query), *_showing(Level.INSTANCE, query.view))
    rows = connection.execute(narrow.order_by(*_ORDER[Level.INSTANCE])).all()
    above = _series_by_key(connection, sorted({row[0] for row in rows}))
    return [_below(above[row[0]], instance_of(row[1:])) for row in rows]


def _series_by_key(connection: Connection, keys: list[int]) -> dict[int, Found]:
    found: dict[int, Found] = {}
    for chunk in chunks(keys):
        chosen = select(series.c.key, *_COLUMNS[Level.SERIES]).select_from(_SERIES)
        for row in connection.execute(chosen.where(series.c.key.in_(chunk))):
            found[row[0]] = _found(row[1:], Level.SERIES)
    return found


def _below(found: Found, instance: Instance) -> Found:
    return Found(found.patient, found.study, found.series, instance)


def _chosen(connection: Connection, query: Query, shown: Level) -> Select[Any]:
    conditions = [*_conditions(connection, query), *_showing(shown, query.view)]
    return select(*_COLUMNS[shown]).select_from(_FROM[shown]).where(*conditions)


def _showing(level: Level, view: View) -> list[ColumnElement[bool]]:
    """A person is an answer when it has studies that show: the archive's view of patients."""
    if level is Level.PATIENT:
        return [exists(_STUDIES_OF_ROOT.where(*showing(Level.STUDY, view))).correlate(_root)]
    return showing(level, view)


def _found(row: Sequence[Any], level: Level) -> Found:
    patient = patient_record(row[:WIDTH])
    if level is Level.PATIENT:
        return Found(patient)
    series_at, instance_at = WIDTH + len(STUDY), WIDTH + len(STUDY) + len(SERIES)
    study = study_of(row[WIDTH:series_at])
    if level is Level.STUDY:
        return Found(patient, study)
    one = series_of(row[series_at:instance_at])
    return Found(patient, study, one, instance_of(row[instance_at:]) if level is Level.INSTANCE else None)


def _conditions(connection: Connection, query: Query, *, counting: bool = False) -> list[ColumnElement[bool]]:
    matches = {key: match for key, match in query.matches.items() if not is_universal(match)}
    conditions = _identifier_conditions(matches) + few_persons(connection, _root.c.key, query)
    if query.view is View.REGULAR and "modalities_in_study" in matches:
        modality = matches.pop("modalities_in_study")
        conditions.append(modality_condition(connection, modality, counting=counting))
    conditions += [_condition(key, match, query) for key, match in matches.items()]
    if query.patient_root_key is not None:
        conditions.append(_root.c.key == query.patient_root_key)
    conditions += [_root.c.key.in_(persons(one)) for one in query.patients]
    conditions += [studies.c.order_key.in_(keys_of(one)) for one in query.orders]
    if query.updated_since is not None:
        conditions.append(_UPDATED[query.level] >= query.updated_since)
    if query.updated_before is not None:
        conditions.append(_UPDATED[query.level] < query.updated_before)
    if query.after is not None:
        conditions.append(behind(query.after, query.level))
    return conditions


def _identifier_conditions(matches: dict[str, Match]) -> list[ColumnElement[bool]]:
    """Match patient ID and issuer on one and the same record of the person, whichever it is."""
    asked = {
        _any_record.c.value: matches.pop("patient_id", None),
        _any_record.c.issuer: matches.pop("issuer_of_patient_id", None),
    }
    given = [text_condition(column, match) for column, match in asked.items() if match is not None]
    return [_root.c.key.in_(select(_any_record.c.root_key).where(*given))] if given else []


def _condition(key: str, match: Match, query: Query) -> ColumnElement[bool]:
    fuzzy = query.fuzzy
    match key:
        case "patient_name":
            return name_condition(_root.c.name_folded, _root.c.name_words if fuzzy else None, match)
        case "referring_physician_name":
            words = studies.c.referring_physician_name_words if fuzzy else None
            return name_condition(studies.c.referring_physician_name_folded, words, match)
        case "modalities_in_study":
            return _in_some_series(text_condition(series.c.modality, match), query.view)
        case "sop_classes_in_study":
            return _in_some_instance(text_condition(instances.c.sop_class_uid, match), query.view)
        case "study_date_time":
            return _started(match)
        case _ if key in _PATIENT_COLUMNS:
            return text_condition(_PATIENT_COLUMNS[key], match)
        case _:
            return text_condition(_TABLES[KEYS[key]].c[key], match)


def _started(match: Match) -> ColumnElement[bool]:
    """Match date and time joined (PS3.4 C.2.2.2.5.4); the days stand as a range beside it, which the index serves."""
    joined = text_condition(studies.c.study_date + studies.c.study_time, match)
    ranges = match.ranges if isinstance(match, AnyBetween) else ()
    days = [Between(one.low[:8], one.high[:8]) for one in ranges]
    narrowed = text_condition(studies.c.study_date, AnyBetween(tuple(days))) if days else true()
    return and_(studies.c.study_date != "", narrowed, joined)


def _in_some_series(condition: ColumnElement[bool], view: View) -> ColumnElement[bool]:
    shown = showing(Level.SERIES, view)
    inner = select(series.c.key).where(and_(series.c.study_key == studies.c.key, condition, *shown))
    return exists(inner.correlate(studies))


def _in_some_instance(condition: ColumnElement[bool], view: View) -> ColumnElement[bool]:
    shown = showing(Level.INSTANCE, view)
    inner = (
        select(instances.c.key)
        .join_from(instances, series, instances.c.series_key == series.c.key)
        .where(and_(series.c.study_key == studies.c.key, condition, *shown))
    )
    return exists(inner.correlate(studies))
