"""The archive: what is stored, under whom, and what is committed to."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hilum.core.archive.events import ConflictKept, InstanceStored
from hilum.core.archive.model import (
    CommitmentState,
    Exact,
    Header,
    Level,
    Query,
    ReferencedInstance,
    StoreOutcome,
)
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import Order, OrderAction, OrderMessage, OrderRequest
from hilum.core.patients.model import UNIDENTIFIED
from hilum.core.routing.model import ParcelKind

DOE = {"name": "Doe^Jane", "birth_date": "19700101", "sex": "F"}


def order_for(house: Any, patient: str, **fields: Any) -> Order:
    fields.setdefault("placer_order_number", Identifier(f"P{fields.get('accession_number', '')}{patient}"))
    request = OrderRequest(OrderAction.PLACE, **fields)
    placed: Order = house.hub.place_orders(house.operator, OrderMessage(house.says(patient), (request,)))[0]
    return placed


def order_of(house: Any, header: Header) -> str:
    """Return the public id of the order that a study belongs to."""
    public_id: str = house.hub.read_study(house.operator, header.study_instance_uid).order_public_id
    return public_id


def blob_files(house: Any) -> list[Path]:
    return [path for path in house.folder.rglob("*") if path.is_file() and path.parent.name != "spool"]


def sibling(header: Header, **others: Any) -> Header:
    """Return the header of another image of the same series."""
    return replace(header, **{"sop_instance_uid": f"{header.sop_instance_uid[:50]}.1"} | others)


def test_a_stored_image_is_found_at_once(house: Any) -> None:
    header = house.header("12")

    stored = house.store(header)

    assert stored.outcome is StoreOutcome.STORED
    assert house.studies("12") == {header.study_instance_uid}
    assert house.news()[-1] == InstanceStored(
        header.study_instance_uid,
        header.series_instance_uid,
        header.sop_instance_uid,
        header.sop_class_uid,
        "CT",
        "operator",
    )


def test_the_same_image_twice_is_one(house: Any) -> None:
    header = house.header("12")
    house.store(header)
    before = house.rows()

    again = house.store(header)

    assert again.outcome is StoreOutcome.DUPLICATE
    assert house.rows() == before
    assert len(blob_files(house)) == 1


def test_the_same_uid_with_other_bytes_is_kept_aside(house: Any) -> None:
    header = house.header("12")
    house.store(header, b"first")

    second = house.store(header, b"second")

    assert second.outcome is StoreOutcome.CONFLICT
    assert house.conflicts() == ["same-uid"]
    assert ConflictKept("same-uid", header.sop_instance_uid) in house.news()
    kept = house.hub.retrieve(house.operator, Query(Level.INSTANCE, {}))[0].instance
    with house.hub.open_blob(kept.blob.digest) as file:
        assert file.read() == b"first"


def test_the_same_conflict_twice_is_one(house: Any) -> None:
    header = house.header("12")
    house.store(header, b"first")
    house.store(header, b"second")

    house.store(header, b"second")

    assert house.conflicts() == ["same-uid"]


def test_a_series_uid_of_another_study_is_invalid(house: Any) -> None:
    header = house.store_image("12")

    with pytest.raises(Invalid):
        house.store(sibling(header, study_instance_uid="1.2.3"))


def test_a_second_study_of_a_patient_joins_the_same_person(house: Any) -> None:
    first, second = house.store_image("12"), house.store_image("12")

    assert house.patient_of(first) == house.patient_of(second)
    assert house.studies("12") == {first.study_instance_uid, second.study_instance_uid}


def test_images_are_counted_on_series_and_study(house: Any) -> None:
    first = house.store_image("12")
    house.store(sibling(first))
    house.store(sibling(first, sop_instance_uid="1.9", series_instance_uid="1.8", modality="SR"))

    content = house.hub.read_study(house.operator, first.study_instance_uid)

    assert (content.study.number_of_series, content.study.number_of_instances) == (2, 3)
    assert content.study.modalities == ("CT", "SR")
    assert [len(one.instances) for one in content.series] == [2, 1]


# Images and orders


def test_an_image_joins_its_order_by_study_uid(house: Any) -> None:
    order = order_for(house, "12^^^HOSP", study_instance_uid="1.2.3")

    image = house.store_image("12", study_instance_uid="1.2.3")

    assert order_of(house, image) == order.public_id


def test_an_image_joins_its_order_by_an_accession_number_that_is_unique(house: Any) -> None:
    order = order_for(house, "12^^^HOSP", accession_number=Identifier("A1"))

    image = house.store_image("12", accession_number="A1")

    assert order_of(house, image) == order.public_id


def test_an_accession_number_of_two_orders_joins_none(house: Any) -> None:
    for number in ("1", "2"):
        numbers = {"placer_order_number": Identifier(number), "accession_number": Identifier("A1")}
        order_for(house, "12^^^HOSP", **numbers)

    image = house.store_image("12", accession_number="A1")

    assert order_of(house, image) == ""
    assert house.conflicts() == []


def test_an_image_that_names_the_patient_of_its_order_belongs_to_that_patient(house: Any) -> None:
    house.register("12^^^B", **DOE)
    order_for(house, "12^^^A", study_instance_uid="1.2.3")

    image = house.store_image("12", study_instance_uid="1.2.3")

    assert house.patient_of(image).identifier == Identifier("12", "A")


def test_an_image_of_another_patient_than_its_order_is_a_conflict_and_not_joined(house: Any) -> None:
    order_for(house, "12^^^HOSP", study_instance_uid="1.2.3")

    image = house.store_image("99", study_instance_uid="1.2.3")

    assert house.conflicts() == ["order-of-another-patient"]
    assert house.patient_of(image).identifier.value == "99"
    assert order_of(house, image) == ""


def test_a_number_of_another_domain_does_not_name_the_patient_of_an_order(house: Any) -> None:
    order_for(house, "12^^^A", accession_number=Identifier("A1"))
    scanner_of_b = house.caller(*house.operator.permissions, issuer="B")

    image = house.store_image("12", accession_number="A1", caller=scanner_of_b)

    assert house.patient_of(image).identifier == Identifier("12", "B")
    assert house.conflicts() == ["order-of-another-patient"]


def test_an_image_under_a_merged_number_joins_the_order_of_the_survivor(house: Any) -> None:
    order = order_for(house, "99^^^HOSP", study_instance_uid="1.2.3")
    house.merge("99^^^HOSP", "12^^^HOSP")

    image = house.store_image("12", study_instance_uid="1.2.3")

    assert order_of(house, image) == order.public_id
    assert house.conflicts() == []


# Contradictions


def test_an_image_that_contradicts_its_patient_record_is_a_conflict(house: Any) -> None:
    house.register("12^^^HOSP", **DOE)

    house.store_image("12", issuer_of_patient_id="HOSP", patient_birth_date="19510505")

    assert house.conflicts() == ["patient-contradiction"]


def test_an_image_with_another_patient_id_in_a_study_is_a_conflict(house: Any) -> None:
    first = house.store_image("12")

    house.store(sibling(first, patient_id="99"))

    assert house.conflicts() == ["patient-of-study"]
    assert house.patient_of(first).identifier.value == "12"


def test_an_image_with_the_new_number_of_a_merged_patient_is_no_conflict(house: Any) -> None:
    house.register("12^^^HOSP")
    first = house.store_image("12", issuer_of_patient_id="HOSP")
    house.merge("99^^^HOSP", "12^^^HOSP")

    house.store(sibling(first, patient_id="99"))

    assert house.conflicts() == []


def test_images_without_patient_id_are_one_record_a_study(house: Any) -> None:
    first, second = house.store_image(""), house.store_image("")

    records = [house.patient_of(first), house.patient_of(second)]

    assert [record.identifier for record in records] == [
        Identifier(first.study_instance_uid, UNIDENTIFIED),
        Identifier(second.study_instance_uid, UNIDENTIFIED),
    ]


def test_nobody_is_found_by_the_number_of_an_unidentified_record(house: Any) -> None:
    first = house.store_image("")

    second = house.store_image(first.study_instance_uid)

    assert house.patient_of(second).key != house.patient_of(first).key


# Out


def test_a_study_is_found_by_any_record_of_its_person(house: Any) -> None:
    image = house.store_image("1", issuer_of_patient_id="A")
    house.register("1^^^A")
    house.merge("2^^^A", "1^^^A")

    assert house.studies("1", "A") == house.studies("2", "A") == {image.study_instance_uid}


def test_an_unknown_study_is_not_found(house: Any) -> None:
    with pytest.raises(NotFound):
        house.hub.read_study(house.operator, "1.2.3")


def test_a_query_cannot_match_on_a_key_below_its_level(house: Any) -> None:
    with pytest.raises(Invalid, match="sop_instance_uid"):
        house.hub.find(house.operator, Query(Level.STUDY, {"sop_instance_uid": Exact("1")}))


def test_an_image_of_a_merged_patient_goes_out_with_the_survivor(house: Any) -> None:
    image = house.store_image("1", issuer_of_patient_id="A")
    house.merge("2^^^A", "1^^^A")
    wanted = Query(Level.STUDY, {"study_instance_uid": Exact(image.study_instance_uid)})

    (retrieved,) = house.hub.retrieve(house.operator, wanted)

    assert retrieved.patient is not None
    assert retrieved.patient.identifier == Identifier("2", "A")


def test_an_image_that_no_information_system_spoke_of_goes_out_as_it_came(house: Any) -> None:
    house.store_image("1")

    (retrieved,) = house.hub.retrieve(house.operator, Query(Level.INSTANCE, {}))

    assert retrieved.patient is None


def test_a_page_ends_early_rather_than_hold_too_much(house: Any) -> None:
    for number in range(3):
        house.store_image(f"{number}")

    page = house.hub.find_contents(
        house.operator, Query(Level.STUDY, {}, limit=10), most_instances=2, counted=True
    )

    assert (len(page.studies), page.more, page.total) == (2, True, 3)


# Storage commitment


def reference(header: Header) -> ReferencedInstance:
    return ReferencedInstance(header.sop_class_uid, header.sop_instance_uid)


def commit(house: Any, *references: ReferencedInstance) -> Any:
    return house.hub.request_commitment(house.operator, "CT1", "1.2.3", references)


def test_what_is_kept_is_committed_to(house: Any) -> None:
    image = house.store_image()

    commitment = commit(house, reference(image))

    assert commitment.committed == (reference(image),)
    assert commitment.failed == ()
    assert house.hub.commitment("1.2.3") == commitment


def test_an_unknown_instance_fails_with_no_such_object(house: Any) -> None:
    commitment = commit(house, ReferencedInstance("1.2", "1.9"))

    assert [one.failure_reason for one in commitment.failed] == [0x0112]


def test_another_class_than_the_kept_one_fails(house: Any) -> None:
    image = house.store_image()

    commitment = commit(house, ReferencedInstance("1.2", image.sop_instance_uid))

    assert [one.failure_reason for one in commitment.failed] == [0x0119]


def test_a_row_without_bytes_is_not_committed_to(house: Any) -> None:
    image = house.store_image()
    blob_files(house)[0].unlink()

    commitment = commit(house, reference(image))

    assert [one.failure_reason for one in commitment.failed] == [0x0112]


def test_a_report_that_was_answered_is_noted(house: Any) -> None:
    commit(house, reference(house.store_image()))

    house.hub.commitment_reported("1.2.3")

    assert house.hub.commitment("1.2.3").state is CommitmentState.REPORTED


# The sweep


def age(path: Path, days: float) -> None:
    then = path.stat().st_mtime - timedelta(days=days).total_seconds()
    os.utime(path, (then, then))


def lonely_blob(house: Any, octets: bytes) -> str:
    spool = house.hub.spool()
    spool.write(octets)
    digest: str = spool.keep().digest
    spool.discard()
    return digest


def test_the_sweep_removes_an_old_blob_that_no_row_refers_to(house: Any) -> None:
    digest = lonely_blob(house, b"nobody's")
    age(blob_files(house)[0], days=2)

    swept = house.hub.sweep()

    assert swept == 1
    assert not house.objects.contains(digest)


def test_the_sweep_spares_what_is_young(house: Any) -> None:
    digest = lonely_blob(house, b"on its way")

    assert house.hub.sweep() == 0
    assert house.objects.contains(digest)


def test_the_sweep_spares_images_and_conflicts(house: Any) -> None:
    header = house.header()
    house.store(header, b"first")
    house.store(header, b"second")
    for path in blob_files(house):
        age(path, days=2)

    assert house.hub.sweep() == 0
    assert len(blob_files(house)) == 2


def test_what_is_not_there_cannot_be_sent(house: Any) -> None:
    with pytest.raises(NotFound):
        house.hub.send(house.operator, "nobody", ParcelKind.INSTANCE, "1.2.3")
