"""Octets that are arriving are counted, and senders are put off before the disk runs out."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hilum.core.archive.ports import Objects
from hilum.core.kernel.errors import Busy
from hilum.stores.objects import arriving_folder, objects_from_url
from hilum.stores.objects.budget import Budget

KILO = b"x" * 1000


class Usage(NamedTuple):
    total: int
    free: int


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return objects_from_url(tmp_path, tmp_path)


def _budget(folder: Path, limit: int = 0, floor: int = 0, **more: Any) -> Budget:
    return Budget(limit, floor, arriving_folder(folder, folder), **more)


def test_all_senders_together_stay_within_the_budget_and_give_it_back(
    objects: Objects, tmp_path: Path
) -> None:
    budget = _budget(tmp_path, 10_000)
    first, second = (budget.spool(objects, name, 0) for name in ("ct", "mr"))
    for _ in range(5):
        first.write(KILO)
        second.write(KILO)

    with pytest.raises(Busy, match="too much is arriving"):
        second.write(KILO)
    second.discard()
    first.write(KILO)
    first.seal()
    first.keep()
    first.discard()
    third = budget.spool(objects, "mr", 0)
    for _ in range(10):
        third.write(KILO)
    third.discard()
    third.discard()

    assert budget.receiving().arriving == 0


def test_one_sender_stays_within_its_own_while_another_goes_on(objects: Objects, tmp_path: Path) -> None:
    budget = _budget(tmp_path, 1_000_000)
    greedy, modest = budget.spool(objects, "ct", 2000), budget.spool(objects, "mr", 0)
    greedy.write(KILO)

    with pytest.raises(Busy, match="this sender"):
        greedy.write(KILO * 2)
    modest.write(KILO * 3)

    assert modest.size == 3000
    greedy.discard()
    modest.discard()


def test_the_disk_keeps_its_floor(objects: Objects, tmp_path: Path) -> None:
    free = [3_000_000]
    budget = _budget(tmp_path, floor=1_000_000, usage=lambda _: Usage(100_000_000, free[0]))
    spool = budget.spool(objects, "ct", 0)
    spool.write(KILO)

    free[0] = 1_500_000
    with pytest.raises(Busy, match="nearly full"):
        spool.write(KILO * 1100)
    free[0] = 900_000
    with pytest.raises(Busy, match="nearly full"):
        budget.spool(objects, "ct", 0)
    spool.discard()


def test_the_floor_of_a_small_disk_is_a_twentieth_of_it(tmp_path: Path, objects: Objects) -> None:
    budget = _budget(tmp_path, floor=1_000_000, usage=lambda _: Usage(100_000, 6_000))

    spool = budget.spool(objects, "ct", 0)

    assert budget.receiving().floor == 5_000
    spool.discard()


def test_what_is_arriving_is_seen_in_all_processes(tmp_path: Path, objects: Objects) -> None:
    ours, theirs = _budget(tmp_path), _budget(tmp_path)
    spool = ours.spool(objects, "ct", 0)
    spool.write(KILO * 100)

    assert theirs.receiving().arriving > 0
    spool.discard()
