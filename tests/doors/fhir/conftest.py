"""A hospital's record behind a real HTTP server, and what the standard says of every answer."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from jsonschema import Draft6Validator
from psycopg.sql import SQL
from psycopg.sql import Identifier as Name
from starlette.types import ASGIApp

from hilum.core.access import policy
from hilum.core.archive.model import Header
from hilum.core.hub import Hub
from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import Order, OrderAction, OrderMessage, OrderRequest, StepRequest
from hilum.core.patients.model import Demographics, PatientRecord, PatientStatement
from hilum.core.reports.model import Attachment, Observation, Report, ReportRequest, ReportStatus
from hilum.doors._http.app import http_app
from hilum.doors.fhir import fhir_door
from hilum.stores.objects.local import LocalObjects
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database, migrate

_POSTGRESQL = os.environ.get("HILUM_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
_SCHEMA = json.loads((Path(__file__).parents[2] / "data" / "fhir" / "r4.schema.json").read_text())
OPERATOR = policy.local_operator("test")
CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass
class Hospital:
    """What tests put into the record, by the use-cases that DICOM and HL7 use."""

    hub: Hub
    stored: int = field(default=0)

    def statement(self, value: str, name: str = "Doe^Anna", born: str = "19700131") -> PatientStatement:
        """Say who a patient is."""
        return PatientStatement((Identifier(value, "STMARY"),), Demographics(name, born, "F"))

    def patient(self, value: str, name: str = "Doe^Anna", born: str = "19700131") -> PatientRecord:
        """ADT^A04."""
        return self.hub.register_patient(OPERATOR, self.statement(value, name, born))

    def order(self, patient: str, number: str, **fields: Any) -> Order:
        """ORM^O01."""
        request = OrderRequest(
            OrderAction.PLACE,
            placer_order_number=Identifier(f"P{number}", "EHR"),
            filler_order_number=Identifier(f"F{number}", "RIS"),
            accession_number=Identifier(f"A{number}"),
            procedure=Code("24725-4", "LN", "CT head"),
            priority="stat",
            steps=(StepRequest(modality="CT", start_date="20260102", start_time="0930"),),
            **fields,
        )
        message = OrderMessage(self.statement(patient), (request,))
        return self.hub.place_orders(OPERATOR, message)[0]

    def study(self, uid: str, patient: str, accession: str = "", *, instances: int = 2, **fields: Any) -> str:
        """C-STORE of one series."""
        for number in range(1, instances + 1):
            known = {
                "patient_id": patient,
                "issuer_of_patient_id": "STMARY",
                "accession_number": accession,
                "study_date": "20260102",
                "study_time": "101112",
                "modality": "CT",
                "series_number": "1",
                "instance_number": f"{number}",
            }
            header = Header(
                CT, f"{uid}.1.{number}", uid, f"{uid}.1", "1.2.840.10008.1.2.1", **(known | fields)
            )
            self._store(header)
        return uid

    def report(self, patient: str, number: str, **fields: Any) -> Report:
        """ORU^R01."""
        known = {
            "patient": self.statement(patient),
            "identifier": Identifier(f"F{number}", "RIS"),
            "filler_order_number": Identifier(f"F{number}", "RIS"),
            "status": ReportStatus.FINAL,
            "code": Code("24725-4", "LN", "CT head"),
            "effective": "20260102101112+0100",
            "issued": "20260102153000+0100",
            "text": "Looks <well>.",
            "conclusion": "Nothing acute.",
            "observations": (
                Observation(Code("21889-1", "LN", "Size"), "NM", "1.50", unit=Code("mm")),
                Observation(Code("X1", "99LOCAL", "Side"), "ST", "left", status="P"),
            ),
            "attachments": (Attachment("application/pdf", b"%PDF-1.4"),),
        }
        return self.hub.file_report(OPERATOR, ReportRequest(**(known | fields)))

    def merge(self, survivor: str, retired: str) -> PatientRecord:
        """ADT^A40."""
        gone = PatientStatement((Identifier(retired, "STMARY"),), Demographics())
        return self.hub.merge_patients(OPERATOR, self.statement(survivor), gone)

    def day(self) -> dict[str, str]:
        """Two patients; one with an order, its study and its report, the other with an older MR study."""
        anna, jane = self.patient("4711"), self.patient("0815", "Roe^Jane^Maria", "19800202")
        order = self.order("4711", "1")
        self.study(order.study_instance_uid, "4711", "A1")
        self.study("1.2.9", "0815", "A9", modality="MR", study_date="20250505", study_time="235959.5")
        report = self.report("4711", "1")
        return {
            "anna": anna.public_id,
            "jane": jane.public_id,
            "order": order.public_id,
            "ct": order.study_instance_uid,
            "mr": "1.2.9",
            "report": report.public_id,
        }

    def _store(self, header: Header) -> None:
        self.stored += 1
        spool = self.hub.spool()
        try:
            spool.write(header.sop_instance_uid.encode())
            self.hub.store(OPERATOR, spool, header)
        finally:
            spool.discard()


class Client:
    """An HTTP client that holds every answer against the official schema and a second FHIR library."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = httpx.Client(base_url=base_url, timeout=30)

    def ask(self, path: str, method: str = "GET", **arguments: Any) -> httpx.Response:
        """Send a request; what comes back is valid R4, whatever its status."""
        response = self.http.request(method, f"/fhir/{path}", **arguments)
        if response.content:
            assert response.headers["content-type"].startswith(("application/fhir+json", "application/json"))
            _demand_valid(response)
        return response

    def read(self, path: str) -> dict[str, Any]:
        """Return a resource that is there."""
        response = self.ask(path)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def found(self, path: str) -> list[dict[str, Any]]:
        """Return what a search matches."""
        return [
            entry["resource"]
            for entry in self.read(path).get("entry", [])
            if entry["search"]["mode"] == "match"
        ]

    def ids(self, path: str) -> list[str]:
        """Return the ids of what a search matches."""
        return [resource["id"] for resource in self.found(path)]


def _demand_valid(response: httpx.Response) -> None:
    read = response.json()
    kind = read["resourceType"]
    validator = Draft6Validator({**_SCHEMA, "$ref": f"#/definitions/{kind}"})
    problems = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(read)]
    assert not problems
    getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind).model_validate_json(response.content)


def _hub(database: Database, folder: Path, *, open_to_all: bool) -> Hub:
    objects = LocalObjects(folder / "objects")
    return Hub(database, objects, Argon2Passwords(), lambda *_: {}, open_to_all=open_to_all)


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[Database]:
    """Make a database that is gone afterwards."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'hilum.db'}"
        migrate(url)
        with closing(Database(url)) as database:
            yield database
        return
    name = f"hilum_fhir_{uuid.uuid4().hex}"
    with psycopg.connect(_POSTGRESQL, autocommit=True) as server:
        server.execute(SQL("CREATE DATABASE {}").format(Name(name)))
        url = f"{_POSTGRESQL.rsplit('/', maxsplit=1)[0]}/{name}"
        migrate(url)
        with closing(Database(url)) as database:
            yield database
        server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Name(name)))


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]
)
def day_hospital(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hospital]:
    """A hospital that a module's tests only read."""
    folder = tmp_path_factory.mktemp("day")
    with _database(request.param, folder) as database:
        yield Hospital(_hub(database, folder, open_to_all=True))


@pytest.fixture(scope="module")
def day(day_hospital: Hospital) -> dict[str, str]:
    """Ids of what is in the record that is only read."""
    return day_hospital.day()


@pytest.fixture(scope="module")
def reader(day_hospital: Hospital, served_module: Callable[[ASGIApp], str]) -> Iterator[Client]:
    """A client of the hospital that is only read."""
    client = Client(served_module(http_app(day_hospital.hub, [fhir_door(day_hospital.hub)])))
    yield client
    client.http.close()


@pytest.fixture
def hospital(database: Database, tmp_path: Path) -> Hospital:
    """An empty hospital without credentials, on loopback."""
    return Hospital(_hub(database, tmp_path, open_to_all=True))


@pytest.fixture
def client(hospital: Hospital, served: Callable[[ASGIApp], str]) -> Iterator[Client]:
    """A client of the empty hospital."""
    client = Client(served(http_app(hospital.hub, [fhir_door(hospital.hub)])))
    yield client
    client.http.close()


@pytest.fixture
def closed_hub(sqlite_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub that asks everybody for credentials."""
    database = Database(sqlite_url)
    yield _hub(database, tmp_path, open_to_all=False)
    database.close()


@pytest.fixture
def stranger(closed_hub: Hub, served: Callable[[ASGIApp], str]) -> Iterator[Client]:
    """A client of a server that asks for credentials."""
    client = Client(served(http_app(closed_hub, [fhir_door(closed_hub)])))
    yield client
    client.http.close()
