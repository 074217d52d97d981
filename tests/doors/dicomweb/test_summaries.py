"""Metadata comes from one kept summary of the series, which is never believed against the stored bytes."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from hilum.core.archive.model import Exact, Level, Query
from hilum.doors.dicomweb.summaries import Summaries
from hilum.wire.dicom import described
from hilum.wire.dicom.json_model import instance_json
from hilum.wire.dicom.series_summary import read_summary, written_summary

from .conftest import Archive, made_up, part10, store

Series = list[Dataset]


@pytest.fixture
def series(http: httpx.Client) -> Series:
    """Store three images of a series, numbered from 2."""
    images = [numbered(number) for number in (2, 3, 4)]
    for one in images:
        assert store(http, part10(one)).status_code == 200
    return images


def numbered(number: int, **attributes: Any) -> Dataset:
    return made_up(
        StudyInstanceUID="1.2.826.1", SeriesInstanceUID="1.2.826.1.1", InstanceNumber=number, **attributes
    )


PATH = "/studies/1.2.826.1/series/1.2.826.1.1"


def numbers_of(answer: httpx.Response) -> list[int]:
    return [one["00200013"]["Value"][0] for one in answer.json()]


def generation(archive: Archive) -> int:
    kept = archive.hub.summary("1.2.826.1.1")
    return kept.generation if kept else 0


@pytest.fixture
def read_objects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note whose bytes are read."""
    read: list[str] = []
    told: Callable[..., Any] = instance_json

    def noting(file: Any, uri: Callable[[str], str]) -> Any:
        written = told(file, uri)
        read.append(written["00080018"]["Value"][0])
        return written

    monkeypatch.setattr(described, "instance_json", noting)
    return read


@pytest.mark.parametrize("coding", ["gzip", "identity"])
@pytest.mark.parametrize("at", [PATH, "/studies/1.2.826.1"])
@pytest.mark.usefixtures("series")
def test_what_is_kept_says_what_the_bytes_say(
    archive: Archive, http: httpx.Client, series: Series, coding: str, at: str
) -> None:
    answers = [http.get(f"{at}/metadata", headers={"Accept-Encoding": coding}) for _ in range(2)]

    expected = []
    for one in series:
        url = f"{archive.web}{PATH}/instances/{one.SOPInstanceUID}/bulk/"
        expected.append(instance_json(part10(one), url.__add__))
    assert [answer.json() for answer in answers] == [expected, expected]
    assert [answer.headers.get("content-encoding", "identity") for answer in answers] == [coding] * 2
    assert generation(archive) == 1


def test_a_summary_reads_only_what_came_since(
    archive: Archive, http: httpx.Client, series: Series, read_objects: list[str]
) -> None:
    http.get(f"{PATH}/metadata")
    first, added = list(read_objects), numbered(1)
    assert store(http, part10(added)).status_code == 200

    answer = http.get(f"{PATH}/metadata")
    http.get(f"{PATH}/metadata")

    assert first == [one.SOPInstanceUID for one in series]
    assert read_objects == [*first, added.SOPInstanceUID]
    assert numbers_of(answer) == [1, 2, 3, 4]
    assert generation(archive) == 2


@pytest.mark.usefixtures("series")
def test_the_engine_makes_it_before_anybody_asks(
    archive: Archive, http: httpx.Client, read_objects: list[str]
) -> None:
    summaries = Summaries(archive.hub)
    summaries.refresh("1.2.826.1.1")
    summaries.refresh("1.2.826.1.1")
    read_objects.clear()

    answer = http.get(f"{PATH}/metadata")

    assert (numbers_of(answer), read_objects, generation(archive)) == ([2, 3, 4], [], 1)


@pytest.mark.parametrize("damage", [b"", b"HILUMSS1 not really", None])
@pytest.mark.usefixtures("series")
def test_a_summary_that_is_gone_or_damaged_is_made_anew(
    archive: Archive, http: httpx.Client, damage: bytes | None
) -> None:
    http.get(f"{PATH}/metadata")
    kept = archive.hub.summary("1.2.826.1.1")
    assert kept is not None
    (blob,) = [path for path in archive.blobs() if path.name == kept.blob.digest]
    blob.unlink() if damage is None else blob.write_bytes(damage)

    answer = http.get(f"{PATH}/metadata")

    assert numbers_of(answer) == [2, 3, 4]
    assert generation(archive) == 2


@pytest.mark.usefixtures("series")
def test_a_browser_behind_a_proxy_gets_addresses_that_it_can_reach(http: httpx.Client) -> None:
    prefixes = ["/pacs", "/" + "far" * 60]  # the second is too long for an open place

    answers = [
        http.get(f"{PATH}/metadata", headers={"X-Forwarded-Prefix": prefix, "X-Forwarded-Host": "localhost"})
        for prefix in prefixes
    ]

    for prefix, answer in zip(prefixes, answers, strict=True):
        for one in answer.json():
            assert one["7FE00010"]["BulkDataURI"].startswith(f"http://localhost{prefix}/dicom-web/studies/")


def test_an_object_that_cannot_be_read_is_left_out_and_told_of(
    archive: Archive, http: httpx.Client, series: Series
) -> None:
    found = archive.hub.find(
        archive.operator, Query(Level.INSTANCE, {"sop_instance_uid": Exact(series[1].SOPInstanceUID)})
    )
    digest = found[0].instance.blob.digest if found[0].instance else ""
    (blob,) = [path for path in archive.blobs() if path.name == digest]
    blob.write_bytes(blob.read_bytes()[:400])

    answers = [http.get(f"{PATH}/metadata") for _ in range(2)]
    alone = http.get(f"{PATH}/instances/{series[1].SOPInstanceUID}/metadata")

    assert [numbers_of(answer) for answer in answers] == [[2, 4], [2, 4]]
    assert all("left out" in answer.headers["warning"] for answer in answers)
    assert (alone.status_code, generation(archive)) == (400, 1)


def test_an_instance_alone_is_read_from_its_own_bytes(
    archive: Archive, http: httpx.Client, series: Series
) -> None:
    answer = http.get(f"{PATH}/instances/{series[1].SOPInstanceUID}/metadata")

    assert numbers_of(answer) == [3]
    assert generation(archive) == 0


def test_frames_are_found_by_the_summary(
    archive: Archive, http: httpx.Client, series: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    Summaries(archive.hub).refresh("1.2.826.1.1")
    monkeypatch.setattr("hilum.doors.dicomweb.frame_places.frames_at", None)
    monkeypatch.setattr("hilum.doors.dicomweb.frames.open_pixels", None)

    answers = [
        http.get(
            f"{PATH}/instances/{one.SOPInstanceUID}/frames/1", headers={"Accept": "application/octet-stream"}
        )
        for one in series
    ]

    assert [answer.content for answer in answers] == [one.PixelData for one in series]


def test_the_kept_form_is_read_as_it_was_written(
    archive: Archive, http: httpx.Client, series: Series
) -> None:
    assert (
        store(http, part10(numbered(9, PatientName="Doe^J", SOPInstanceUID=generate_uid()))).status_code
        == 200
    )
    Summaries(archive.hub).refresh(series[0].SeriesInstanceUID)
    kept = archive.hub.summary("1.2.826.1.1")
    assert kept is not None

    with archive.hub.open_blob(kept.blob.digest) as file:
        whole = file.read()
    with archive.hub.open_blob(kept.blob.digest) as file:
        summary = read_summary(file)

    assert written_summary(summary) == whole
    assert len(summary.patients) == 2
    assert [
        len(json.loads(b"{" + b",".join(filter(None, one.runs[:2])) + b"}"))
        for one in summary.described.values()
    ]


def test_a_series_without_instances_has_no_summary(archive: Archive) -> None:
    archive.hub.keep_summary("1.2.3.4", _spooled(archive))

    Summaries(archive.hub).refresh("1.2.3.4")

    assert archive.hub.summary("1.2.3.4") is None


def _spooled(archive: Archive) -> Any:
    spool = archive.hub.spool()
    spool.write(b"of a series that is gone")
    return spool
