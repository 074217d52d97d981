"""Conflicts are resolved with a reason, audited, and the resolution can be taken back."""

from typing import Any

import pytest

from hilum.core.archive.lifecycle import Resolution
from hilum.core.kernel.errors import Conflict, Invalid, NotFound, Refused
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientStatement

from .conftest import OPERATOR, STUDY, House, image

UID = f"{STUDY}.1.1"


@pytest.fixture
def twins(house: House) -> tuple[House, int]:
    """A house with one image and another of the same UID, and the number of that conflict."""
    house.send(image(1))
    house.send(image(1, StudyDescription="the other", InstanceNumber="8"))
    [conflict] = house.hub.conflicts(OPERATOR)
    return house, conflict.key


def description(house: House) -> str:
    [metadata] = house.web().retrieve_study_metadata(STUDY)
    return str(metadata["00081030"]["Value"][0])


def test_keeping_closes_the_conflict_and_changes_nothing(twins: tuple[House, int]) -> None:
    house, key = twins

    done = house.hub.resolve_conflict(OPERATOR, key, Resolution.KEEP, "the first is right")

    assert house.hub.conflicts(OPERATOR) == []
    assert (done.resolution, done.resolved_by, done.resolution_detail) == (
        "keep",
        "operator",
        "the first is right",
    )
    assert description(house) == "Head"
    assert house.audited("conflicts.resolve") == [f"Conflict/{key}"]
    house.later(31)
    house.hub.sweep()
    assert len(house.blobs()) == 1


def test_taking_puts_the_other_in_use_and_undo_brings_the_first_back(twins: tuple[House, int]) -> None:
    house, key = twins

    house.hub.resolve_conflict(OPERATOR, key, Resolution.TAKE, "the second is right")
    taken = description(house)
    house.hub.undo_resolution(OPERATOR, key)

    [opened] = house.hub.conflicts(OPERATOR)
    [found] = house.found("IMAGE", SeriesInstanceUID=f"{STUDY}.1", SOPInstanceUID="", InstanceNumber="")
    assert taken == "the other"
    assert description(house) == "Head"
    assert (opened.key, opened.resolution, found.InstanceNumber) == (key, "", 1)
    assert house.audited("conflicts.undo") == [f"Conflict/{key}"]


def test_what_was_taken_outlives_the_sweep(twins: tuple[House, int]) -> None:
    house, key = twins
    house.hub.resolve_conflict(OPERATOR, key, Resolution.TAKE, "the second is right")

    house.later(31)
    house.hub.sweep()

    assert description(house) == "the other"
    assert len(house.blobs()) == 1


def test_a_resolution_does_not_fit_every_kind_and_not_twice(twins: tuple[House, int]) -> None:
    house, key = twins

    with pytest.raises(Invalid, match="not resolved by"):
        house.hub.resolve_conflict(OPERATOR, key, Resolution.MOVE, "x", Identifier("P2"))
    with pytest.raises(Invalid, match="say why"):
        house.hub.resolve_conflict(OPERATOR, key, Resolution.KEEP, " ")
    house.hub.resolve_conflict(OPERATOR, key, Resolution.KEEP, "right")
    with pytest.raises(Conflict):
        house.hub.resolve_conflict(OPERATOR, key, Resolution.TAKE, "wrong")
    with pytest.raises(NotFound):
        house.hub.resolve_conflict(OPERATOR, 4711, Resolution.KEEP, "right")


def test_one_of_another_series_cannot_be_taken(house: House) -> None:
    house.send(image(1))
    house.send(image(1, SeriesInstanceUID=f"{STUDY}.7"))
    [conflict] = house.hub.conflicts(OPERATOR)

    with pytest.raises(Invalid, match="another series"):
        house.hub.resolve_conflict(OPERATOR, conflict.key, Resolution.TAKE, "why not")


@pytest.fixture
def astray(house: House) -> tuple[House, int]:
    """A study whose second image names another patient, who is known, and the number of that conflict."""
    who = PatientStatement((Identifier("P2"),), Demographics("Roe^Mary", "19800202", "F"))
    house.hub.register_patient(OPERATOR, who)
    house.send(image(1), image(2, PatientID="P2", PatientName="Roe^Mary", PatientBirthDate="19800202"))
    [conflict] = house.hub.conflicts(OPERATOR)
    assert conflict.kind == "patient-of-study"
    return house, conflict.key


def shown(house: House) -> tuple[str, set[str]]:
    """Return whose study a search finds, and whom the objects that are handed out name."""
    [found] = house.found("STUDY", PatientID="")
    return str(found.PatientID), {str(one.PatientID) for one in house.web().retrieve_study(STUDY)}


def test_a_contradiction_can_be_accepted(astray: tuple[House, int]) -> None:
    house, key = astray

    house.hub.resolve_conflict(OPERATOR, key, Resolution.ACCEPT, "seen: it is a phantom")

    assert house.hub.conflicts(OPERATOR) == []
    assert shown(house) == ("P1", {"P1", "P2"})


def test_a_study_moves_to_the_right_patient_and_back(astray: tuple[House, int]) -> None:
    house, key = astray

    house.hub.resolve_conflict(OPERATOR, key, Resolution.MOVE, "it is Mary's", Identifier("P2"))
    moved = shown(house)
    house.hub.undo_resolution(OPERATOR, key)

    assert moved == ("P2", {"P2"})
    assert shown(house)[0] == "P1"
    assert house.audited("archive.reassign") == [f"Study/{STUDY}", f"Study/{STUDY}"]


def test_a_study_moves_to_known_patients_only(astray: tuple[House, int]) -> None:
    house, key = astray

    with pytest.raises(NotFound):
        house.hub.resolve_conflict(OPERATOR, key, Resolution.MOVE, "to whom?", Identifier("NOBODY"))


def test_resolving_asks_for_its_own_permission(twins: tuple[House, int]) -> None:
    house, key = twins
    reader = house.hub.admit_token(house.token("conflicts.read")["Authorization"][7:], "127.0.0.1", "t")

    with pytest.raises(Refused):
        house.hub.resolve_conflict(reader, key, Resolution.KEEP, "mine")


def test_the_api_shows_resolves_and_undoes(twins: tuple[House, int]) -> None:
    house, key = twins
    api = house.http("conflicts.*")

    shown = api.get(f"/api/conflicts/{key}").json()
    done = api.post(f"/api/conflicts/{key}/resolve", json={"resolution": "take", "detail": "better"})
    again = api.post(f"/api/conflicts/{key}/resolve", json={"resolution": "take", "detail": "better"})
    listed = api.get("/api/conflicts/resolved").json()
    undone = api.post(f"/api/conflicts/{key}/undo")

    assert shown["kind"] == "same-uid"
    assert (done.json()["resolution"], again.status_code) == ("take", 409)
    assert [one["key"] for one in listed] == [key]
    assert undone.json()["resolved"] is None


@pytest.mark.parametrize("body", [{}, {"resolution": "burn"}, {"resolution": "keep"}, {"resolution": 1}])
def test_the_api_refuses_what_is_no_resolution(twins: tuple[House, int], body: Any) -> None:
    house, key = twins

    assert house.http("conflicts.*").post(f"/api/conflicts/{key}/resolve", json=body).status_code == 400
