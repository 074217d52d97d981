"""Hilum with a real day in it, and a browser that is signed in."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

sys.path.insert(0, str(Path(__file__).parent))

from real_day import Objects, real_day

from hilum.core.access import policy
from hilum.core.hub import Hub
from hilum.doors._http.app import http_app
from hilum.doors.console.routes import console_door
from hilum.doors.dicomweb import dicomweb_doors
from hilum.doors.viewer import installed_site, viewer_door
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database, migrate
from hilum.wire.dicom.frame_work import work_on

OPERATOR = policy.local_operator("viewer-tests")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("viewer")
    url = f"sqlite:///{folder / 'hilum.db'}"
    migrate(url)
    database = Database(url)
    objects = objects_from_url(folder / "objects", folder / "spool")
    yield Hub(database, objects, Argon2Passwords(), lambda *_: {})
    database.close()


@pytest.fixture(scope="module")
def address(hub: Hub, served_module: Callable[[Starlette], str]) -> str:
    """Where DICOMweb, console and viewer stand."""
    site = installed_site()
    assert site is not None
    doors = [
        *dicomweb_doors(hub, worker=work_on),
        console_door(hub, lambda _: pytest.fail("no peer")),
        viewer_door(hub, site),
    ]
    return served_module(http_app(hub, doors))


@pytest.fixture(scope="module")
def token(hub: Hub) -> str:
    """A bearer token of an outside client."""
    return hub.create_token(OPERATOR, "outside", ("archive.*",), None)


@pytest.fixture(scope="module")
def day(address: str, token: str) -> Objects:
    """Store a real day by STOW-RS."""
    objects = real_day()
    parts = b"".join(_part(one) for one in objects.all())
    headers = {
        "Content-Type": 'multipart/related; type="application/dicom"; boundary=day',
        "Authorization": f"Bearer {token}",
    }
    answer = httpx.post(f"{address}/dicom-web/studies", content=parts + b"--day--\r\n", headers=headers)
    assert answer.status_code == 200, answer.text
    return objects


def _part(dataset: object) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)  # type: ignore[attr-defined]
    return b"--day\r\nContent-Type: application/dicom\r\n\r\n" + file.getvalue() + b"\r\n"
