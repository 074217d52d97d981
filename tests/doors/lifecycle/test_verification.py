"""Bytes that were altered on disk are found, reported, and never served; a disk that fails is told plainly."""

from pathlib import Path

import pytest

from hilum.core.archive.verification import BlobState
from hilum.core.kernel.errors import Refused

from .conftest import OPERATOR, STUDY, House, image

INSTANCE = f"/dicom-web/studies/{STUDY}/series/{STUDY}.1/instances/{STUDY}.1.1"


@pytest.fixture
def full(house: House) -> House:
    """A house of two images."""
    assert house.send(image(1), image(2)) == [(0, ""), (0, "")]
    return house


def blob_of(house: House, number: int) -> Path:
    header = house.hub.transact(lambda tx: tx.archive.instance(f"{STUDY}.1.{number}"))
    assert header is not None
    digest = header[0].blob.digest
    return house.folder / "objects" / digest[:2] / digest


def flip(path: Path) -> None:
    """Change one bit in the pixels."""
    octets = bytearray(path.read_bytes())
    octets[-1] ^= 1
    path.write_bytes(octets)


def replaced_by_a_folder(path: Path) -> None:
    """Let every read of a blob fail."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [flip, replaced_by_a_folder])
def test_a_harmed_object_is_an_error_by_web_and_by_move_and_the_rest_goes_out(
    full: House, destination: str, harm: object
) -> None:
    assert full.http("archive.*").get(INSTANCE).status_code == 200
    harm(blob_of(full, 1))  # type: ignore[operator]

    answer = full.http("archive.*").get(INSTANCE)
    final, identifier = full.moved(destination)

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert final.Status == 0xB000
    assert (final.NumberOfFailedSuboperations, final.NumberOfCompletedSuboperations) == (1, 1)
    assert identifier.FailedSOPInstanceUIDList == f"{STUDY}.1.1"
    assert [str(one.SOPInstanceUID) for one in full.received] == [f"{STUDY}.1.2"]
    assert full.got() == {f"{STUDY}.1.2"}


def test_a_served_alteration_is_in_the_trail(full: House) -> None:
    flip(blob_of(full, 1))

    full.http("archive.*").get(INSTANCE)

    assert full.audited("archive.damage") == [f"Blob/{blob_of(full, 1).name}"]


def test_verifying_finds_what_is_altered_missing_or_unreadable_and_goes_on_where_it_stopped(
    full: House,
) -> None:
    full.send(image(3), image(4))
    flip(blob_of(full, 1))
    blob_of(full, 2).unlink()
    replaced_by_a_folder(blob_of(full, 3))

    found, position, stretches = {}, "", 0
    while not stretches or position:
        done = full.hub.verify(OPERATOR, position, limit=2)
        found |= dict(done.damaged)
        position, stretches = done.position, stretches + 1

    assert found == {
        blob_of(full, 1).name: BlobState.ALTERED,
        blob_of(full, 2).name: BlobState.MISSING,
        blob_of(full, 3).name: BlobState.UNREADABLE,
    }
    assert len(full.audited("archive.damage")) == 3


def test_the_same_object_sent_again_mends_it(full: House) -> None:
    flip(blob_of(full, 1))

    assert full.send(image(1)) == [(0, "")]

    assert full.http("archive.*").get(INSTANCE).status_code == 200
    assert full.hub.verify(OPERATOR).damaged == ()


def test_verifying_asks_for_its_own_permission(full: House) -> None:
    reader = full.hub.admit_token(full.token("archive.query")["Authorization"][7:], "127.0.0.1", "t")

    with pytest.raises(Refused):
        full.hub.verify(reader)
