"""A700 before memory or disk run out, and service afterwards; the same over DICOMweb (503)."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pynetdicom import AE

from hilum.core.hub import Hub
from hilum.core.kernel.peer_options import PeerOptions
from hilum.stores.objects import objects_from_url
from hilum.stores.objects.budget import Budget
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database

CT = "1.2.840.10008.5.1.4.1.1.2"


class Usage(NamedTuple):
    total: int
    free: int


@pytest.fixture
def budget(tmp_path: Path) -> Budget:
    return Budget(200_000, 1_000, tmp_path / "objects" / "spool")


@pytest.fixture
def hub(sqlite_url: str, tmp_path: Path, budget: Budget) -> Any:
    """A hub that may receive 200 kB at once."""
    database = Database(sqlite_url)
    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    yield Hub(
        database, objects, Argon2Passwords(), lambda _digest, _keywords: {}, open_to_all=True, budget=budget
    )
    database.close()


def _stored(port: int, *data_sets: Any, calling: str = "CT1") -> list[tuple[int, str]]:
    entity = AE(calling)
    entity.add_requested_context(CT, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port)
    answers = [association.send_c_store(one) for one in data_sets]
    association.release()
    return [(answer.Status, str(answer.get("ErrorComment", ""))) for answer in answers]


def test_what_is_too_much_at_once_is_a700_and_the_association_goes_on(
    serve: Any, hub: Any, record: Any, numbered: Any, ct: Any
) -> None:
    small, large = numbered(1), numbered(2)
    small.file_meta = large.file_meta = ct.file_meta
    large.Rows, large.PixelData = 4000, bytes(4000 * 8 * 2 * 5)

    answers = _stored(serve(hub), large, small)

    assert answers == [(0xA700, "too much is arriving at once"), (0, "")]
    assert record.counts() == (1, 1, 1)
    assert record.spooled() == []


def test_a_peer_has_a_budget_of_its_own(serve: Any, hub: Any, record: Any, ct: Any) -> None:
    record.put_peer("CT1", 104, options=PeerOptions(maximum_arriving=1000))
    port = serve(hub)

    assert _stored(port, ct) == [(0xA700, "this sender has too much under way at once")]
    assert _stored(port, ct, calling="MR1") == [(0, "")]


def test_a_disk_that_is_nearly_full_is_a700_until_there_is_room(
    serve: Any, hub: Any, budget: Budget, ct: Any
) -> None:
    port = serve(hub)
    budget.usage = lambda _: Usage(1_000_000, 900)
    full = _stored(port, ct)
    budget.usage = lambda _: Usage(1_000_000, 900_000)

    assert full == [(0xA700, "the disk of the object store is nearly full")]
    assert _stored(port, ct) == [(0, "")]
