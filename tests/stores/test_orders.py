"""The contract of orders, worklist and performed steps, on each database."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hilum.core.access import policy
from hilum.core.kernel.codes import Code
from hilum.core.kernel.errors import Conflict
from hilum.core.kernel.identifiers import Identifier, IdentifierMatch
from hilum.core.orders.model import (
    Order,
    OrderQuery,
    OrderStatus,
    PerformedProcedureStep,
    PerformedStatus,
    ScheduledProcedureStep,
    StepStatus,
    WorklistQuery,
)
from hilum.core.patients import usecases as patients
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.stores.sql import Database

OPERATOR = policy.local_operator("trace")
MOMENT = datetime(2024, 1, 1, tzinfo=UTC)

STEP = ScheduledProcedureStep(
    key=0,
    scheduled_procedure_step_id="SPS1",
    modality="CT",
    station_ae_title="CT1",
    station_name="ct one",
    location="R1",
    start_date="20240601",
    start_time="0930",
    protocol=Code("P", "L", 'Thorax "low dose"'),
    performing_physician="House^Gregory",
    status=StepStatus.SCHEDULED,
)
ORDER = Order(
    key=0,
    public_id="o1",
    patient_record_key=1,
    placer_order_number=Identifier("PL1", "EHR"),
    filler_order_number=Identifier("FI1"),
    accession_number=Identifier("AC1"),
    study_instance_uid="1.1",
    requested_procedure_id="RP1",
    procedure=Code("24627-2", "LN", "CT chest"),
    priority="routine",
    status=OrderStatus.ACTIVE,
    requesting_physician="Wilson^James",
    referring_physician="Cuddy^Lisa",
    reason="cough",
    admission_id="V1",
    patient_class="I",
    steps=(STEP,),
    version=1,
    created=MOMENT,
    updated=MOMENT,
)
OTHER = replace(
    ORDER,
    public_id="o2",
    placer_order_number=Identifier("PL2", "EHR"),
    filler_order_number=None,
    accession_number=Identifier("AC2"),
    study_instance_uid="2.1",
    steps=(
        replace(
            STEP,
            scheduled_procedure_step_id="SPS2",
            modality="MR",
            station_ae_title="MR1",
            start_date="20240602",
        ),
        replace(STEP, scheduled_procedure_step_id="SPS3", start_date="20240531", status=StepStatus.COMPLETED),
    ),
)


def patient(database: Database, value: str = "P1", name: str = "Doe^Jane") -> int:
    statement = PatientStatement((Identifier(value),), Demographics(name, "19700101", "F"))
    return database.write(lambda tx: patients.register(tx, OPERATOR, statement)).key


def placed(database: Database, order: Order = ORDER, value: str = "P1", name: str = "Doe^Jane") -> Order:
    kept = replace(order, patient_record_key=patient(database, value, name))
    return database.write(lambda tx: tx.orders.add(kept))


def test_an_order_reads_back_as_it_was_kept(database: Database) -> None:
    kept = placed(database)

    reads = [
        lambda tx: tx.orders.by_key(kept.key),
        lambda tx: tx.orders.by_public_id("o1"),
        lambda tx: tx.orders.by_placer_order_number(Identifier("PL1", "EHR")),
        lambda tx: tx.orders.by_filler_order_number(Identifier("FI1")),
        lambda tx: tx.orders.by_study_instance_uid("1.1"),
        lambda tx: tx.orders.by_accession_number("AC1")[0],
    ]

    assert [database.read(read) for read in reads] == [kept] * len(reads)
    assert kept.key
    assert kept.steps[0].key


def test_numbers_are_exact_in_value_and_issuer(database: Database) -> None:
    placed(database)

    assert database.read(lambda tx: tx.orders.by_placer_order_number(Identifier("PL1"))) is None
    assert database.read(lambda tx: tx.orders.by_filler_order_number(Identifier("FI1", "X"))) is None
    assert database.read(lambda tx: tx.orders.by_study_instance_uid("")) is None


@pytest.mark.parametrize(
    "same", ["placer_order_number", "filler_order_number", "study_instance_uid", "public_id"]
)
def test_numbers_and_study_are_kept_once(database: Database, same: str) -> None:
    placed(database)
    fresh = replace(
        ORDER,
        public_id="o9",
        placer_order_number=Identifier("PL9"),
        filler_order_number=Identifier("FI9"),
        study_instance_uid="9.9",
    )

    with pytest.raises(Conflict):
        placed(database, replace(fresh, **{same: getattr(ORDER, same)}))


def test_absent_numbers_do_not_collide(database: Database) -> None:
    bare = replace(ORDER, placer_order_number=None, filler_order_number=None, study_instance_uid="")

    kept = [placed(database, replace(bare, public_id=f"o{number}")) for number in range(2)]

    assert len({order.key for order in kept}) == 2


def test_putting_an_order_changes_its_steps_and_adds_new_ones(database: Database) -> None:
    kept = placed(database)
    moved = replace(kept.steps[0], start_date="20240701", status=StepStatus.ARRIVED)
    change = replace(kept, reason="pain", steps=(moved, replace(STEP, scheduled_procedure_step_id="SPS9")))

    database.write(lambda tx: tx.orders.put(change))

    after = database.read(lambda tx: tx.orders.by_key(kept.key))
    assert after is not None
    assert (after.version, after.reason, after.created) == (2, "pain", MOMENT)
    assert after.updated > MOMENT
    assert after.steps[0] == moved
    assert after.steps[1].scheduled_procedure_step_id == "SPS9"


def test_a_moved_step_counts_as_a_change_of_its_order(database: Database) -> None:
    kept = placed(database)

    database.write(lambda tx: tx.orders.put_step_status(kept.steps[0].key, StepStatus.STARTED))

    after = database.read(lambda tx: tx.orders.by_key(kept.key))
    assert after is not None
    assert (after.steps[0].status, after.version) == (StepStatus.STARTED, 2)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (OrderQuery(), {"o1", "o2"}),
        (OrderQuery(public_id="o2"), {"o2"}),
        (OrderQuery(identified_by=(IdentifierMatch("PL1"),)), {"o1"}),
        (OrderQuery(identified_by=(IdentifierMatch("PL1", "EHR"),)), {"o1"}),
        (OrderQuery(identified_by=(IdentifierMatch("PL1", "X"),)), set()),
        (OrderQuery(identified_by=(IdentifierMatch("AC2"),)), {"o2"}),
        (OrderQuery(status=(OrderStatus.REVOKED,)), set()),
        (OrderQuery(status=(OrderStatus.REVOKED, OrderStatus.ACTIVE)), {"o1", "o2"}),
        (OrderQuery(authored_since=MOMENT), {"o1", "o2"}),
        (OrderQuery(authored_before=MOMENT), set()),
        (OrderQuery(updated_since=MOMENT, updated_before=MOMENT), set()),
    ],
)
def test_orders_are_found_by_the_query(database: Database, query: OrderQuery, found: set[str]) -> None:
    placed(database)
    placed(database, OTHER, "P2", "Roe^Max")

    assert {order.public_id for order in database.read(lambda tx: tx.orders.find(query))} == found
    assert database.read(lambda tx: tx.orders.count(query)) == len(found)


def test_orders_of_a_person_come_from_all_of_its_records(database: Database) -> None:
    placed(database)
    placed(database, OTHER, "P2", "Roe^Max")
    one = PatientStatement((Identifier("P1"),), Demographics())
    two = PatientStatement((Identifier("P2"),), Demographics())

    survivor = database.write(lambda tx: patients.merge(tx, OPERATOR, one, two))

    query = OrderQuery(patient_root_key=survivor.key)
    assert database.read(lambda tx: tx.orders.count(query)) == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (WorklistQuery(), ["SPS1", "SPS2"]),
        (WorklistQuery(status=(StepStatus.COMPLETED,)), ["SPS3"]),
        (WorklistQuery(modality="MR"), ["SPS2"]),
        (WorklistQuery(station_ae_title="CT1"), ["SPS1"]),
        (WorklistQuery(station_ae_title="?T1"), ["SPS1"]),
        (WorklistQuery(start_date=("20240602", "")), ["SPS2"]),
        (WorklistQuery(start_date=("20240601", "20240601")), ["SPS1"]),
        (WorklistQuery(start_time=("0900", "0929")), []),
        (WorklistQuery(start_time=("0900", "0930")), ["SPS1", "SPS2"]),
        (WorklistQuery(patient_id="P1"), ["SPS1"]),
        (WorklistQuery(patient_id="P*"), ["SPS1", "SPS2"]),
        (WorklistQuery(patient_name="DOE*"), ["SPS1"]),
        (WorklistQuery(patient_name="doe^jane"), ["SPS1"]),
        (WorklistQuery(accession_number="AC2"), ["SPS2"]),
        (WorklistQuery(requested_procedure_id="RP1"), ["SPS1", "SPS2"]),
        (WorklistQuery(study_instance_uid="1.1"), ["SPS1"]),
        (WorklistQuery(scheduled_procedure_step_id="SPS2"), ["SPS2"]),
        (WorklistQuery(performing_physician="house*"), ["SPS1", "SPS2"]),
        (WorklistQuery(limit=1), ["SPS1"]),
    ],
)
def test_the_worklist_shows_what_is_asked_for_by_start(
    database: Database, query: WorklistQuery, found: list[str]
) -> None:
    placed(database)
    placed(database, OTHER, "P2", "Roe^Max")

    items = database.read(lambda tx: tx.orders.worklist(query))

    assert [item.step.scheduled_procedure_step_id for item in items] == found


@pytest.mark.parametrize("status", [OrderStatus.ON_HOLD, OrderStatus.REVOKED, OrderStatus.COMPLETED])
def test_the_worklist_offers_steps_of_active_orders_only(database: Database, status: OrderStatus) -> None:
    placed(database, replace(ORDER, status=status))

    assert database.read(lambda tx: tx.orders.worklist(WorklistQuery())) == []


def test_the_worklist_shows_the_survivor_and_answers_to_the_old_number(database: Database) -> None:
    placed(database)
    survivor = PatientStatement((Identifier("P7"),), Demographics("Roe^Jane", "19700101", "F"))
    retired = PatientStatement((Identifier("P1"),), Demographics())
    database.write(lambda tx: patients.merge(tx, OPERATOR, survivor, retired))

    items = database.read(lambda tx: tx.orders.worklist(WorklistQuery(patient_id="P1")))

    assert [item.patient.identifier.value for item in items] == ["P7"]
    assert items[0].order.placer_order_number == Identifier("PL1", "EHR")


def test_a_performed_step_is_replaced_by_its_uid_and_found_by_its_studies(database: Database) -> None:
    step = PerformedProcedureStep(
        sop_instance_uid="1.5",
        status=PerformedStatus.IN_PROGRESS,
        performed_procedure_step_id="PPS1",
        performed_station_ae_title="CT1",
        modality="CT",
        start_date="20240601",
        start_time="0931",
        end_date="",
        end_time="",
        study_instance_uids=("1.1", "1.2", "1.1"),
        accession_numbers=("AC1", ""),
        scheduled_procedure_step_ids=("SPS1",),
        series_instance_uids=(),
        attributes={"00400254": {"vr": "LO", "Value": ["Thorax"]}},
        order_keys=(4, 5),
        created=MOMENT,
        updated=MOMENT,
    )
    database.write(lambda tx: tx.orders.put_performed(step))
    ended = replace(step, status=PerformedStatus.COMPLETED, study_instance_uids=("1.2",), end_date="20240601")

    first = database.read(lambda tx: tx.orders.performed("1.5"))
    database.write(lambda tx: tx.orders.put_performed(ended))

    assert first == step
    assert database.read(lambda tx: tx.orders.performed("1.5")) == ended
    assert database.read(lambda tx: tx.orders.performed_of_study("1.2")) == [ended]
    assert database.read(lambda tx: tx.orders.performed_of_study("1.1")) == []
    assert database.read(lambda tx: tx.orders.performed("1.6")) is None
