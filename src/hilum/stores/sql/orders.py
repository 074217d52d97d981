"""Orders and their scheduled steps."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, update

from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import (
    Order,
    OrderQuery,
    OrderStatus,
    PerformedMessage,
    PerformedProcedureStep,
    ScheduledProcedureStep,
    StepStatus,
    WorklistItem,
    WorklistQuery,
)
from hilum.stores.sql import performed, worklist
from hilum.stores.sql.folding import folded_name
from hilum.stores.sql.matching import any_range
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
from hilum.stores.sql.patients import persons
from hilum.stores.sql.putting import added
from hilum.stores.sql.schema import orders, patient_records
from hilum.stores.sql.schema import scheduled_procedure_steps as steps

_PLAIN = tuple(
    field.name for field in fields(Order) if field.name not in (*NUMBERS, "steps", "status", "key")
)
ORDER = (orders.c.key, orders.c.status, *number_columns(orders), *(orders.c[name] for name in _PLAIN))
STEP = tuple(steps.c[field.name] for field in fields(ScheduledProcedureStep))

_ORDERS = select(*ORDER)
_BY_PUBLIC_ID = _ORDERS.where(orders.c.public_id == bindparam("at"))
_BY_KEY = _ORDERS.where(orders.c.key == bindparam("at"))
_BY_PLACER = _ORDERS.where(
    orders.c.placer_order_number == bindparam("value"),
    orders.c.placer_order_number_issuer == bindparam("issuer"),
)
_BY_FILLER = _ORDERS.where(
    orders.c.filler_order_number == bindparam("value"),
    orders.c.filler_order_number_issuer == bindparam("issuer"),
)
_BY_ACCESSION = _ORDERS.where(orders.c.accession_number == bindparam("at")).order_by(orders.c.key)
_BY_STUDY = _ORDERS.where(orders.c.study_instance_uid == bindparam("at"))
_STEPS = (
    select(steps.c.order_key, *STEP)
    .where(steps.c.order_key.in_(bindparam("keys", expanding=True)))
    .order_by(steps.c.key)
)
_PUBLIC_IDS = select(orders.c.key, orders.c.public_id).where(
    orders.c.key.in_(bindparam("keys", expanding=True))
)
_FIRST_START = (
    select(func.min(steps.c.start_date + steps.c.start_time))
    .where(steps.c.order_key == orders.c.key, steps.c.start_date != "")
    .correlate(orders)
    .scalar_subquery()
)
"""When the first step of an order begins."""
_ADD = orders.insert()
_ADD_STEP = steps.insert()
_CHANGED = (*_PLAIN, "status", *(column.name for column in number_columns(orders)))
_PUT = (
    update(orders)
    .where(orders.c.key == bindparam("at"))
    .values(
        {name: bindparam(f"new_{name}") for name in _CHANGED if name not in ("version", "updated")}
        | {"version": orders.c.version + 1, "updated": bindparam("now")}
    )
)
_STEP_FIELDS = tuple(field.name for field in fields(ScheduledProcedureStep) if field.name != "key")
_PUT_STEP = (
    update(steps)
    .where(steps.c.key == bindparam("at"))
    .values({name: bindparam(f"new_{name}") for name in (*_STEP_FIELDS, "performing_physician_folded")})
)
_PUT_STEP_STATUS = update(steps).where(steps.c.key == bindparam("at")).values(status=bindparam("to"))
_TOUCH_ORDER_OF_STEP = (
    update(orders)
    .where(orders.c.key == select(steps.c.order_key).where(steps.c.key == bindparam("at")).scalar_subquery())
    .values(version=orders.c.version + 1, updated=bindparam("now"))
)


class SqlOrders:
    """Core's `OrderShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def by_public_id(self, public_id: str) -> Order | None:
        """Return one order."""
        return self._one(_BY_PUBLIC_ID, {"at": public_id})

    def by_key(self, key: int) -> Order | None:
        """Return one order."""
        return self._one(_BY_KEY, {"at": key})

    def by_placer_order_number(self, number: Identifier) -> Order | None:
        """Return the order with exactly this placer number."""
        return self._one(_BY_PLACER, {"value": number.value, "issuer": number.issuer})

    def by_filler_order_number(self, number: Identifier) -> Order | None:
        """Return the order with exactly this filler number."""
        return self._one(_BY_FILLER, {"value": number.value, "issuer": number.issuer})

    def by_accession_number(self, value: str) -> list[Order]:
        """Return the orders with this accession number, of any issuer."""
        return self._with_steps(self._opened.connection.execute(_BY_ACCESSION, {"at": value}).all())

    def by_study_instance_uid(self, study_instance_uid: str) -> Order | None:
        """Return the order whose study has this UID."""
        return self._one(_BY_STUDY, {"at": study_instance_uid}) if study_instance_uid else None

    def public_ids(self, keys: list[int]) -> dict[int, str]:
        """Return the public ids of orders by their keys."""
        rows = self._opened.connection.execute(_PUBLIC_IDS, {"keys": keys})
        return {row.key: row.public_id for row in rows}

    def add(self, order: Order) -> Order:
        """Keep a new order and its steps (keys 0), and return it with its keys; raises Conflict."""
        key = added(self._opened.connection, _ADD, _row(order))
        kept = tuple(replace(step, key=self._add_step(key, step)) for step in order.steps)
        return replace(order, key=key, steps=kept)

    def put(self, order: Order) -> None:
        """Replace an order and its steps by key, with version + 1; steps with key 0 are added."""
        connection = self._opened.connection
        changes = {f"new_{name}": value for name, value in _row(order).items() if name in _CHANGED}
        del changes["new_version"], changes["new_updated"]
        connection.execute(_PUT, changes | {"at": order.key, "now": self._opened.now})
        for step in order.steps:
            if step.key:
                changed = {f"new_{name}": value for name, value in _step_row(step).items()}
                connection.execute(_PUT_STEP, changed | {"at": step.key})
            else:
                self._add_step(order.key, step)

    def put_step_status(self, step_key: int, status: StepStatus) -> None:
        """Set the status of one step; its order counts as changed."""
        connection = self._opened.connection
        connection.execute(_PUT_STEP_STATUS, {"at": step_key, "to": status.value})
        connection.execute(_TOUCH_ORDER_OF_STEP, {"at": step_key, "now": self._opened.now})

    def find(self, query: OrderQuery) -> list[Order]:
        """Return orders, newest change first, then by key."""
        chosen = (
            _ORDERS.where(*_conditions(query))
            .order_by(orders.c.updated.desc(), orders.c.key.desc())
            .limit(query.limit)
            .offset(query.offset)
        )
        return self._with_steps(self._opened.connection.execute(chosen).all())

    def count(self, query: OrderQuery) -> int:
        """Return how many `find` would give without limit."""
        counted = select(func.count()).select_from(orders).where(*_conditions(query))
        return int(self._opened.connection.execute(counted).scalar_one())

    def worklist(self, query: WorklistQuery) -> list[WorklistItem]:
        """Return matching steps with the surviving patient, by start date and time."""
        found = worklist.found(self._opened.connection, query)
        keys = list(dict.fromkeys(order_key for order_key, _, _ in found))
        known = {order.key: order for chunk in _chunks(keys) for order in self._by_keys(chunk)}
        return [WorklistItem(step_of(step), known[order_key], patient) for order_key, step, patient in found]

    def performed(self, sop_instance_uid: str) -> PerformedProcedureStep | None:
        """Return one performed procedure step."""
        return performed.read(self._opened.connection, sop_instance_uid)

    def put_performed(self, step: PerformedProcedureStep) -> None:
        """Add or replace a performed procedure step by its UID."""
        performed.keep(self._opened.connection, step)

    def add_performed_message(self, message: PerformedMessage) -> int:
        """Keep a message (key 0); returns its key."""
        return performed.keep_message(self._opened.connection, message)

    def performed_message(self, key: int) -> PerformedMessage | None:
        """Return one message."""
        return performed.message(self._opened.connection, key)

    def performed_of_study(self, study_instance_uid: str) -> list[PerformedProcedureStep]:
        """Return the performed procedure steps that name a study."""
        return performed.of_study(self._opened.connection, study_instance_uid)

    def _one(self, statement: Select[Any], sought: dict[str, Any]) -> Order | None:
        found = self._with_steps(self._opened.connection.execute(statement, sought).all())
        return found[0] if found else None

    def _by_keys(self, keys: list[int]) -> list[Order]:
        rows = self._opened.connection.execute(_ORDERS.where(orders.c.key.in_(keys))).all()
        return self._with_steps(rows)

    def _with_steps(self, rows: Sequence[Sequence[Any]]) -> list[Order]:
        steps_of: dict[int, list[ScheduledProcedureStep]] = {row[0]: [] for row in rows}
        for chunk in _chunks(list(steps_of)):
            for order_key, *step in self._opened.connection.execute(_STEPS, {"keys": chunk}):
                steps_of[order_key].append(step_of(step))
        return [order_of(row, tuple(steps_of[row[0]])) for row in rows]

    def _add_step(self, order_key: int, step: ScheduledProcedureStep) -> int:
        return added(self._opened.connection, _ADD_STEP, _step_row(step) | {"order_key": order_key})


def order_of(row: Sequence[Any], kept_steps: tuple[ScheduledProcedureStep, ...]) -> Order:
    """Return the order of a row of `ORDER`."""
    key, status, *others = row
    numbers: dict[str, Any] = {
        name: identifier(others[2 * at], others[2 * at + 1]) for at, name in enumerate(NUMBERS)
    }
    plain = dict(zip(_PLAIN, others[2 * len(NUMBERS) :], strict=True))
    return Order(key=key, status=OrderStatus(status), steps=kept_steps, **numbers, **plain)


def step_of(row: Sequence[Any]) -> ScheduledProcedureStep:
    """Return the step of a row of `STEP`."""
    *front, status = row
    return ScheduledProcedureStep(*[*front, StepStatus(status)])


def _row(order: Order) -> dict[str, Any]:
    row = {name: getattr(order, name) for name in _PLAIN}
    return row | number_row(order) | {"status": order.status.value}


def _step_row(step: ScheduledProcedureStep) -> dict[str, Any]:
    row = {name: getattr(step, name) for name in _STEP_FIELDS}
    folded = folded_name(step.performing_physician)
    return row | {"status": step.status.value, "performing_physician_folded": folded}


def _conditions(query: OrderQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.public_id:
        conditions.append(orders.c.public_id == query.public_id)
    if query.patient_root_key is not None:
        of_person = select(patient_records.c.key).where(patient_records.c.root_key == query.patient_root_key)
        conditions.append(orders.c.patient_record_key.in_(of_person))
    if query.status:
        conditions.append(orders.c.status.in_([status.value for status in query.status]))
    for column, since, before in (
        (orders.c.created, query.authored_since, query.authored_before),
        (orders.c.updated, query.updated_since, query.updated_before),
    ):
        if since is not None:
            conditions.append(column >= since)
        if before is not None:
            conditions.append(column < before)
    return conditions + _any_of_conditions(query)


def _any_of_conditions(query: OrderQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.public_ids:
        conditions.append(orders.c.public_id.in_(query.public_ids))
    if query.study_instance_uids:
        conditions.append(orders.c.study_instance_uid.in_(query.study_instance_uids))
    if query.identified_by:
        conditions.append(any_number_matches(number_pairs(orders), query.identified_by))
    if query.procedures:
        conditions.append(any_code_is(orders.c.procedure, query.procedures))
    if query.occurs:
        conditions.append(any_range(_FIRST_START, query.occurs))
    return conditions + [orders.c.patient_record_key.in_(persons(one)) for one in query.patients]


def keys_of(query: OrderQuery) -> Select[Any]:
    """Return the keys of the orders that a query finds."""
    return select(orders.c.key).where(*_conditions(query)).correlate(None)


def _chunks(keys: list[int]) -> Iterable[list[int]]:
    return (keys[at : at + 500] for at in range(0, len(keys), 500))
