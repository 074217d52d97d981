"""State tables of orders and steps."""

from collections.abc import Mapping
from dataclasses import replace

from hilum.core.orders.model import (
    Order,
    OrderAction,
    OrderRequest,
    OrderStatus,
    PerformedStatus,
    ScheduledProcedureStep,
    StepRequest,
    StepStatus,
)

STATUS_AFTER: Mapping[tuple[OrderAction, OrderStatus], OrderStatus] = {
    (OrderAction.HOLD, OrderStatus.ACTIVE): OrderStatus.ON_HOLD,
    (OrderAction.RELEASE, OrderStatus.ON_HOLD): OrderStatus.ACTIVE,
    (OrderAction.CANCEL, OrderStatus.ACTIVE): OrderStatus.REVOKED,
    (OrderAction.CANCEL, OrderStatus.ON_HOLD): OrderStatus.REVOKED,
    (OrderAction.CANCEL, OrderStatus.COMPLETED): OrderStatus.REVOKED,
    (OrderAction.DISCONTINUE, OrderStatus.ACTIVE): OrderStatus.REVOKED,
    (OrderAction.DISCONTINUE, OrderStatus.ON_HOLD): OrderStatus.REVOKED,
    (OrderAction.DISCONTINUE, OrderStatus.COMPLETED): OrderStatus.REVOKED,
}
"""The status of a known order after an action on a status; every other pair keeps it, unless the message states one.

A repeated NW does not bring a cancelled order back to the worklist, and only a held one is released.
"""

STEP_STATUS_BY_ORDER: Mapping[OrderStatus, StepStatus] = {
    OrderStatus.COMPLETED: StepStatus.COMPLETED,
    OrderStatus.REVOKED: StepStatus.CANCELED,
    OrderStatus.ENTERED_IN_ERROR: StepStatus.CANCELED,
}
"""What becomes of the open steps of an order that ended; DISCONTINUE says so of its own."""

OPEN_STEPS = (StepStatus.SCHEDULED, StepStatus.ARRIVED, StepStatus.READY, StepStatus.STARTED)
"""The steps that a worklist shows when the query names no status."""

STEP_STATUS_BY_PERFORMED: Mapping[PerformedStatus, StepStatus] = {
    PerformedStatus.IN_PROGRESS: StepStatus.STARTED,
    PerformedStatus.COMPLETED: StepStatus.COMPLETED,
    PerformedStatus.DISCONTINUED: StepStatus.DISCONTINUED,
}

FINAL = (PerformedStatus.COMPLETED, PerformedStatus.DISCONTINUED)
"""PS3.4 F.7.2.2.2: a performed step in one of these may no longer be set (0110)."""

_TEXT = (
    "requested_procedure_id",
    "procedure",
    "priority",
    "requesting_physician",
    "referring_physician",
    "reason",
    "admission_id",
    "patient_class",
    "placer_order_number",
    "filler_order_number",
    "accession_number",
    "study_instance_uid",
)


def changed(order: Order, request: OrderRequest) -> Order:
    """Apply a request to an order: given fields replace, empty ones keep; steps are matched by their ID or place."""
    given = {name: getattr(request, name) or getattr(order, name) for name in _TEXT}
    status = request.status or STATUS_AFTER.get((request.action, order.status), order.status)
    steps = tuple(
        _step_after(request.action, status, step) for step in _changed_steps(order.steps, request.steps)
    )
    return replace(order, **given, status=status, steps=steps)


def new_step(request: StepRequest, fallback_id: str) -> ScheduledProcedureStep:
    """Return a step that was just asked for."""
    return ScheduledProcedureStep(
        key=0,
        scheduled_procedure_step_id=request.scheduled_procedure_step_id or fallback_id,
        modality=request.modality,
        station_ae_title=request.station_ae_title,
        station_name=request.station_name,
        location=request.location,
        start_date=request.start_date,
        start_time=request.start_time,
        protocol=request.protocol,
        performing_physician=request.performing_physician,
        status=StepStatus.SCHEDULED,
    )


def _changed_steps(
    steps: tuple[ScheduledProcedureStep, ...], requests: tuple[StepRequest, ...]
) -> list[ScheduledProcedureStep]:
    kept = list(steps)
    for place, request in enumerate(requests):
        at = _place_of(kept, request, place)
        if at is None:
            kept.append(new_step(request, f"{len(kept) + 1}"))
        else:
            kept[at] = _changed_step(kept[at], request)
    return kept


def _place_of(steps: list[ScheduledProcedureStep], request: StepRequest, place: int) -> int | None:
    wanted = request.scheduled_procedure_step_id
    for at, step in enumerate(steps):
        if wanted and step.scheduled_procedure_step_id == wanted:
            return at
    return place if not wanted and place < len(steps) else None


def _changed_step(step: ScheduledProcedureStep, request: StepRequest) -> ScheduledProcedureStep:
    names = [name for name in StepRequest.__slots__ if getattr(request, name)]
    return replace(step, **{name: getattr(request, name) for name in names})


def _step_after(
    action: OrderAction, status: OrderStatus, step: ScheduledProcedureStep
) -> ScheduledProcedureStep:
    if step.status not in OPEN_STEPS:
        return step
    ended = STEP_STATUS_BY_ORDER.get(status, step.status)
    return replace(step, status=StepStatus.DISCONTINUED if action is OrderAction.DISCONTINUE else ended)
