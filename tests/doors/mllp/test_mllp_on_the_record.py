"""The MLLP door on a real database: what a message changes is seen at once, and a repetition changes nothing."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from hilum.core.access import policy
from hilum.core.hub import Hub
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderQuery, WorklistQuery
from hilum.core.patients.model import PatientQuery
from hilum.core.reports.model import ReportQuery
from hilum.doors.mllp import MllpServer
from hilum.stores.sql import Database, migrate
from hilum.wire.hl7v2.message import Message
from hilum.wire.hl7v2.mllp import Framer, frame

_FOLDER = Path(__file__).parents[2] / "data" / "hl7"
_DAY = [
    "adt_a04",
    "orm_o01_rad4",
    "orm_o01_two_steps",
    "orm_o01_three_procedures",
    "omg_o19",
    "omi_o23",
    "oru_r01_rad28",
    "oru_r01_two_reports",
    "adt_a08_nulls",
    "adt_a40",
    "adt_a40_two_groups",
    "adt_a08_iso_2022_jp",
]
_READER = policy.local_operator("test")


class Sender:
    """A peer on one connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.framer = Framer()

    def ask(self, raw: bytes) -> Message:
        """Send one message and read its acknowledgement."""
        self.socket.sendall(frame(raw))
        while (content := self.framer.next_frame()) is None:
            chunk = self.socket.recv(65536)
            assert chunk, "closed instead of acknowledged"
            self.framer.feed(chunk)
        return Message(content)


def _golden(name: str) -> bytes:
    return (_FOLDER / f"{name}.hl7").read_bytes().replace(b"\n", b"\r")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Give a hub on an embedded database."""
    url = f"sqlite:///{tmp_path / 'hilum.db'}"
    migrate(url)
    database = Database(url)
    nothing = cast("Any", None)  # no message touches objects, passwords or tags
    yield Hub(database, nothing, nothing, nothing, open_to_all=True)
    database.close()


@pytest.fixture
def port(hub: Hub) -> Iterator[int]:
    """Serve the hub."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    thread = threading.Thread(target=MllpServer(hub, listener).run, args=(stop,))
    thread.start()
    yield listener.getsockname()[1]
    stop.set()
    thread.join()
    listener.close()


@pytest.fixture
def sender(port: int) -> Iterator[Sender]:
    """Connect."""
    one = Sender(port)
    yield one
    one.socket.close()


def _counts(hub: Hub) -> tuple[int, int, int]:
    patients = hub.find_patients(_READER, PatientQuery(include_merged=True))[1]
    return patients, hub.find_orders(_READER, OrderQuery())[1], hub.find_reports(_READER, ReportQuery())[1]


def test_a_day_of_messages_is_taken_and_its_repetition_changes_nothing(hub: Hub, sender: Sender) -> None:
    first = [sender.ask(_golden(name))["MSA-1"] for name in _DAY]
    counts = _counts(hub)

    again = [sender.ask(_golden(name))["MSA-1"] for name in _DAY]

    assert {*first, *again} == {"AA"}
    assert _counts(hub) == counts
    assert counts[1:] == (7, 3)


def test_an_order_stands_on_the_worklist_at_its_acknowledgement(hub: Hub, sender: Sender) -> None:
    sender.ask(_golden("orm_o01_rad4"))

    (item,) = hub.worklist(_READER, WorklistQuery(accession_number="ACC1"))

    assert item.patient.identifier == Identifier("4711", "STMARY")
    assert item.order.study_instance_uid == "1.2.840.99999.3.1"
    assert (item.step.scheduled_procedure_step_id, item.step.modality, item.step.start_date) == (
        "SPS1",
        "CT",
        "20261125",
    )


def test_a_cancelled_order_leaves_the_worklist(hub: Hub, sender: Sender) -> None:
    sender.ask(_golden("orm_o01_rad4"))

    answer = sender.ask(_golden("orm_o01_cancel"))

    assert answer["MSA-1"] == "AA"
    assert hub.worklist(_READER, WorklistQuery(accession_number="ACC1")) == []


def test_after_a40_the_order_is_shown_for_the_survivor(hub: Hub, sender: Sender) -> None:
    sender.ask(_golden("orm_o01_rad4").replace(b"4711^^^STMARY", b"4712^^^STMARY"))

    sender.ask(_golden("adt_a40"))

    (item,) = hub.worklist(_READER, WorklistQuery(accession_number="ACC1"))
    assert item.patient.identifier == Identifier("4711", "STMARY")


@pytest.mark.parametrize(
    ("before", "message", "condition"),
    [
        ([], _golden("orm_o01_cancel"), "204"),
        (["orm_o01_rad4"], _golden("orm_o01_rad4").replace(b"4711^^^STMARY", b"9999^^^STMARY"), "205"),
        (
            ["oru_r01_rad28"],
            _golden("oru_r01_rad28").replace(b"|||F|||||||77889", b"|||P|||||||77889"),
            "205",
        ),
    ],
)
def test_what_contradicts_the_record_is_refused_and_changes_nothing(
    hub: Hub, sender: Sender, before: list[str], message: bytes, condition: str
) -> None:
    for name in before:
        sender.ask(_golden(name))
    counts = _counts(hub)

    answer = sender.ask(message)

    assert answer["MSA-1"] == "AE"
    assert condition in {answer["ERR-3.1"], answer["ERR-1.4.1"]}, "by version: ERR-1 before 2.5"
    assert _counts(hub) == counts
    (kept, *_) = hub.messages(_READER, 1)
    assert (kept.answer, kept.envelope.raw) == ("AE", message)


def test_many_connections_naming_one_new_patient_make_one_record(hub: Hub, port: int) -> None:
    answers: list[str] = []

    def send(number: int) -> None:
        one = Sender(port)
        for count in range(5):
            raw = _golden("adt_a04").replace(b"EHR-0001", b"M-%d-%d" % (number, count))
            answers.append(one.ask(raw)["MSA-1"])
        one.socket.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == ["AA"] * 40
    assert _counts(hub)[0] == 2, "one by STMARY, one by SSA, linked"
