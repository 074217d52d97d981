"""STOW-RS is put off with 503 and Retry-After before memory or disk run out."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.data import get_testdata_file

from hilum.core.hub import Hub
from hilum.doors._http.app import http_app
from hilum.doors.dicomweb import dicomweb_doors
from hilum.stores.objects import objects_from_url
from hilum.stores.objects.budget import Budget
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database


@pytest.fixture
def client(sqlite_url: str, tmp_path: Path, served: Any) -> Any:
    """A client of a hub that may receive 20 kB at once."""
    database = Database(sqlite_url)
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    budget = Budget(20_000, 0, tmp_path / "objects" / "spool")
    hub = Hub(
        database, objects, Argon2Passwords(), lambda _digest, _keywords: {}, open_to_all=True, budget=budget
    )
    with httpx.Client(base_url=served(http_app(hub, dicomweb_doors(hub)))) as client:
        yield client
    database.close()


def test_too_much_at_once_is_503_with_retry_after_and_seen_in_the_metrics(client: Any) -> None:
    octets = Path(get_testdata_file("CT_small.dcm")).read_bytes()

    answer = client.post("/dicom-web/studies", content=octets, headers={"Content-Type": "application/dicom"})
    metrics = client.get("/metrics").text

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "too much is arriving at once" in answer.text
    assert "hilum_arriving_limit_octets 20000.0" in metrics
    assert "hilum_disk_free_octets" in metrics
