"""DELETE: out of sight at once, restorable for a while, then gone with a tombstone left."""

from typing import Any

import pytest

from hilum.core.archive.lifecycle import RejectionReason
from hilum.core.kernel.errors import Conflict
from hilum.core.reactions import react

from .conftest import OPERATOR, STUDY, House, image, note

BY_WEB = f"/dicom-web/studies/{STUDY}"


@pytest.fixture
def full(house: House) -> House:
    """A house that keeps one study of three images in two series."""
    assert {status for status, _ in house.send(image(1), image(2), image(1, series=2))} == {0}
    return house


def shown(house: House) -> set[str]:
    found = house.web().search_for_instances(STUDY)
    return {one["00080018"]["Value"][0] for one in found}


def test_a_deleted_series_is_out_of_sight_and_can_be_restored(full: House) -> None:
    answer = full.http("deletion.order").delete(f"{BY_WEB}/series/{STUDY}.1")

    gone = shown(full)
    [kept] = full.hub.rejections(OPERATOR)
    full.hub.restore(OPERATOR, kept.key, "it was the wrong one")
    assert answer.status_code == 204
    assert gone == {f"{STUDY}.2.1"}
    assert kept.reason is RejectionReason.RETENTION
    assert len(shown(full)) == 3


def test_after_the_grace_period_rows_and_blobs_are_gone_and_a_tombstone_says_why(full: House) -> None:
    full.http("deletion.order").delete(BY_WEB, params={"reason": "quality", "detail": "a phantom"})
    full.hub.sweep()
    before = len(full.blobs())
    full.later(31)

    full.hub.sweep()

    tombstones = full.hub.tombstones(OPERATOR)
    assert before == 3
    assert full.blobs() == []
    assert full.hub.totals(OPERATOR)["studies"] == full.hub.totals(OPERATOR)["series"] == 0
    assert {one.sop_instance_uid for one in tombstones} == {f"{STUDY}.1.1", f"{STUDY}.1.2", f"{STUDY}.2.1"}
    assert {(one.reason, one.detail, one.caller) for one in tombstones} == {("quality", "a phantom", "t")}
    assert full.audited("archive.delete") == [f"Study/{STUDY}"]


def test_what_was_swept_cannot_be_restored_but_comes_in_anew(full: House) -> None:
    full.http("deletion.order").delete(BY_WEB)
    key = full.hub.rejections(OPERATOR)[0].key
    full.later(31)
    full.hub.sweep()

    with pytest.raises(Conflict, match="deleted"):
        full.hub.restore(OPERATOR, key, "too late")
    assert full.send(image(1)) == [(0, "")]
    assert shown(full) == {f"{STUDY}.1.1"}


def test_what_was_restored_is_never_swept(full: House) -> None:
    full.http("deletion.order").delete(BY_WEB)
    full.hub.restore(OPERATOR, full.hub.rejections(OPERATOR)[0].key, "needed")
    full.later(31)

    full.hub.sweep()

    assert len(shown(full)) == 3
    assert len(full.blobs()) == 3


def test_what_came_again_meanwhile_is_not_swept(full: House) -> None:
    full.http("deletion.order").delete(BY_WEB)
    full.send(image(1))
    full.later(31)

    full.hub.sweep()

    assert shown(full) == {f"{STUDY}.1.1"}
    assert len(full.hub.tombstones(OPERATOR)) == 2


def test_what_is_rejected_for_safety_too_is_hidden_for_good_and_not_swept(full: House) -> None:
    full.http("deletion.order").delete(BY_WEB)
    full.send(note("113037", image(1)))
    full.later(31)

    full.hub.sweep()

    assert len(full.hub.tombstones(OPERATOR)) == 2
    assert full.send(image(1))[0][0] == 0x0124


def test_a_blob_that_others_refer_to_stays(full: House) -> None:
    """Two SOP Instance UIDs cannot share bytes, an instance and a conflict can."""
    other = image(1, StudyDescription="changed")
    full.send(other)
    full.http("deletion.order").delete(f"{BY_WEB}/series/{STUDY}.1/instances/{STUDY}.1.1")
    full.later(31)

    full.hub.sweep()

    assert len(full.blobs()) == 3


def test_an_expired_retention_note_deletes_after_the_grace_period(full: House) -> None:
    full.send(note("113039", image(1), image(2)))
    full.later(31)

    full.hub.sweep()

    assert shown(full) == {f"{STUDY}.2.1"}
    assert len(full.hub.tombstones(OPERATOR)) == 2


@pytest.mark.parametrize("scopes", [("archive.*",), ("archive.reject", "archive.store", "conflicts.*")])
def test_a_token_for_the_archive_deletes_nothing(full: House, scopes: tuple[str, ...]) -> None:
    answer = full.http(*scopes).delete(BY_WEB)

    assert answer.status_code == 403
    assert len(shown(full)) == 3


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dicom-web/studies/1.2.3.99", 404),
        (BY_WEB + "?reason=patient-safety", 400),
        (BY_WEB + "?reason=nonsense", 400),
        ("/dicom-web/studies/..%2f..%2f", 404),
        (BY_WEB + "?detail=", 400),
    ],
)
def test_what_cannot_be_deleted_is_refused(full: House, path: str, status: int) -> None:
    assert full.http("deletion.order").delete(path).status_code == status
    assert len(shown(full)) == 3


def test_deleting_twice_is_not_found_the_second_time(full: House) -> None:
    web = full.http("deletion.order")

    assert [web.delete(BY_WEB).status_code for _ in range(2)] == [204, 404]
    assert len(full.hub.rejections(OPERATOR)) == 1


def test_options_name_delete(full: House) -> None:
    assert "DELETE" in full.http("*").options(BY_WEB).headers["Allow"]


def test_the_deletion_is_told(full: House) -> None:
    full.http("deletion.order").delete(BY_WEB)
    react(full.hub, 1000)
    full.later(31)
    full.hub.sweep()

    [told] = full.hub.transact(lambda tx: [one.event for one in tx.events.waiting(100)])

    event: Any = told
    assert type(told).__name__ == "InstancesDeleted"
    assert (event.study_instance_uid, len(event.sop_instance_uids)) == (STUDY, 3)


def test_the_api_rejects_lists_and_restores(full: House) -> None:
    api = full.http("archive.*")

    made = api.post("/api/rejections", json={"study": STUDY, "reason": "quality", "detail": "blurred"})
    listed = api.get("/api/rejections", params={"study": STUDY}).json()
    hidden = shown(full)
    restored = api.post(f"/api/rejections/{listed[0]['key']}/restore", json={"detail": "clear enough"})

    assert made.status_code == 200
    assert (listed[0]["reason"], listed[0]["number_of_instances"]) == ("quality", 3)
    assert hidden == set()
    assert restored.json()["restored_by"] == "t"
    assert len(shown(full)) == 3
    assert api.get("/api/tombstones").json() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"study": 1}', b'{"study": "1.2", "reason": "x", "detail": "y"}', b"[" * 100_000],
)
def test_the_api_refuses_what_is_no_rejection(full: House, body: bytes) -> None:
    assert full.http("archive.*").post("/api/rejections", content=body).status_code == 400
