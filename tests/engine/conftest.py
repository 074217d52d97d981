"""A hub on a real SQLite file, a peer to deliver to, and couriers that are small classes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import Header
from hilum.core.hub import Hub
from hilum.core.routing.model import Delivery, DeliveryQuery, InstanceParcel, ParcelKind, Receipt, Verdict
from hilum.stores.objects.local import LocalObjects
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database

PACS = Peer("pacs", PeerKind.DICOM, "127.0.0.1", 104, "PACS")


class ToldCourier:
    """A courier that notes what it was given and answers as it was told, then accepts."""

    def __init__(self, *answers: Verdict | Exception) -> None:
        self.answers = list(answers)
        self.got: list[str] = []
        self.closed = 0

    def send(self, parcel: Any) -> Receipt:
        assert isinstance(parcel, InstanceParcel)
        self.got.append(parcel.retrieved.instance.sop_instance_uid)
        answer = self.answers.pop(0) if self.answers else Verdict.ACCEPTED
        if isinstance(answer, Exception):
            raise answer
        return Receipt(answer, "C0DE", "as told")

    def close(self) -> None:
        self.closed += 1


class Gate:
    """A hub with one peer, and images planned for it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.database = Database(url)
        self.objects = LocalObjects(folder)
        self.hub = self.another_hub(self.database)
        self.operator = policy.local_operator("a-trace")
        self.peer = PACS
        self.hub.put_peer(self.operator, PACS)

    def another_hub(self, database: Database) -> Hub:
        return Hub(database, self.objects, Argon2Passwords(), lambda _digest, _keywords: {})

    def courier(self, *answers: Verdict | Exception) -> ToldCourier:
        return ToldCourier(*answers)

    def plan(self, number: int) -> list[str]:
        """Store images and plan their delivery; return their UIDs in order."""
        uids = [f"1.2.{at}" for at in range(1, number + 1)]
        for uid in uids:
            spool = self.hub.spool()
            spool.write(uid.encode())
            self.hub.store(self.operator, spool, Header("1.1", uid, "1.2", "1.3", "1.4", patient_id="12"))
            self.hub.send(self.operator, "pacs", ParcelKind.INSTANCE, uid)
        return uids

    def deliveries(self) -> list[Delivery]:
        """Return the deliveries in their order."""
        return self.hub.deliveries(self.operator, DeliveryQuery())[::-1]

    def states(self) -> list[str]:
        return [delivery.state.value for delivery in self.deliveries()]


@pytest.fixture
def gate(sqlite_url: str, tmp_path: Path) -> Iterator[Gate]:
    built = Gate(sqlite_url, tmp_path / "objects")
    yield built
    built.database.close()
