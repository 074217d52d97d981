"""Orders, their steps, the worklist and what a modality performed."""

from dataclasses import replace
from typing import Any

import pytest

from hilum.core.kernel.errors import Conflict, NotFound
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.events import OrderChanged, OrderPlaced, ProcedureStepEnded, ProcedureStepStarted
from hilum.core.orders.model import (
    Order,
    OrderAction,
    OrderMessage,
    OrderQuery,
    OrderRequest,
    OrderStatus,
    PerformedChange,
    PerformedProcedureStep,
    PerformedStatus,
    StepRequest,
    StepStatus,
    WorklistQuery,
)

PLACER = Identifier("P1", "RIS")
MORNING = StepRequest(modality="CT", station_ae_title="CT1", start_date="20240501", start_time="0800")
NO_CHANGE = PerformedChange(None, "", "", (), {})


def send(house: Any, *requests: OrderRequest, patient: str = "12^^^HOSP") -> tuple[Order, ...]:
    message = OrderMessage(house.says(patient), requests)
    placed: tuple[Order, ...] = house.hub.place_orders(house.operator, message)
    return placed


def place(house: Any, action: OrderAction = OrderAction.PLACE, **fields: Any) -> Order:
    fields.setdefault("placer_order_number", PLACER)
    return send(house, OrderRequest(action, **fields))[0]


def act(house: Any, *actions: OrderAction) -> Order:
    """Place an order, let actions follow, return it."""
    order = place(house, steps=(MORNING,))
    for action in actions:
        order = place(house, action)
    return order


def shown(house: Any, **query: Any) -> list[str]:
    """Return the step IDs that the worklist shows."""
    items = house.hub.worklist(house.operator, WorklistQuery(**query))
    return [item.step.scheduled_procedure_step_id for item in items]


def performed(order: Order, **fields: Any) -> PerformedProcedureStep:
    step = PerformedProcedureStep(
        sop_instance_uid="1.2.3",
        status=PerformedStatus.IN_PROGRESS,
        performed_procedure_step_id="PPS1",
        performed_station_ae_title="CT1",
        modality="CT",
        start_date="20240501",
        start_time="081500",
        end_date="",
        end_time="",
        study_instance_uids=(order.study_instance_uid,),
        accession_numbers=("",),
        scheduled_procedure_step_ids=("1",),
        series_instance_uids=(),
        attributes={"00400254": {"vr": "LO", "Value": ["CT"]}},
    )
    return replace(step, **fields)


def statuses(house: Any, order: Order) -> list[StepStatus]:
    found, _ = house.hub.read_order(house.operator, order.public_id)
    return [step.status for step in found.steps]


def test_a_new_order_is_active_and_on_the_worklist(house: Any) -> None:
    order = place(house, steps=(MORNING,))

    assert order.status is OrderStatus.ACTIVE
    assert shown(house) == ["1"]
    assert house.news()[-1] == OrderPlaced(order.public_id)


def test_a_repeated_order_changes_nothing(house: Any) -> None:
    first = place(house, steps=(MORNING,), reason="cough")
    before = house.rows()

    again = place(house, steps=(MORNING,), reason="cough")

    assert again == first
    assert house.rows() == before


def test_a_change_replaces_what_is_given_and_keeps_the_rest(house: Any) -> None:
    place(house, steps=(MORNING,), reason="cough", priority="routine")

    changed = place(house, OrderAction.CHANGE, priority="stat", steps=(StepRequest(start_time="1100"),))

    assert (changed.priority, changed.reason) == ("stat", "cough")
    assert (changed.steps[0].start_date, changed.steps[0].start_time) == ("20240501", "1100")
    assert house.news()[-1] == OrderChanged(changed.public_id, "active")


def test_a_change_may_add_a_step(house: Any) -> None:
    place(house, steps=(replace(MORNING, scheduled_procedure_step_id="A"),))

    changed = place(
        house, OrderAction.CHANGE, steps=(StepRequest(scheduled_procedure_step_id="B", modality="MR"),)
    )

    assert [step.scheduled_procedure_step_id for step in changed.steps] == ["A", "B"]
    assert changed.steps[1].start_date


def test_a_change_of_an_unknown_order_places_it(house: Any) -> None:
    assert place(house, OrderAction.CHANGE).status is OrderStatus.ACTIVE


@pytest.mark.parametrize(
    "action", [OrderAction.CANCEL, OrderAction.DISCONTINUE, OrderAction.HOLD, OrderAction.RELEASE]
)
def test_an_unknown_order_cannot_be_ended_held_or_released(house: Any, action: OrderAction) -> None:
    with pytest.raises(NotFound):
        place(house, action)

    assert house.hub.find_orders(house.operator, OrderQuery()) == ([], 0)
    assert house.records() == []


A = OrderAction


@pytest.mark.parametrize(
    ("actions", "status", "step"),
    [
        ([A.CANCEL], OrderStatus.REVOKED, StepStatus.CANCELED),
        ([A.DISCONTINUE], OrderStatus.REVOKED, StepStatus.DISCONTINUED),
        ([A.HOLD], OrderStatus.ON_HOLD, StepStatus.SCHEDULED),
        ([A.HOLD, A.RELEASE], OrderStatus.ACTIVE, StepStatus.SCHEDULED),
        ([A.HOLD, A.CANCEL], OrderStatus.REVOKED, StepStatus.CANCELED),
        ([A.HOLD, A.PLACE], OrderStatus.ON_HOLD, StepStatus.SCHEDULED),
        ([A.CANCEL, A.PLACE], OrderStatus.REVOKED, StepStatus.CANCELED),
        ([A.CANCEL, A.HOLD], OrderStatus.REVOKED, StepStatus.CANCELED),
        ([A.CANCEL, A.RELEASE], OrderStatus.REVOKED, StepStatus.CANCELED),
        ([A.CANCEL, A.CHANGE], OrderStatus.REVOKED, StepStatus.CANCELED),
    ],
)
def test_actions_move_an_order_by_the_table(
    house: Any, actions: list[OrderAction], status: OrderStatus, step: StepStatus
) -> None:
    order = act(house, *actions)

    assert order.status is status
    assert [one.status for one in order.steps] == [step]


@pytest.mark.parametrize(
    ("stated", "step"),
    [
        (OrderStatus.COMPLETED, StepStatus.COMPLETED),
        (OrderStatus.REVOKED, StepStatus.CANCELED),
        (OrderStatus.ENTERED_IN_ERROR, StepStatus.CANCELED),
        (OrderStatus.ON_HOLD, StepStatus.SCHEDULED),
    ],
)
def test_a_status_that_a_message_states_moves_the_open_steps(
    house: Any, stated: OrderStatus, step: StepStatus
) -> None:
    place(house, steps=(MORNING,))

    order = place(house, OrderAction.CHANGE, status=stated)

    assert order.status is stated
    assert [one.status for one in order.steps] == [step]


def test_an_order_of_another_patient_is_a_conflict(house: Any) -> None:
    place(house)

    with pytest.raises(Conflict):
        send(house, OrderRequest(OrderAction.CHANGE, placer_order_number=PLACER), patient="99^^^HOSP")

    assert [record.identifier.value for record in house.records()] == ["12"]


def test_after_a_merge_the_order_takes_changes_under_both_numbers(house: Any) -> None:
    place(house)
    house.merge("99^^^HOSP", "12^^^HOSP")

    send(house, OrderRequest(OrderAction.CHANGE, placer_order_number=PLACER, reason="x"), patient="99^^^HOSP")

    _, patient = house.hub.find_orders(house.operator, OrderQuery())[0][0]
    assert patient.identifier.value == "99"


def test_one_message_may_carry_several_orders(house: Any) -> None:
    requests = [
        OrderRequest(OrderAction.PLACE, placer_order_number=Identifier(number)) for number in ("1", "2", "3")
    ]

    placed = send(house, *requests)

    assert len({order.study_instance_uid for order in placed}) == 3
    assert len(shown(house)) == 3


def test_one_bad_order_of_a_message_leaves_nothing_of_it(house: Any) -> None:
    good = OrderRequest(OrderAction.PLACE, placer_order_number=PLACER)

    with pytest.raises(NotFound):
        send(house, good, OrderRequest(OrderAction.CANCEL, placer_order_number=Identifier("none")))

    assert house.hub.find_orders(house.operator, OrderQuery()) == ([], 0)


def test_an_order_is_known_by_its_filler_number_and_its_study_too(house: Any) -> None:
    filler = Identifier("F1", "FIL")
    order = place(house, filler_order_number=filler, study_instance_uid="1.2.3.4")

    by_filler = place(house, placer_order_number=None, filler_order_number=filler)
    by_study = place(house, placer_order_number=None, study_instance_uid="1.2.3.4")

    assert by_filler.key == by_study.key == order.key


def test_a_placer_number_of_another_issuer_is_another_order(house: Any) -> None:
    first = place(house)

    assert place(house, placer_order_number=Identifier("P1", "OTHER")).key != first.key


# What Hilum assigns


@pytest.mark.parametrize(
    ("numbers", "accession"),
    [
        ({"filler_order_number": Identifier("F1", "FIL")}, "F1"),
        ({}, "P1"),
        ({"filler_order_number": Identifier("F" * 17)}, "P1"),
        ({"accession_number": Identifier("ACC9")}, "ACC9"),
    ],
)
def test_an_accession_number_is_the_given_one_else_the_fillers_else_the_placers(
    house: Any, numbers: dict[str, Any], accession: str
) -> None:
    order = place(house, **numbers)

    assert order.accession_number is not None
    assert order.accession_number.value == accession


def test_an_assigned_accession_number_fits_sixteen_characters(house: Any) -> None:
    order = place(house, placer_order_number=Identifier("P" * 40))

    assert order.accession_number is not None
    assert 0 < len(order.accession_number.value) <= 16


def test_no_two_orders_are_assigned_the_same_accession_number(house: Any) -> None:
    first = place(house, placer_order_number=Identifier("100", "RIS A"))
    second = place(house, placer_order_number=Identifier("100", "RIS B"))

    assert first.accession_number != second.accession_number


def test_an_order_without_study_uid_is_given_one(house: Any) -> None:
    assert place(house).study_instance_uid.startswith("2.25.")


def test_a_step_that_nobody_scheduled_is_due_now(house: Any) -> None:
    order = place(house)
    today = house.database.read(lambda tx: f"{tx.now:%Y%m%d}")

    assert order.steps[0].start_date == today
    assert len(order.steps[0].start_time) == 6


# The worklist


def test_a_held_order_is_not_on_the_worklist(house: Any) -> None:
    act(house, OrderAction.HOLD)

    assert shown(house) == []


def test_a_released_order_is_on_the_worklist_again(house: Any) -> None:
    act(house, OrderAction.HOLD, OrderAction.RELEASE)

    assert shown(house) == ["1"]


def test_a_cancelled_order_is_shown_only_when_its_status_is_asked_for(house: Any) -> None:
    act(house, OrderAction.CANCEL)

    assert shown(house) == []
    assert shown(house, status=(StepStatus.CANCELED,)) == ["1"]


def test_an_unassigned_step_is_offered_to_every_station(house: Any) -> None:
    place(house, steps=(replace(MORNING, station_ae_title=""),))

    assert shown(house, station_ae_title="ANY") == ["1"]


def test_an_assigned_step_is_offered_to_its_station_only(house: Any) -> None:
    place(house, steps=(MORNING,))

    assert shown(house, station_ae_title="CT1") == ["1"]
    assert shown(house, station_ae_title="CT2") == []


def test_the_worklist_shows_the_survivor_and_knows_the_old_number(house: Any) -> None:
    place(house, steps=(MORNING,))
    house.merge("99^^^HOSP", "12^^^HOSP")

    items = house.hub.worklist(house.operator, WorklistQuery(patient_id="12"))

    assert [item.patient.identifier.value for item in items] == ["99"]


# What a modality performed


def test_a_started_procedure_moves_its_step(house: Any) -> None:
    order = place(house, steps=(MORNING,))

    house.hub.start_procedure(house.operator, performed(order))

    assert statuses(house, order) == [StepStatus.STARTED]
    assert ProcedureStepStarted("1.2.3") in house.news()


def test_a_started_step_stays_on_the_worklist(house: Any) -> None:
    order = place(house, steps=(MORNING,))

    house.hub.start_procedure(house.operator, performed(order))

    assert shown(house) == ["1"]


def test_a_procedure_finds_its_order_by_accession_number(house: Any) -> None:
    order = place(house, steps=(MORNING,), accession_number=Identifier("ACC9"))

    step = performed(order, study_instance_uids=("9.9.9",), accession_numbers=("ACC9",))
    house.hub.start_procedure(house.operator, step)

    assert house.hub.performed_procedure(house.operator, "1.2.3").order_keys == (order.key,)


def test_a_procedure_without_order_is_kept(house: Any) -> None:
    order = place(house)

    house.hub.start_procedure(house.operator, performed(order, study_instance_uids=("9.9.9",)))

    assert house.hub.performed_procedure(house.operator, "1.2.3").order_keys == ()
    assert statuses(house, order) == [StepStatus.SCHEDULED]


def test_the_same_procedure_cannot_start_twice(house: Any) -> None:
    order = place(house, steps=(MORNING,))
    house.hub.start_procedure(house.operator, performed(order))

    with pytest.raises(Conflict):
        house.hub.start_procedure(house.operator, performed(order))


@pytest.mark.parametrize(
    ("status", "step"),
    [
        (PerformedStatus.COMPLETED, StepStatus.COMPLETED),
        (PerformedStatus.DISCONTINUED, StepStatus.DISCONTINUED),
    ],
)
def test_a_procedure_that_ends_moves_its_step(house: Any, status: PerformedStatus, step: StepStatus) -> None:
    order = place(house, steps=(MORNING,))
    house.hub.start_procedure(house.operator, performed(order))

    house.hub.change_procedure(house.operator, "1.2.3", replace(NO_CHANGE, status=status))

    assert statuses(house, order) == [step]
    assert shown(house) == []
    assert ProcedureStepEnded("1.2.3", status) in house.news()


def test_a_change_of_a_procedure_keeps_what_it_does_not_name(house: Any) -> None:
    order = place(house)
    house.hub.start_procedure(house.operator, performed(order))
    more = {"00400281": {"vr": "SQ"}}

    after = house.hub.change_procedure(
        house.operator, "1.2.3", replace(NO_CHANGE, series_instance_uids=("5.5",), attributes=more)
    )

    assert after.status is PerformedStatus.IN_PROGRESS
    assert after.attributes == performed(order).attributes | more
    assert house.hub.performed_procedure(house.operator, "1.2.3").series_instance_uids == ("5.5",)
    assert house.actions().count("procedure.change") == 1


@pytest.mark.parametrize("final", [PerformedStatus.COMPLETED, PerformedStatus.DISCONTINUED])
def test_a_procedure_that_ended_may_no_longer_be_set(house: Any, final: PerformedStatus) -> None:
    order = place(house)
    house.hub.start_procedure(house.operator, performed(order))
    house.hub.change_procedure(house.operator, "1.2.3", replace(NO_CHANGE, status=final))

    with pytest.raises(Conflict, match="may no longer be updated"):
        house.hub.change_procedure(house.operator, "1.2.3", NO_CHANGE)


def test_an_unknown_procedure_cannot_be_set(house: Any) -> None:
    with pytest.raises(NotFound):
        house.hub.change_procedure(house.operator, "1.2.3", NO_CHANGE)


def test_of_several_steps_only_the_named_one_moves(house: Any) -> None:
    steps = tuple(replace(MORNING, scheduled_procedure_step_id=name) for name in ("A", "B"))
    order = place(house, steps=steps)

    house.hub.start_procedure(house.operator, performed(order, scheduled_procedure_step_ids=("B",)))

    assert statuses(house, order) == [StepStatus.SCHEDULED, StepStatus.STARTED]


def test_a_cancelled_step_does_not_move(house: Any) -> None:
    order = act(house, OrderAction.CANCEL)

    house.hub.start_procedure(house.operator, performed(order))

    assert statuses(house, order) == [StepStatus.CANCELED]
