"""kill -9 at any moment: what was answered with success is there, once; the rest is sent again by its sender."""

import hashlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from hospital import ehr as messages
from hospital import modality
from hospital.ehr import Order, Person, Sender
from hospital.everybody import Hospital
from hospital.modality import Study
from hospital.server import OPERATOR, PATIENCE, eventually

from hilum.core.archive.model import Level, Query
from hilum.core.exchange.model import InboundMessage
from hilum.core.patients.model import PatientQuery
from hilum.core.routing.model import DeliveryQuery

pytestmark = pytest.mark.needs("dcmtk")

SENDERS = 4
BATCH = 6
IMAGE_SIDE = 96


@dataclass(slots=True)
class Load:
    """Four CTs and four information systems that send until told to stop, and again what nobody acknowledged."""

    hospital: Hospital
    chance: Random
    enough: threading.Event = field(default_factory=threading.Event)
    images: dict[Path, Study] = field(default_factory=dict)
    """Every image that was acknowledged."""
    said: dict[str, Person] = field(default_factory=dict)
    """Control ID of every message that was acknowledged with AA."""
    reports: dict[str, str] = field(default_factory=dict)
    """Impression of every report among them, to its control ID."""
    unanswered: int = 0
    """Images and messages that had to be sent again."""
    faults: list[str] = field(default_factory=list)

    def start(self) -> list[threading.Thread]:
        """Begin."""
        work = [*[self._store] * SENDERS, *[self._tell] * SENDERS]
        threads = [
            threading.Thread(target=self._guarded, args=(one, number)) for number, one in enumerate(work)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _guarded(self, work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except Exception as fault:
            self.faults.append(f"sender {number}: {fault!r}")
            raise

    def _store(self, number: int) -> None:
        study = Study(f"CT-{number}", f"Load^{number}", "", "", modality.new_uid())
        for batch in itertools.count():
            if self.enough.is_set():
                return
            folder = self.hospital.folder / f"ct{number}-{batch}"
            files = modality.make_series(folder, study, BATCH, IMAGE_SIDE, Random(self.chance.random()))
            self._store_all(study, files)

    def _store_all(self, study: Study, files: list[Path]) -> None:
        missing = files
        deadline = time.monotonic() + PATIENCE
        while missing:
            answers = modality.storescu(self.hospital.server.dicom, missing, modality.CT_AE_TITLE)
            self.images |= {file: study for file, status in answers.items() if status == "Success"}
            refused = {status for status in answers.values() if status not in _PASSING}
            assert not refused, refused
            missing = [file for file in missing if answers.get(file) != "Success"]
            self.unanswered += len(missing)
            assert time.monotonic() < deadline, "nobody acknowledges"

    def _tell(self, number: int) -> None:
        for count in itertools.count():
            if self.enough.is_set():
                return
            person = Person(f"P{number}-{count}")
            order = Order(f"{number}-{count}", modality.new_uid())
            self._tell_once(messages.registration(person), person)
            impression = f"Report {number}-{count}."
            control_id = self._tell_once(messages.report(person, order, impression), person)
            self.reports[impression] = control_id

    def _tell_once(self, message: bytes, person: Person) -> str:
        deadline = time.monotonic() + PATIENCE
        while (code := self._acknowledged(message)) != "AA":
            assert code in ("", "AR"), code
            self.unanswered += 1
            time.sleep(0.05)
            assert time.monotonic() < deadline, "nobody acknowledges"
        self.said[messages.control_id(message)] = person
        return messages.control_id(message)

    def _acknowledged(self, message: bytes) -> str:
        try:
            with Sender(self.hospital.server.hl7) as sender:
                answer = sender.send(message)
        except OSError:
            return ""
        assert str(answer.segment("MSA")[2]) == messages.control_id(message)
        return str(answer.segment("MSA")[1])


_PASSING = {"Success", "Refused: OutOfResources"}
"""What a sender is told while the database has no turn for it: it sends again."""


@contextmanager
def load_on(hospital: Hospital, chance: Random) -> Iterator[Load]:
    """Send inside the `with`; at its end every sender has finished what it had begun."""
    hospital.route()
    load = Load(hospital, chance)
    threads = load.start()
    try:
        yield load
    finally:
        load.enough.set()
        for thread in threads:
            thread.join()
    assert load.faults == []


def test_after_kills_of_the_whole_server_under_load_the_books_balance(hospital: Hospital) -> None:
    chance = Random(20261124)
    kills = 3

    with load_on(hospital, chance) as load:
        for _ in range(kills):
            time.sleep(0.5 + 2 * chance.random())
            hospital.server.kill()
            hospital.server.start()
        time.sleep(0.5)

    the_books_balance(load, kills)


def test_after_kills_of_single_roles_under_load_the_books_balance(hospital: Hospital) -> None:
    chance = Random(42)
    roles = ["dicom", "hl7", "engine", "web", "engine", "dicom"]

    with load_on(hospital, chance) as load:
        for role in roles:
            time.sleep(0.3 + chance.random())
            eventually(lambda role=role: role in hospital.server.roles(), f"{role} does not come back")
            hospital.server.kill_role(role)
        eventually(lambda: len(hospital.server.roles()) == 4, "not all roles came back")

    the_books_balance(load, roles.count("engine"))


def the_books_balance(load: Load, kills: int) -> None:
    """Everything acknowledged is there once, with its bytes, and was sent on once, in order."""
    hospital = load.hospital
    eventually(
        lambda: _is_settled(hospital, load), "not everything was sent on", tell=lambda: _standing(hospital)
    )
    images_are_there_with_their_bytes(load)
    messages_are_there_once(load)
    assert Counter(reference for reference, _ in hospital.deliveries("pacs2")) == Counter(
        map(modality.uid_of, load.images)
    )
    assert len(hospital.deliveries("ehr")) == len(load.reports)
    arrived_in_order(hospital.second_pacs.arrivals, [uid for uid, _ in hospital.deliveries("pacs2")], kills)
    arrived_in_order(hospital.ehr.control_ids(), _control_ids_of_deliveries(hospital), kills)
    assert Counter(dict.fromkeys(hospital.ehr.impressions(), 1)) == Counter(dict.fromkeys(load.reports, 1))
    print(
        f"{len(load.images)} images, {len(load.said)} messages, {load.unanswered} sent again, {kills} kills"
    )


def images_are_there_with_their_bytes(load: Load) -> None:
    """Every blob is what its name says, and what the CT has on its disk."""
    studies = {study.study_instance_uid for study in load.images.values()}
    with load.hospital.server.hub() as hub:
        totals = hub.totals(OPERATOR)
        kept = {
            one.instance.sop_instance_uid: one.instance
            for one in hub.retrieve(OPERATOR, Query(Level.STUDY, {}))
        }
        assert set(kept) == {modality.uid_of(file) for file in load.images}
        for file in load.images:
            blob = kept[modality.uid_of(file)].blob
            with hub.open_blob(blob.digest) as stored:
                part10 = stored.read()
            assert (hashlib.sha256(part10).hexdigest(), len(part10)) == (blob.digest, blob.size)
            assert modality.data_set_bytes(part10) == modality.data_set_bytes(file.read_bytes())
    assert (totals["studies"], totals["instances"], totals["conflicts"]) == (
        len(studies),
        len(load.images),
        0,
    )


def messages_are_there_once(load: Load) -> None:
    """Every control ID was applied once: one kept message, one patient, one report."""
    accepted = Counter(one.envelope.control_id for one in _messages(load.hospital) if one.answer == "AA")
    assert accepted == Counter(dict.fromkeys(load.said, 1))
    persons = {person.number for person in load.said.values()}
    patients = {study.patient_id for study in load.images.values()}
    assert Counter(_numbers(load.hospital)) == Counter(dict.fromkeys(persons | patients, 1))


def arrived_in_order(arrivals: list[str], planned: list[str], kills: int) -> None:
    """Every delivery arrived at its place; only what was under way at a kill came twice, at once after the first."""
    distinct = [one for one, _ in itertools.groupby(arrivals)]
    assert distinct == planned
    assert len(arrivals) - len(distinct) <= kills


def _is_settled(hospital: Hospital, load: Load) -> bool:
    states = [hospital.states(name) for name in ("pacs2", "ehr")]
    return [len(one) for one in states] == [len(load.images), len(load.reports)] and {"sent"} == set().union(
        *states
    )


def _standing(hospital: Hospital) -> str:
    return (
        str({name: Counter(hospital.states(name)) for name in ("pacs2", "ehr")})
        + hospital.server.last_words()
    )


def _messages(hospital: Hospital) -> list[InboundMessage]:
    found: list[InboundMessage] = hospital.server.ask(lambda hub, caller: hub.messages(caller, 100_000))
    return found


def _numbers(hospital: Hospital) -> list[str]:
    found = hospital.server.ask(lambda hub, caller: hub.find_patients(caller, PatientQuery(limit=100_000)))[0]
    return [record.identifier.value for record in found]


def _control_ids_of_deliveries(hospital: Hospital) -> list[str]:
    query = DeliveryQuery(destination="ehr", limit=100_000)
    found = hospital.server.ask(lambda hub, caller: hub.deliveries(caller, query))
    return [f"HILUM{one.key:015d}" for one in reversed(found)]
