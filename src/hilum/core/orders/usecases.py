"""Place and change orders, show the worklist, follow the performed steps."""

from dataclasses import replace

from hilum.core.access import policy
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Conflict, NotFound
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders import rules
from hilum.core.orders.events import (
    OrderChanged,
    OrderPlaced,
    ProcedureStepEnded,
    ProcedureStepReported,
    ProcedureStepStarted,
)
from hilum.core.orders.model import (
    Order,
    OrderAction,
    OrderMessage,
    OrderQuery,
    OrderRequest,
    OrderStatus,
    PerformedChange,
    PerformedMessage,
    PerformedProcedureStep,
    StepRequest,
    WorklistItem,
    WorklistQuery,
)
from hilum.core.orders.ports import OrdersTransaction
from hilum.core.patients import usecases as patients
from hilum.core.patients.model import PatientRecord

_LONGEST_ACCESSION_NUMBER = 16
"""SH, PS3.5 6.2: what does not fit cannot come back from a modality."""


def place(tx: OrdersTransaction, caller: Caller, message: OrderMessage) -> tuple[Order, ...]:
    """Place, change or end every order of a message (RAD-2, RAD-4, RAD-13). Repeating it changes nothing."""
    policy.demand(caller, Permission.ORDERS_WRITE)
    patient = patients.register(tx, caller, message.patient)
    return tuple(_apply(tx, caller, patient, request) for request in message.orders)


def read(tx: OrdersTransaction, caller: Caller, public_id: str) -> Order:
    """Return one order; raises NotFound."""
    policy.demand(caller, Permission.ORDERS_READ)
    order = tx.orders.by_public_id(public_id)
    if order is None:
        raise NotFound("no such order", next_step="search by accession or placer number")
    record(tx, caller, "orders.read", f"ServiceRequest/{public_id}")
    return order


def find(tx: OrdersTransaction, caller: Caller, query: OrderQuery) -> tuple[list[Order], int]:
    """Return one page of orders, and how many there are."""
    policy.demand(caller, Permission.ORDERS_READ)
    found = tx.orders.find(query)
    record(tx, caller, "orders.query", "ServiceRequest", detail=f"{len(found)} answers")
    return found, tx.orders.count(query)


def with_patient(tx: OrdersTransaction, order: Order) -> tuple[Order, PatientRecord]:
    """Return an order beside the surviving patient."""
    ordered_for = tx.patients.by_key(order.patient_record_key)
    if ordered_for is None:
        raise NotFound("the patient of this order is gone", next_step="run `hilum doctor`")
    return order, patients.root_of(tx, ordered_for)


def find_with_patients(
    tx: OrdersTransaction, caller: Caller, query: OrderQuery
) -> tuple[list[tuple[Order, PatientRecord]], int]:
    """Return one page of orders beside their surviving patients, and how many there are."""
    found, total = find(tx, caller, query)
    survivors = tx.patients.survivors(sorted({order.patient_record_key for order in found}))
    return [(order, survivors[order.patient_record_key]) for order in found], total


def worklist(tx: OrdersTransaction, caller: Caller, query: WorklistQuery) -> list[WorklistItem]:
    """Return the scheduled steps that match (PS3.4 K, RAD-5)."""
    policy.demand(caller, Permission.WORKLIST_QUERY)
    items = tx.orders.worklist(query)
    record(tx, caller, "worklist.query", "Worklist", detail=f"{len(items)} items")
    return items


def start_procedure(tx: OrdersTransaction, caller: Caller, step: PerformedProcedureStep) -> None:
    """MPPS N-CREATE (PS3.4 F.7.2.1, RAD-6): the modality began. Raises Conflict when the UID is taken."""
    policy.demand(caller, Permission.PROCEDURE_REPORT)
    if tx.orders.performed(step.sop_instance_uid) is not None:
        raise Conflict("this performed procedure step exists already", next_step="use N-SET to change it")
    started = replace(step, order_keys=_orders_of(tx, step), created=tx.now, updated=tx.now)
    tx.orders.put_performed(started)
    _move_steps(tx, caller, started)
    record(tx, caller, "procedure.start", f"ModalityPerformedProcedureStep/{step.sop_instance_uid}")
    tx.events.append(ProcedureStepStarted(step.sop_instance_uid), caller.trace)
    _tell(
        tx,
        caller,
        started,
        PerformedMessage(0, step.sop_instance_uid, creates=True, attributes=step.attributes),
    )


def change_procedure(
    tx: OrdersTransaction, caller: Caller, sop_instance_uid: str, change: PerformedChange
) -> PerformedProcedureStep:
    """MPPS N-SET (PS3.4 F.7.2.2, RAD-7). Raises NotFound, and Conflict when the step has ended."""
    policy.demand(caller, Permission.PROCEDURE_REPORT)
    before = performed(tx, caller, sop_instance_uid)
    if before.status in rules.FINAL:
        raise Conflict(
            "Performed Procedure Step Object may no longer be updated", next_step="create a new step"
        )
    after = _performed_after(before, change, tx)
    tx.orders.put_performed(after)
    ended = after.status in rules.FINAL
    action = "procedure.end" if ended else "procedure.change"
    record(tx, caller, action, f"ModalityPerformedProcedureStep/{sop_instance_uid}")
    if ended:
        _move_steps(tx, caller, after)
        tx.events.append(ProcedureStepEnded(sop_instance_uid, after.status), caller.trace)
    _tell(
        tx, caller, after, PerformedMessage(0, sop_instance_uid, creates=False, attributes=change.attributes)
    )
    return after


def _tell(
    tx: OrdersTransaction, caller: Caller, step: PerformedProcedureStep, message: PerformedMessage
) -> None:
    """Keep a message as it came, and tell that it did: it may be sent on."""
    key = tx.orders.add_performed_message(message)
    tx.events.append(
        ProcedureStepReported(key, step.modality, step.status.value, caller.source), caller.trace
    )


def performed(tx: OrdersTransaction, caller: Caller, sop_instance_uid: str) -> PerformedProcedureStep:
    """Return one performed procedure step; raises NotFound."""
    policy.demand(caller, Permission.PROCEDURE_REPORT)
    step = tx.orders.performed(sop_instance_uid)
    if step is None:
        raise NotFound("no such performed procedure step", next_step="create it first (N-CREATE)")
    return step


def match(tx: OrdersTransaction, study_instance_uid: str, accession_number: str) -> Order | None:
    """Return the order that a study belongs to: by study UID, else by an accession number that only one order has."""
    order = tx.orders.by_study_instance_uid(study_instance_uid)
    if order is not None or not accession_number:
        return order
    orders = tx.orders.by_accession_number(accession_number)
    return orders[0] if len(orders) == 1 else None


def _apply(tx: OrdersTransaction, caller: Caller, patient: PatientRecord, request: OrderRequest) -> Order:
    known = _known(tx, request)
    if known is None:
        return _place_new(tx, caller, patient, request)
    _same_person(tx, known, patient)
    after = _with_starts(tx, rules.changed(known, request))
    if after == known:
        return known
    tx.orders.put(after)
    record(tx, caller, "orders.change", f"ServiceRequest/{known.public_id}", detail=request.action)
    tx.events.append(OrderChanged(known.public_id, after.status), caller.trace)
    return tx.orders.by_key(known.key) or after


def _place_new(tx: OrdersTransaction, caller: Caller, patient: PatientRecord, request: OrderRequest) -> Order:
    if request.action not in (OrderAction.PLACE, OrderAction.CHANGE):
        raise NotFound(
            "no order has this placer or filler number", next_step="place the order first (ORC-1 NW)"
        )
    placed = tx.orders.add(_with_starts(tx, _new_order(tx, patient, request)))
    record(tx, caller, "orders.place", f"ServiceRequest/{placed.public_id}")
    tx.events.append(OrderPlaced(placed.public_id), caller.trace)
    return placed


def _known(tx: OrdersTransaction, request: OrderRequest) -> Order | None:
    if request.placer_order_number is not None:
        by_placer = tx.orders.by_placer_order_number(request.placer_order_number)
        if by_placer is not None:
            return by_placer
    if request.filler_order_number is not None:
        by_filler = tx.orders.by_filler_order_number(request.filler_order_number)
        if by_filler is not None:
            return by_filler
    return tx.orders.by_study_instance_uid(request.study_instance_uid) if request.study_instance_uid else None


def _same_person(tx: OrdersTransaction, order: Order, patient: PatientRecord) -> None:
    ordered_for = tx.patients.by_key(order.patient_record_key)
    if ordered_for is not None and ordered_for.root_key != patient.root_key:
        raise Conflict(
            "this order was placed for another patient",
            next_step="merge the patients (ADT^A40), or cancel this order and place a new one",
        )


def _new_order(tx: OrdersTransaction, patient: PatientRecord, request: OrderRequest) -> Order:
    accession = request.accession_number or _assigned_accession(tx, request)
    procedure_id = request.requested_procedure_id or accession.value
    steps = request.steps or (StepRequest(),)
    return Order(
        key=0,
        public_id=tx.fresh_key(),
        patient_record_key=patient.key,
        placer_order_number=request.placer_order_number,
        filler_order_number=request.filler_order_number,
        accession_number=accession,
        study_instance_uid=request.study_instance_uid or tx.fresh_uid(),
        requested_procedure_id=procedure_id,
        procedure=request.procedure,
        priority=request.priority,
        status=request.status or OrderStatus.ACTIVE,
        requesting_physician=request.requesting_physician,
        referring_physician=request.referring_physician,
        reason=request.reason,
        admission_id=request.admission_id,
        patient_class=request.patient_class,
        steps=tuple(rules.new_step(step, f"{place}") for place, step in enumerate(steps, 1)),
        version=1,
        created=tx.now,
        updated=tx.now,
    )


def _with_starts(tx: OrdersTransaction, order: Order) -> Order:
    """A step that nobody scheduled is due now: its start is Type 1 in every answer (PS3.4 Table K.6-1)."""
    today, now = f"{tx.now:%Y%m%d}", f"{tx.now:%H%M%S}"
    steps = tuple(
        step if step.start_date else replace(step, start_date=today, start_time=now) for step in order.steps
    )
    return replace(order, steps=steps)


def _assigned_accession(tx: OrdersTransaction, request: OrderRequest) -> Identifier:
    """Assign the accession number as the filler does: its own number, else the placer's, else a fresh one.

    A number that another order has would join the images of both.
    """
    for number in (request.filler_order_number, request.placer_order_number):
        fits = number is not None and 0 < len(number.value) <= _LONGEST_ACCESSION_NUMBER
        if number is not None and fits and not tx.orders.by_accession_number(number.value):
            return Identifier(number.value)
    return Identifier("H" + tx.fresh_key()[:15].upper())


def _orders_of(tx: OrdersTransaction, step: PerformedProcedureStep) -> tuple[int, ...]:
    accessions = step.accession_numbers or ("",)
    found = [
        match(tx, study_instance_uid, accessions[min(place, len(accessions) - 1)])
        for place, study_instance_uid in enumerate(step.study_instance_uids)
    ]
    return tuple(dict.fromkeys(order.key for order in found if order is not None))


def _move_steps(tx: OrdersTransaction, caller: Caller, performed_step: PerformedProcedureStep) -> None:
    """Move the scheduled steps with the performed one."""
    status = rules.STEP_STATUS_BY_PERFORMED[performed_step.status]
    named = performed_step.scheduled_procedure_step_ids
    for key in performed_step.order_keys:
        order = tx.orders.by_key(key)
        if order is None:
            continue
        for step in order.steps:
            alone = len(order.steps) == 1
            if step.status in rules.OPEN_STEPS and (alone or step.scheduled_procedure_step_id in named):
                tx.orders.put_step_status(step.key, status)
        tx.events.append(OrderChanged(order.public_id, order.status), caller.trace)


def _performed_after(
    before: PerformedProcedureStep, change: PerformedChange, tx: OrdersTransaction
) -> PerformedProcedureStep:
    return replace(
        before,
        status=change.status or before.status,
        end_date=change.end_date or before.end_date,
        end_time=change.end_time or before.end_time,
        series_instance_uids=change.series_instance_uids or before.series_instance_uids,
        attributes={**before.attributes, **change.attributes},
        updated=tx.now,
    )
