"""The same SOP Instance UID with other bytes, as the options of the sending peer say."""

import pytest

from .conftest import OPERATOR, STUDY, House, image

CHANGED = {"StudyDescription": "changed", "InstanceNumber": "7"}


@pytest.fixture
def full(house: House) -> House:
    assert house.send(image(1)) == [(0, "")]
    return house


def description(house: House) -> str:
    [metadata] = house.web().retrieve_study_metadata(STUDY)
    return str(metadata["00081030"]["Value"][0])


def test_without_a_word_both_are_kept_and_the_sender_is_told(full: House) -> None:
    [(status, _)] = full.send(image(1, **CHANGED))

    assert status == 0x0111
    assert [one.kind for one in full.hub.conflicts(OPERATOR)] == ["same-uid"]
    assert description(full) == "Head"


def test_ignored_bytes_are_let_go_with_success_and_an_entry(full: House) -> None:
    full.peer("OLD", duplicates="ignore")

    assert full.send(image(1, **CHANGED), title="OLD") == [(0, "")]

    assert full.hub.conflicts(OPERATOR) == []
    assert description(full) == "Head"
    assert full.audited("archive.ignore") == [f"Instance/{STUDY}.1.1"]


def test_replacing_puts_the_new_bytes_in_use_and_keeps_the_old_for_a_while(full: House) -> None:
    full.peer("NEW", duplicates="replace")

    assert full.send(image(1, **CHANGED), title="NEW") == [(0, "")]

    versions = full.hub.transact(lambda tx: tx.lifecycle.versions(f"{STUDY}.1.1"))
    [found] = full.found("IMAGE", SeriesInstanceUID=f"{STUDY}.1", SOPInstanceUID="", InstanceNumber="")
    assert description(full) == "changed"
    assert found.InstanceNumber == 7
    assert [(one.source, one.replaced_by) for one in versions] == [("CT1", "NEW")]
    full.hub.sweep()
    assert len(full.blobs()) == 2
    full.later(31)
    full.hub.sweep()
    assert len(full.blobs()) == 1
    assert description(full) == "changed"


def test_replacing_never_moves_an_instance_to_another_series(full: House) -> None:
    full.peer("NEW", duplicates="replace")

    [(status, comment)] = full.send(image(1, SeriesInstanceUID=f"{STUDY}.5"), title="NEW")

    assert (status, "another series" in comment) == (0x0111, True)


def test_quarantined_bytes_are_out_of_sight_with_success(full: House) -> None:
    full.peer("ODD", duplicates="quarantine")

    assert full.send(image(1, **CHANGED), title="ODD") == [(0, "")]

    assert [one.kind for one in full.hub.conflicts(OPERATOR)] == ["quarantined"]
    assert description(full) == "Head"


@pytest.mark.parametrize("policy", ["keep-both", "ignore", "replace", "quarantine"])
def test_the_same_bytes_stay_a_duplicate(full: House, policy: str) -> None:
    full.peer("ANY", duplicates=policy)

    assert full.send(image(1), title="ANY") == [(0, "")]

    assert full.hub.conflicts(OPERATOR) == []
    assert full.hub.transact(lambda tx: tx.lifecycle.versions(f"{STUDY}.1.1")) == []
