"""Hostile pixels are stored as they came, and break no more than the request that asks for them."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from struct import pack

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from hilum.core.hub import Hub
from hilum.doors._http.app import http_app
from hilum.doors.dicomweb import dicomweb_doors
from hilum.stores.objects import objects_from_url
from hilum.stores.sql import Database
from hilum.workers.pool import Bounds, WorkerPool

from .conftest import NoPasswords, bundled, made_up, part10, parts_of, store

JPEG_2000 = "1.2.840.10008.1.2.4.90"
NATIVE = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'


@pytest.fixture
def bounded(sqlite_url: str, tmp_path: Path, served: Callable[..., str]) -> Iterator[httpx.Client]:
    """Ask a server whose pixels are worked on in one process of 600 MB."""
    database, pool = Database(sqlite_url), WorkerPool(Bounds(workers=1, memory=600 << 20, seconds=20))
    hub = Hub(
        database,
        objects_from_url(tmp_path / "objects", tmp_path / "spool"),
        NoPasswords(),
        lambda *_: {},
        open_to_all=True,
    )
    url = served(http_app(hub, dicomweb_doors(hub, worker=pool)))
    with httpx.Client(base_url=f"{url}/dicom-web", timeout=60, trust_env=False) as asking:
        yield asking
    pool.close()
    database.close()


def claiming(side: int) -> Dataset:
    """Return an image of 12 octets whose header and whose codestream claim a huge square."""
    siz = b"\xff\x4f\xff\x51" + pack(">HH8IH3B", 41, 0, side, side, 0, 0, side, side, 0, 0, 1, 7, 1, 1)
    image = made_up(Rows=side, Columns=side, PixelData=encapsulate([siz + bytes(20)]))
    image["PixelData"].VR = "OB"
    return image


def path_of(image: Dataset) -> str:
    return (
        f"/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"
    )


@pytest.mark.parametrize("side", [9_000, 60_000])
def test_pixels_that_cannot_be_are_stored_and_never_made(side: int, bounded: httpx.Client) -> None:
    hostile, good = claiming(side), pydicom.dcmread(BytesIO(bundled("693_J2KI.dcm")))

    stored = store(bounded, part10(hostile, JPEG_2000))
    native = bounded.get(path_of(hostile) + "/frames/1", headers={"Accept": NATIVE})
    shown = bounded.get(path_of(hostile) + "/rendered", headers={"Accept": "image/png"})
    as_stored = bounded.get(path_of(hostile), headers={"Accept": "multipart/related; transfer-syntax=*"})
    after = store(bounded, bundled("693_J2KI.dcm"))
    next_one = bounded.get(path_of(good) + "/rendered", headers={"Accept": "image/png"})

    assert (stored.status_code, after.status_code) == (200, 200)
    assert (native.status_code, shown.status_code, next_one.status_code) == (406, 406, 200)
    assert as_stored.status_code == 200


def test_a_preamble_that_is_another_file_is_not_handed_on(bounded: httpx.Client) -> None:
    image = made_up()
    polyglot = b"<html><script>alert(1)</script>".ljust(128, b" ") + part10(image)[128:]

    stored = store(bounded, polyglot)
    ((head, content),) = parts_of(
        bounded.get(path_of(image), headers={"Accept": "multipart/related; transfer-syntax=*"})
    )
    alone = bounded.get(path_of(image), headers={"Accept": "application/dicom; transfer-syntax=*"})

    assert stored.status_code == 200
    assert content[:132] == bytes(128) + b"DICM"
    assert head["content-type"].startswith("application/dicom")
    assert (alone.headers["x-content-type-options"], alone.content[:4]) == ("nosniff", bytes(4))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, identity"])
def test_a_body_in_a_content_coding_is_not_inflated(coding: str, bounded: httpx.Client) -> None:
    answer = bounded.post(
        "/studies",
        content=b"\x1f\x8b" + bytes(1000),
        headers={"Content-Type": "multipart/related; boundary=x", "Content-Encoding": coding},
    )

    assert answer.status_code == 415
    assert "Content-Encoding" in answer.text
