"""Reports: versions, and whose they are."""

from typing import Any

import pytest

from hilum.core.kernel.codes import NO_CODE
from hilum.core.kernel.errors import Conflict, NotFound
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import Order, OrderAction, OrderMessage, OrderRequest
from hilum.core.reports.events import ReportFiled
from hilum.core.reports.model import Report, ReportQuery, ReportRequest, ReportStatus

NUMBER = Identifier("F1", "RIS")


def file(
    house: Any,
    status: ReportStatus = ReportStatus.FINAL,
    text: str = "normal",
    patient: str = "12^^^HOSP",
    **fields: Any,
) -> Report:
    request = ReportRequest(house.says(patient), NUMBER, status, NO_CODE, text=text, **fields)
    filed: Report = house.hub.file_report(house.operator, request)
    return filed


def order_for(house: Any, number: str, **fields: Any) -> Order:
    request = OrderRequest(OrderAction.PLACE, placer_order_number=Identifier(number), **fields)
    message = OrderMessage(house.says("12^^^HOSP"), (request,))
    placed: Order = house.hub.place_orders(house.operator, message)[0]
    return placed


def test_the_first_version_is_filed_and_told(house: Any) -> None:
    filed = file(house)

    assert filed.version == 1
    assert house.news()[-1] == ReportFiled(filed.public_id, 1, "final", "operator")


def test_a_repeated_version_changes_nothing(house: Any) -> None:
    first = file(house)
    before = house.rows()

    again = file(house)

    assert again == first
    assert house.rows() == before


def test_every_version_stays_readable_and_the_newest_is_shown(house: Any) -> None:
    file(house, ReportStatus.PRELIMINARY, "maybe")
    newest = file(house, ReportStatus.FINAL, "normal")

    found, total = house.hub.find_reports(house.operator, ReportQuery())
    first = house.hub.read_report(house.operator, newest.public_id, 1)

    assert ([filed.report.version for filed in found], total) == ([2], 1)
    assert first.report.text == "maybe"
    assert house.hub.read_report(house.operator, newest.public_id).report.text == "normal"


@pytest.mark.parametrize("late", [ReportStatus.REGISTERED, ReportStatus.PARTIAL, ReportStatus.PRELIMINARY])
@pytest.mark.parametrize("kept", [ReportStatus.FINAL, ReportStatus.AMENDED, ReportStatus.CORRECTED])
def test_a_late_unfinished_version_never_hides_a_finished_one(
    house: Any, kept: ReportStatus, late: ReportStatus
) -> None:
    file(house, kept)

    with pytest.raises(Conflict):
        file(house, late, "maybe")

    assert house.hub.find_reports(house.operator, ReportQuery())[0][0].report.status is kept


def test_a_corrected_version_follows_a_final_one(house: Any) -> None:
    file(house)

    assert file(house, ReportStatus.CORRECTED, "fracture").version == 2


def test_a_version_about_another_patient_is_a_conflict(house: Any) -> None:
    file(house)

    with pytest.raises(Conflict):
        file(house, ReportStatus.CORRECTED, "fracture", patient="99^^^HOSP")

    assert [record.identifier.value for record in house.records()] == ["12"]


def test_a_report_for_the_order_of_another_patient_is_a_conflict(house: Any) -> None:
    order_for(house, "P1")

    with pytest.raises(Conflict):
        file(house, patient="99^^^HOSP", placer_order_number=Identifier("P1"))


def test_after_a_merge_a_version_under_the_new_number_follows(house: Any) -> None:
    file(house)
    house.merge("99^^^HOSP", "12^^^HOSP")

    assert file(house, ReportStatus.CORRECTED, patient="99^^^HOSP").version == 2


@pytest.mark.parametrize(
    "named",
    [
        {"placer_order_number": Identifier("P1")},
        {"filler_order_number": Identifier("X1", "FIL")},
        {"accession_number": Identifier("A1")},
        {"study_instance_uid": "1.2.3"},
    ],
)
def test_a_report_finds_its_order_by_any_of_its_numbers(house: Any, named: dict[str, Any]) -> None:
    numbers = {"filler_order_number": Identifier("X1", "FIL"), "accession_number": Identifier("A1")}
    order = order_for(house, "P1", study_instance_uid="1.2.3", **numbers)

    filed = file(house, **named)

    assert filed.order_key == order.key
    assert filed.study_instance_uid == "1.2.3"
    assert filed.accession_number == Identifier("A1")


def test_an_accession_number_of_two_orders_finds_none(house: Any) -> None:
    order_for(house, "P1", accession_number=Identifier("A1"))
    order_for(house, "P2", accession_number=Identifier("A1"))

    assert file(house, accession_number=Identifier("A1")).order_key is None


def test_a_report_without_order_is_kept(house: Any) -> None:
    filed = file(house, placer_order_number=Identifier("unheard"))

    assert filed.order_key is None
    assert house.hub.read_report(house.operator, filed.public_id).order_public_id == ""


def test_an_unknown_report_or_version_is_not_found(house: Any) -> None:
    filed = file(house)

    for public_id, version in (("nothing", None), (filed.public_id, 2)):
        with pytest.raises(NotFound):
            house.hub.read_report(house.operator, public_id, version)
