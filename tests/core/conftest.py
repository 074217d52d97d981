"""A house for tests of core: a hub on a real SQLite file and real blobs, with a clock that can be moved on."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hilum.core.access import policy
from hilum.core.archive.model import Exact, Found, Header, Level, Query, Stored
from hilum.core.audit.model import AuditEntry
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller, CallerKind, Permission
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientQuery, PatientRecord, PatientStatement
from hilum.stores.objects.local import LocalObjects
from hilum.stores.sql import Database
from hilum.stores.sql.schema import metadata

T = TypeVar("T")
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"


class MovedClock:
    """A database whose transactions happen later than now."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ahead = timedelta(0)

    def write(self, work: Callable[[Any], T]) -> T:
        return self.database.write(lambda tx: work(self._moved(tx)))

    def read(self, work: Callable[[Any], T]) -> T:
        return self.database.read(lambda tx: work(self._moved(tx)))

    def _moved(self, tx: Any) -> Any:
        tx._opened.now += self.ahead
        return tx


class PlainPasswords:
    """Quick passwords: Argon2 is slow on purpose."""

    def hashed(self, password: str) -> str:
        return f"hash of {password}"

    def verified(self, password_hash: str, password: str) -> bool:
        return password_hash == f"hash of {password}"


class House:
    """A hub, and short words for what tests say to it."""

    def __init__(
        self, url: str, folder: Path, default_issuer: str = "", *, open_to_all: bool = False
    ) -> None:
        self.database = MovedClock(Database(url))
        self.objects = LocalObjects(folder)
        self.folder = folder
        self.hub = Hub(
            self.database,
            self.objects,
            PlainPasswords(),
            self._read_tags,
            open_to_all=open_to_all,
            default_issuer=default_issuer,
        )
        self.operator = policy.local_operator("a-trace")

    def later(self, ahead: timedelta) -> None:
        """Let time pass."""
        self.database.ahead += ahead

    def caller(self, *permissions: Permission, name: str = "ct", issuer: str = "") -> Caller:
        return Caller(CallerKind.PEER, name, frozenset(permissions), "10.0.0.1", "a-trace", issuer)

    def number(self, text: str) -> Identifier:
        value, _, issuer = text.partition("^^^")
        return Identifier(value, issuer)

    def says(self, *numbers: str, deleted: tuple[str, ...] = (), **demographics: str) -> PatientStatement:
        """Return a statement: numbers print as CX (`12^^^HOSP`), demographics by name."""
        identifiers = tuple(self.number(text) for text in numbers)
        return PatientStatement(identifiers, Demographics(**demographics), frozenset(deleted))

    def register(self, *numbers: str, deleted: tuple[str, ...] = (), **demographics: str) -> PatientRecord:
        return self.hub.register_patient(self.operator, self.says(*numbers, deleted=deleted, **demographics))

    def merge(self, survivor: str, retired: str) -> PatientRecord:
        return self.hub.merge_patients(self.operator, self.says(survivor), self.says(retired))

    def records(self, **query: Any) -> list[PatientRecord]:
        query.setdefault("include_merged", True)
        return self.hub.find_patients(self.operator, PatientQuery(**query))[0]

    def record(self, number: str) -> PatientRecord:
        identifier = self.number(number)
        found: PatientRecord | None = self.database.read(lambda tx: tx.patients.by_identifier(identifier))
        assert found is not None, f"no record {number}"
        return found

    def root(self, number: str) -> str:
        """Return the number of the surviving record."""
        key = self.record(number).root_key
        survivor: PatientRecord = self.database.read(lambda tx: tx.patients.by_key(key))
        return str(survivor.identifier)

    def header(self, patient_id: str = "12", **others: Any) -> Header:
        """Return the header of a new CT image in a new series and study."""
        study = others.pop("study_instance_uid", f"2.25.{uuid.uuid4().int}")
        header = Header(
            sop_class_uid=CT_CLASS,
            sop_instance_uid=f"2.25.{uuid.uuid4().int}",
            study_instance_uid=study,
            series_instance_uid=f"2.25.{uuid.uuid4().int}",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            patient_id=patient_id,
            modality="CT",
        )
        return replace(header, **others)

    def store(self, header: Header, octets: bytes = b"", caller: Caller | None = None) -> Stored:
        spool = self.hub.spool()
        try:
            spool.write(octets or repr(header).encode())
            return self.hub.store(caller or self.operator, spool, header)
        finally:
            spool.discard()

    def store_image(self, patient_id: str = "12", caller: Caller | None = None, **others: Any) -> Header:
        header = self.header(patient_id, **others)
        self.store(header, caller=caller)
        return header

    def find(self, level: Level = Level.STUDY, **matches: str) -> list[Found]:
        keys = {key: Exact(value) for key, value in matches.items()}
        return self.hub.find(self.operator, Query(level, keys))

    def studies(self, patient_id: str, issuer: str = "") -> set[str]:
        """Return the studies that a search for a patient ID finds."""
        matches = {"patient_id": patient_id} | ({"issuer_of_patient_id": issuer} if issuer else {})
        return {found.study.study_instance_uid for found in self.find(**matches) if found.study}

    def patient_of(self, header: Header) -> PatientRecord:
        """Return the record that a study came under."""
        study = self.database.read(lambda tx: tx.archive.study(header.study_instance_uid))
        found: PatientRecord = self.database.read(lambda tx: tx.patients.by_key(study.patient_record_key))
        return found

    def conflicts(self) -> list[str]:
        return [conflict.kind for conflict in self.hub.conflicts(self.operator)]

    def trail(self) -> list[AuditEntry]:
        """Return the audit trail, oldest first."""
        return self.hub.audit(self.operator, 10_000)[::-1]

    def actions(self) -> list[str]:
        return [entry.action for entry in self.trail()]

    def news(self) -> list[Any]:
        """Return the events that wait."""
        waiting: list[Any] = self.database.write(lambda tx: tx.events.waiting(10_000))
        return [recorded.event for recorded in waiting]

    def rows(self, *without: str) -> dict[str, list[tuple[Any, ...]]]:
        """Return everything that is kept, table by table."""
        return self.database.read(
            lambda tx: {
                table.name: [tuple(row) for row in tx._opened.connection.execute(table.select())]
                for table in metadata.sorted_tables
                if table.name not in without
            }
        )

    def _read_tags(self, digest: str, keywords: frozenset[str]) -> Mapping[str, str]:
        """Read `Keyword=value` lines: the stored bytes of these tests."""
        with self.objects.open(digest) as file:
            lines = file.read().decode().splitlines()
        pairs = dict(line.split("=", 1) for line in lines if "=" in line)
        return {keyword: pairs[keyword] for keyword in keywords & pairs.keys()}


@pytest.fixture
def house(sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    """A house without a setting."""
    built = House(sqlite_url, tmp_path / "objects")
    yield built
    built.database.database.close()


@pytest.fixture
def build_house(sqlite_url: str, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Build a house with settings."""
    built: list[House] = []

    def build(default_issuer: str = "", *, open_to_all: bool = False) -> House:
        built.append(House(sqlite_url, tmp_path / "objects", default_issuer, open_to_all=open_to_all))
        return built[-1]

    yield build
    for one in built:
        one.database.database.close()
