"""A store that answers nothing costs whoever asks for readiness a bounded while, and the server one thread."""

import threading
from collections.abc import Iterator

import pytest

from hilum.core.hub import Hub
from hilum.core.kernel.errors import Busy
from hilum.doors._http.health import Readiness
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database


class FrozenObjects:
    """An object store that hangs until it thaws."""

    def __init__(self) -> None:
        self.thawed = threading.Event()
        self.asked = 0

    def check(self) -> None:
        self.asked += 1
        self.thawed.wait(30)


@pytest.fixture
def frozen() -> Iterator[FrozenObjects]:
    """A frozen store that thaws at the end."""
    objects = FrozenObjects()
    yield objects
    objects.thawed.set()


@pytest.fixture
def readiness(database: Database, frozen: FrozenObjects) -> Readiness:
    """Readiness with little patience over a frozen store."""
    return Readiness(Hub(database, frozen, Argon2Passwords(), lambda _digest, _keywords: {}), patience=0.2)


def test_a_frozen_store_is_told_as_busy_and_asked_once(readiness: Readiness, frozen: FrozenObjects) -> None:
    for _ in range(3):
        with pytest.raises(Busy, match="does not answer"):
            readiness.check()

    assert frozen.asked == 1


def test_a_store_that_thawed_is_ready_again(readiness: Readiness, frozen: FrozenObjects) -> None:
    with pytest.raises(Busy):
        readiness.check()

    frozen.thawed.set()

    readiness.check()
    assert frozen.asked <= 2
