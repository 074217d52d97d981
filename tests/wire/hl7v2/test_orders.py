"""Orders: ORM^O01 with ZDS, OMG^O19 with TQ1, OMI^O23 with IPC."""

from collections.abc import Callable

import pytest

from hilum.core.exchange.model import PlaceOrders
from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderAction, OrderMessage, OrderRequest, OrderStatus, StepRequest
from hilum.wire.hl7v2 import inbound
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.message import Message

Golden = Callable[[str], Message]


def _orders(message: Message) -> OrderMessage:
    found = inbound.command(message)
    assert isinstance(found, PlaceOrders)
    return found.message


def _orm(*segments: str) -> Message:
    header = "MSH|^~\\&|RIS|STMARY|HILUM|RAD|20261124||ORM^O01|7|P|2.3.1"
    return Message("\r".join([header, "PID|1||1^^^A||Doe", *segments]).encode())


def _obr(**fields: str) -> str:
    numbered = {int(name[1:]): value for name, value in fields.items()}
    return "|".join(["OBR", *(numbered.get(number, "") for number in range(1, max(numbered) + 1))])


def test_an_order_of_rad_4_is_read_whole(golden: Golden) -> None:
    found = _orders(golden("orm_o01_rad4"))

    assert found.patient.identifiers == (Identifier("4711", "STMARY"),)
    assert found.orders == (
        OrderRequest(
            action=OrderAction.PLACE,
            placer_order_number=Identifier("PLC1", "RIS"),
            filler_order_number=Identifier("FIL1", "HILUM"),
            accession_number=Identifier("ACC1"),
            study_instance_uid="1.2.840.99999.3.1",
            requested_procedure_id="RP1",
            procedure=Code("71260", "C4", "CT chest with contrast"),
            priority="stat",
            status=OrderStatus.ACTIVE,
            requesting_physician="Order^Olga",
            referring_physician="Refer^Robert^C^Dr.",
            reason="Solitary pulmonary nodule",
            admission_id="VN556677",
            patient_class="O",
            steps=(
                StepRequest(
                    scheduled_procedure_step_id="SPS1",
                    modality="CT",
                    start_date="20261125",
                    start_time="093000",
                    protocol=Code("CTTHKM", "99LOC", "CT Thorax KM"),
                    performing_physician="Perform^Paula^^Dr.",
                ),
            ),
        ),
    )


def test_several_pairs_of_one_procedure_are_its_steps(golden: Golden) -> None:
    (order,) = _orders(golden("orm_o01_two_steps")).orders

    assert order.study_instance_uid == "1.2.840.99999.3.2"
    assert order.accession_number == Identifier("ACC2")
    assert [(step.scheduled_procedure_step_id, step.modality, step.start_time) for step in order.steps] == [
        ("SPS21", "PT", "100000"),
        ("SPS22", "CT", "103000"),
    ]
    assert [step.protocol.value for step in order.steps] == ["P1", "P2"]


def test_several_procedures_are_all_kept_each_under_its_own_number(golden: Golden) -> None:
    first, second, third = _orders(golden("orm_o01_three_procedures")).orders

    assert first.placer_order_number == Identifier("PLC3", "RIS")
    assert second.placer_order_number is None
    assert second.filler_order_number == Identifier("ACC32")
    assert [order.accession_number for order in (first, second, third)] == [
        Identifier("ACC31"),
        Identifier("ACC32"),
        Identifier("ACC33"),
    ]
    assert second.steps[0].start_date == "20261125"
    assert (third.action, third.status, third.priority) == (
        OrderAction.CHANGE,
        OrderStatus.ON_HOLD,
        "routine",
    )
    assert third.steps[0].modality == "MR"
    assert [order.study_instance_uid for order in (first, second, third)] == ["", "", "1.2.840.99999.3.3"]


def test_a_cancellation_needs_no_obr(golden: Golden) -> None:
    (order,) = _orders(golden("orm_o01_cancel")).orders

    assert order.action is OrderAction.CANCEL
    assert order.placer_order_number == Identifier("PLC1", "RIS")
    assert order.steps == ()
    assert order.status is None


def test_an_omg_takes_time_and_priority_from_tq1(golden: Golden) -> None:
    (order,) = _orders(golden("omg_o19")).orders

    assert order.priority == "asap"
    assert order.requesting_physician == "Order^Otto"
    assert order.reason == "Pain"
    assert (order.steps[0].start_date, order.steps[0].start_time) == ("20261126", "081500")
    assert order.steps[0].modality == "US"


def test_an_omi_has_a_step_for_each_ipc(golden: Golden) -> None:
    (order,) = _orders(golden("omi_o23")).orders

    assert order.accession_number == Identifier("ACC6", "HILUM")
    assert order.study_instance_uid == "1.2.840.99999.3.6"
    assert order.requested_procedure_id == "RP6"
    assert order.procedure == Code("MGBI", "99LOC", "Mammography both sides")
    assert [
        (
            step.scheduled_procedure_step_id,
            step.station_ae_title,
            step.station_name,
            step.location,
            step.protocol.value,
        )
        for step in order.steps
    ] == [
        ("SPS61", "MG1", "MG-ROOM-1", "EAST", "P-CC"),
        ("SPS62", "MG1", "MG-ROOM-1", "EAST", "P-MLO"),
    ]


def test_ipc_segments_of_different_studies_are_different_orders() -> None:
    message = _orm(
        "ORC|NW|P1|F1",
        _obr(f4="X"),
        "IPC|A1|R1|1.2.3|S1|CT",
        "IPC|A2|R2|1.2.4|S2|MR",
    )

    first, second = _orders(message).orders

    assert (first.study_instance_uid, second.study_instance_uid) == ("1.2.3", "1.2.4")
    assert first.placer_order_number == Identifier("P1")
    assert (second.placer_order_number, second.filler_order_number) == (None, Identifier("A2"))


def test_the_same_numbers_with_different_actions_stay_apart() -> None:
    message = _orm("ORC|RP|P1", _obr(f4="X"), "ORC|RO|P2", _obr(f4="Y"))

    found = _orders(message).orders

    assert [(order.action, order.placer_order_number) for order in found] == [
        (OrderAction.CANCEL, Identifier("P1")),
        (OrderAction.PLACE, Identifier("P2")),
    ]


@pytest.mark.parametrize(
    ("control", "action"),
    [
        ("NW", OrderAction.PLACE),
        ("XO", OrderAction.CHANGE),
        ("SC", OrderAction.CHANGE),
        ("CA", OrderAction.CANCEL),
        ("OC", OrderAction.CANCEL),
        ("DC", OrderAction.DISCONTINUE),
        ("HD", OrderAction.HOLD),
        ("RL", OrderAction.RELEASE),
    ],
)
def test_order_control_codes_are_actions(control: str, action: OrderAction) -> None:
    (order,) = _orders(_orm(f"ORC|{control}|P1", _obr(f4="X"))).orders

    assert order.action is action


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CM", OrderStatus.COMPLETED),
        ("CA", OrderStatus.REVOKED),
        ("IP", OrderStatus.ACTIVE),
        ("A", None),
        ("", None),
    ],
)
def test_a_status_change_states_the_status(status: str, expected: OrderStatus | None) -> None:
    (order,) = _orders(_orm(f"ORC|SC|P1|||{status}")).orders

    assert order.status is expected


@pytest.mark.parametrize(
    ("segments", "complaint", "location", "condition"),
    [
        ([], "no ORC", "ORC^1^1", Condition.SEGMENT_SEQUENCE),
        (["ORC||P1"], "ORC-1 is empty", "ORC^1^1", Condition.REQUIRED_FIELD_MISSING),
        ([_obr(f2="P1")], "ORC-1 is empty", "ORC^1^1", Condition.REQUIRED_FIELD_MISSING),
        (["ORC|NW|P1", "ORC|QQ|P2"], "'QQ' is not supported", "ORC^2^1", Condition.TABLE_VALUE_NOT_FOUND),
        (["ORC|NW|" + "1" * 200], "longer than 199", "ORC^1^2", Condition.DATA_TYPE),
        (["ORC|NW"], "neither placer nor filler", "ORC^1^2", Condition.REQUIRED_FIELD_MISSING),
        (["ORC|NW|P1", _obr(f4="X"), "ZDS|1.2.x"], "not a UID", "ZDS^1^1^1^1", Condition.DATA_TYPE),
        (["ORC|NW|P1", _obr(f4="X"), "ZDS|../../etc"], "not a UID", "ZDS^1^1^1^1", Condition.DATA_TYPE),
        (["ORC|NW|P1|||||^^^tomorrow", _obr(f4="X")], "not a date", "ORC^1^7^1^4", Condition.DATA_TYPE),
        (["PID|2||2^^^A"], "one patient", "PID^2^3", Condition.SEGMENT_SEQUENCE),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    segments: list[str], complaint: str, location: str, condition: Condition
) -> None:
    with pytest.raises(MessageInvalid, match=complaint) as caught:
        _orders(_orm(*segments))

    assert caught.value.location == location
    assert caught.value.condition is condition


def test_one_message_may_not_ask_for_endless_work() -> None:
    with pytest.raises(MessageInvalid, match="more than 256 procedures"):
        _orders(_orm(*(f"ORC|NW|P{number}" for number in range(257))))
