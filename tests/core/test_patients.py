"""The patient index: who is who, and how that is taken back (ADR 7, ADR 15)."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilum.core.kernel.codes import NO_CODE
from hilum.core.kernel.errors import Conflict, Invalid, NotFound
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderAction, OrderMessage, OrderQuery, OrderRequest
from hilum.core.patients.events import PatientRegistered, PatientsMerged, PatientsUnmerged
from hilum.core.reports.model import ReportQuery, ReportRequest, ReportStatus

DOE = {"name": "Doe^Jane", "birth_date": "19700101", "sex": "F"}
ROE = {"name": "Roe^Richard", "birth_date": "19510505", "sex": "M"}


def test_registering_twice_changes_nothing(house: Any) -> None:
    first = house.register("12^^^HOSP", **DOE)

    second = house.register("12^^^HOSP", **DOE)

    assert second == first
    assert house.news() == [PatientRegistered(first.public_id)]


def test_a_second_message_updates_the_record_once(house: Any) -> None:
    house.register("12^^^HOSP", **DOE)

    updated = house.register("12^^^HOSP", **(DOE | {"name": "Smith^Jane"}))
    again = house.register("12^^^HOSP", **(DOE | {"name": "Smith^Jane"}))

    assert (updated.demographics.name, updated.version) == ("Smith^Jane", 2)
    assert again == updated


def test_an_empty_field_keeps_what_is_known(house: Any) -> None:
    house.register("12^^^HOSP", address="1 High St", **DOE)

    updated = house.register("12^^^HOSP", name="Smith^Jane")

    assert updated.demographics.birth_date == "19700101"
    assert updated.demographics.address == "1 High St"


def test_an_hl7_null_erases(house: Any) -> None:
    house.register("12^^^HOSP", address="1 High St", **DOE)

    updated = house.register("12^^^HOSP", deleted=("address",), name="Doe^Jane")

    assert updated.demographics.address == ""
    assert updated.demographics.birth_date == "19700101"


def test_a_patient_without_identifier_is_invalid(house: Any) -> None:
    with pytest.raises(Invalid):
        house.register(**DOE)

    assert house.records() == []


def test_two_hospitals_with_the_same_number_stay_apart(house: Any) -> None:
    jane = house.register("12^^^A", **DOE)

    john = house.register("12^^^B", **ROE)

    assert john.root_key != jane.root_key
    assert house.record("12^^^A").demographics.name == "Doe^Jane"


# Identifiers without issuer: every branch of ADR 15


def test_a_number_without_issuer_belongs_to_the_only_domain_known(house: Any) -> None:
    jane = house.register("12^^^HOSP", **DOE)

    image = house.store_image("12")

    assert house.patient_of(image).key == jane.key


def test_an_unidentified_image_is_no_second_domain(house: Any) -> None:
    house.store_image("")
    jane = house.register("12^^^HOSP", **DOE)

    image = house.store_image("12")

    assert house.patient_of(image).key == jane.key


def test_in_the_only_domain_opposed_demographics_do_not_join(house: Any) -> None:
    jane = house.register("12^^^HOSP", **DOE)

    image = house.store_image("12", patient_birth_date="19510505")

    assert house.patient_of(image).key != jane.key


def test_with_two_domains_a_number_alone_joins_nobody(house: Any) -> None:
    jane = house.register("12^^^A", **DOE)
    house.register("99^^^B", **ROE)

    image = house.store_image("12")

    assert house.patient_of(image).key != jane.key
    assert house.patient_of(image).identifier == Identifier("12")


def test_with_two_domains_equal_name_and_birth_date_join(house: Any) -> None:
    jane = house.register("12^^^A", **DOE)
    house.register("12^^^B", **ROE)

    image = house.store_image("12", patient_name="DOE^JANE^^", patient_birth_date="19700101")

    assert house.patient_of(image).key == jane.key


def test_with_two_domains_an_opposed_sex_does_not_join(house: Any) -> None:
    jane = house.register("12^^^A", **DOE)
    house.register("99^^^B", **ROE)

    image = house.store_image("12", patient_name="Doe^Jane", patient_birth_date="19700101", patient_sex="M")

    assert house.patient_of(image).key != jane.key


def test_two_persons_with_equal_demographics_and_number_are_not_guessed_between(house: Any) -> None:
    one, other = house.register("12^^^A", **DOE), house.register("12^^^B", **DOE)

    image = house.store_image("12", patient_name="Doe^Jane", patient_birth_date="19700101")

    assert house.patient_of(image).key not in {one.key, other.key}


def test_two_merged_records_with_equal_demographics_are_one_person_to_an_image(house: Any) -> None:
    house.register("12^^^A", **DOE)
    house.register("12^^^B", **DOE)
    survivor = house.merge("12^^^A", "12^^^B")

    image = house.store_image("12", patient_name="Doe^Jane", patient_birth_date="19700101")

    assert house.patient_of(image).root_key == survivor.key


def test_the_first_message_with_an_issuer_adopts_the_record_of_an_image(house: Any) -> None:
    image = house.store_image("12", patient_name="Doe^Jane")

    jane = house.register("12^^^HOSP", **DOE)

    assert house.patient_of(image) == jane
    assert jane.identifier == Identifier("12", "HOSP")
    assert jane.authoritative
    assert "patients.issuer" in house.actions()


def test_a_second_domain_does_not_adopt_a_record_by_its_number(house: Any) -> None:
    house.register("99^^^A", **ROE)
    image = house.store_image("12", patient_name="Moe^Mary", patient_birth_date="19600101")
    before = house.patient_of(image)

    other = house.register("12^^^B", **DOE)

    assert other.key != before.key


def test_a_peer_may_have_an_issuer_of_its_own(house: Any) -> None:
    jane = house.register("12^^^A", **DOE)
    house.register("12^^^B", **ROE)
    scanner_of_a = house.caller(*house.operator.permissions, issuer="A")

    image = house.store_image("12", caller=scanner_of_a)

    assert house.patient_of(image).key == jane.key


def test_the_house_may_have_an_issuer_for_every_door(build_house: Callable[..., Any]) -> None:
    house = build_house("A")
    jane = house.register("12^^^A", **DOE)
    house.register("12^^^B", **ROE)

    image = house.store_image("12")

    assert house.patient_of(image).key == jane.key
    assert house.register("12", name="Smith^Jane").key == jane.key


def test_the_issuer_of_a_peer_comes_before_that_of_the_house(build_house: Callable[..., Any]) -> None:
    house = build_house("A")
    scanner_of_b = house.caller(*house.operator.permissions, issuer="B")

    image = house.store_image("12", caller=scanner_of_b)

    assert house.patient_of(image).identifier == Identifier("12", "B")


# Several repetitions of PID-3


def test_new_numbers_in_one_message_are_one_person(house: Any) -> None:
    house.register("12^^^HOSP", "77^^^NATIONAL", **DOE)

    assert house.root("77^^^NATIONAL") == "12^^^HOSP"


def test_a_number_that_only_images_used_joins_the_person_of_the_message(house: Any) -> None:
    image = house.store_image("77", issuer_of_patient_id="NATIONAL", patient_name="Doe^Jane")

    house.register("12^^^HOSP", "77^^^NATIONAL", **DOE)

    assert house.studies("12", "HOSP") == {image.study_instance_uid}


def test_a_number_whose_images_contradict_the_message_stays_apart(house: Any) -> None:
    house.store_image("77", issuer_of_patient_id="NATIONAL", patient_birth_date="19510505")

    house.register("12^^^HOSP", "77^^^NATIONAL", **DOE)

    assert house.root("77^^^NATIONAL") == "77^^^NATIONAL"


def test_a_number_that_was_described_before_stays_a_person_of_its_own(house: Any) -> None:
    house.register("77^^^NATIONAL", name="Roe^Richard")
    house.register("77^^^NATIONAL", **ROE)

    house.register("12^^^HOSP", "77^^^NATIONAL", **DOE)

    assert house.root("77^^^NATIONAL") == "77^^^NATIONAL"


def test_what_a_person_took_apart_no_repeated_message_joins_again(house: Any) -> None:
    house.register("12^^^HOSP", "77^^^NATIONAL", **DOE)
    house.hub.unmerge_patient(house.operator, house.record("77^^^NATIONAL").public_id)

    house.register("12^^^HOSP", "77^^^NATIONAL", **DOE)

    assert house.root("77^^^NATIONAL") == "77^^^NATIONAL"


def test_a_number_said_twice_is_one_record(house: Any) -> None:
    record = house.register("12^^^HOSP", "12^^^HOSP", "12", **DOE)

    assert house.records() == [record]
    assert record.version == 1


# Merge and unmerge


def test_a_merge_sets_one_pointer(house: Any) -> None:
    old, new = house.register("1^^^A"), house.register("2^^^A")

    survivor = house.merge("2^^^A", "1^^^A")

    assert survivor.key == new.key
    assert house.record("1^^^A").survivor_key == new.key
    assert house.news()[-1] == PatientsMerged(new.public_id, old.public_id)


def test_a_repeated_merge_changes_nothing(house: Any) -> None:
    house.register("1^^^A")
    house.register("2^^^A")
    house.merge("2^^^A", "1^^^A")
    before = house.rows("audit_entries")

    house.merge("2^^^A", "1^^^A")

    assert house.rows("audit_entries") == before


def test_a_merge_of_an_unknown_record_remembers_its_number(house: Any) -> None:
    house.merge("2^^^A", "1^^^A")

    image = house.store_image("1", issuer_of_patient_id="A")

    assert house.studies("2", "A") == {image.study_instance_uid}


def test_a_merge_of_a_record_into_itself_changes_nothing(house: Any) -> None:
    record = house.register("1^^^A", **DOE)

    assert house.merge("1^^^A", "1^^^A") == record


def test_a_merge_without_a_retiring_number_is_invalid(house: Any) -> None:
    with pytest.raises(Invalid):
        house.hub.merge_patients(house.operator, house.says("2^^^A"), house.says())

    assert house.records() == []


def test_a_chain_of_merges_leads_to_the_last_survivor(house: Any) -> None:
    house.merge("2^^^A", "1^^^A")
    house.merge("3^^^A", "2^^^A")

    assert [house.root(number) for number in ("1^^^A", "2^^^A", "3^^^A")] == ["3^^^A"] * 3
    assert house.record("1^^^A").survivor_key == house.record("2^^^A").key


def test_a_merge_the_other_way_round_turns_the_pointer(house: Any) -> None:
    house.merge("2^^^A", "1^^^A")

    survivor = house.merge("1^^^A", "2^^^A")

    assert survivor.survivor_key is None
    assert house.root("2^^^A") == "1^^^A"
    assert house.root("1^^^A") == "1^^^A"


def test_merges_in_a_circle_leave_one_survivor(house: Any) -> None:
    house.merge("2^^^A", "1^^^A")
    house.merge("3^^^A", "2^^^A")

    house.merge("1^^^A", "3^^^A")

    assert [house.root(number) for number in ("1^^^A", "2^^^A", "3^^^A")] == ["1^^^A"] * 3


def test_a_merge_repeated_after_its_survivor_retired_does_not_bring_it_back(house: Any) -> None:
    house.merge("2^^^A", "1^^^A")
    house.merge("3^^^A", "2^^^A")

    house.merge("2^^^A", "1^^^A")

    assert house.root("1^^^A") == "3^^^A"


def test_an_unmerge_takes_a_whole_branch_back(house: Any) -> None:
    house.merge("2^^^A", "1^^^A")
    house.merge("3^^^A", "2^^^A")

    house.hub.unmerge_patient(house.operator, house.record("2^^^A").public_id)

    assert [house.root(number) for number in ("1^^^A", "2^^^A", "3^^^A")] == ["2^^^A", "2^^^A", "3^^^A"]
    assert isinstance(house.news()[-1], PatientsUnmerged)


def test_an_unmerge_of_what_was_not_merged_is_a_conflict(house: Any) -> None:
    record = house.register("1^^^A")

    with pytest.raises(Conflict):
        house.hub.unmerge_patient(house.operator, record.public_id)


def test_an_unmerge_of_nobody_finds_nothing(house: Any) -> None:
    with pytest.raises(NotFound):
        house.hub.unmerge_patient(house.operator, "nobody")


def test_a_merge_and_its_unmerge_change_no_study_and_no_blob(house: Any) -> None:
    house.register("1^^^A", **DOE)
    house.register("2^^^A", **DOE)
    house.store_image("1", issuer_of_patient_id="A")
    tables = ("studies", "series", "instances")
    before = {name: house.rows()[name] for name in tables}
    blobs = sorted(path for path in house.folder.rglob("*") if path.is_file())

    house.merge("2^^^A", "1^^^A")
    merged = {name: house.rows()[name] for name in tables}
    house.hub.unmerge_patient(house.operator, house.record("1^^^A").public_id)

    assert merged == before
    assert {name: house.rows()[name] for name in tables} == before
    assert sorted(path for path in house.folder.rglob("*") if path.is_file()) == blobs


def test_links_are_read_root_first_from_any_record(house: Any) -> None:
    house.merge("2^^^A", "1^^^A")

    _, linked = house.hub.read_patient(house.operator, house.record("1^^^A").public_id)

    assert [record.identifier.value for record in linked] == ["2", "1"]


# Whatever happened before, an unmerge restores every answer

_PEOPLE = st.integers(0, 4)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), _PEOPLE, _PEOPLE),
        st.tuples(st.just("merge"), _PEOPLE, _PEOPLE),
        st.tuples(st.just("unmerge"), _PEOPLE, _PEOPLE),
        st.tuples(st.just("store"), _PEOPLE, _PEOPLE),
    ),
    max_size=8,
)


class _Life:
    """One sequence of happenings in a house, with numbers of its own."""

    def __init__(self, house: Any, prefix: str) -> None:
        self.house, self.prefix = house, prefix
        for person in range(5):
            house.register(self.number(person), **DOE)

    def value(self, person: int) -> str:
        return f"{self.prefix}-{person}"

    def number(self, person: int) -> str:
        return f"{self.value(person)}^^^A"

    def happen(self, what: str, one: int, other: int) -> None:
        match what:
            case "register":
                self.house.register(self.number(one), **DOE)
                self._place(one)
                self._report(one)
            case "merge":
                self.house.merge(self.number(one), self.number(other))
            case "unmerge":
                record = self.house.record(self.number(one))
                if record.survivor_key is not None:
                    self.house.hub.unmerge_patient(self.house.operator, record.public_id)
            case "store":
                self.house.store_image(self.value(one), issuer_of_patient_id="A")

    def answers(self) -> Mapping[int, Any]:
        return {person: self._answers(person) for person in range(5)}

    def _answers(self, person: int) -> Any:
        hub, operator, number = self.house.hub, self.house.operator, self.number(person)
        root = self.house.record(number).root_key
        found_orders, _ = hub.find_orders(operator, OrderQuery(patient_root_key=root))
        found_reports, _ = hub.find_reports(operator, ReportQuery(patient_root_key=root))
        return (
            self.house.root(number),
            self.house.studies(self.value(person), "A"),
            {(order.public_id, patient.identifier) for order, patient in found_orders},
            {(filed.report.public_id, filed.patient.identifier) for filed in found_reports},
        )

    def _place(self, person: int) -> None:
        request = OrderRequest(OrderAction.PLACE, placer_order_number=Identifier(self.value(person), "P"))
        message = OrderMessage(self.house.says(self.number(person)), (request,))
        self.house.hub.place_orders(self.house.operator, message)

    def _report(self, person: int) -> None:
        said, number = self.house.says(self.number(person)), Identifier(self.value(person), "F")
        self.house.hub.file_report(
            self.house.operator, ReportRequest(said, number, ReportStatus.FINAL, NO_CODE)
        )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS, survivor=_PEOPLE, retired=_PEOPLE)
def test_an_unmerge_restores_every_answer(
    house: Any, steps: list[tuple[str, int, int]], survivor: int, retired: int
) -> None:
    life = _Life(house, house.operator.trace + str(len(house.records(limit=100_000))))
    for step in steps:
        life.happen(*step)
    before = life.answers()
    roots = {person: house.root(life.number(person)) for person in (survivor, retired)}
    apart = roots[survivor] != roots[retired]

    house.merge(life.number(survivor), life.number(retired))
    merged = life.answers()
    if apart:
        house.hub.unmerge_patient(house.operator, house.record(roots[retired]).public_id)

    assert merged[survivor] == merged[retired]
    assert not apart or life.answers() == before


def test_time_alone_changes_no_identity(house: Any) -> None:
    house.merge("2^^^A", "1^^^A")

    house.later(timedelta(days=400))

    assert house.root("1^^^A") == "2^^^A"
