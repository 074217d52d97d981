"""A small hospital on SQLite, served as the console, and a browser that looks at it."""

import hashlib
import io
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import Exact, Header, Level, Query
from hilum.core.exchange.model import Envelope, RegisterPatient
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderAction, OrderMessage, OrderRequest, StepRequest
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.core.reactions import react
from hilum.core.reports.model import Observation, ReportRequest, ReportStatus
from hilum.core.routing.model import Attempted, Receipt, Rule, Verdict
from hilum.core.workitems.model import WorkitemState
from hilum.doors._http.app import Door, http_app
from hilum.doors._http.endpoints import answered
from hilum.doors.console.routes import console_door
from hilum.stores.objects import objects_from_url
from hilum.stores.sql import Database, migrate
from hilum.wire.dicom.frame_work import render_frame, work_on
from hilum.wire.dicom.rendering import RenderingOptions, parse_viewport, parse_window

OPERATOR = policy.local_operator("seed")
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
US_MULTI_FRAME_CLASS = "1.2.840.10008.5.1.4.1.1.3.1"
SR_CLASS = "1.2.840.10008.5.1.4.1.1.88.11"
SLICES = 12
JANE = PatientStatement(
    (Identifier("PAT-1001", "HOSP-A"),),
    Demographics("Novak^Jana^^Dr", "19670412", "F", "Lindenweg 3, Trieste", "+39 40 1234"),
)
JANE_AGAIN = PatientStatement(
    (Identifier("77-310", "CLINIC-B"),), Demographics("Novak^Jana", "19670412", "F")
)
PIET = PatientStatement((Identifier("PAT-1002", "HOSP-A"),), Demographics("Vries^Piet^de", "19540930", "M"))
WORKITEM = {
    "00741000": {"vr": "CS", "Value": ["SCHEDULED"]},
    "00741200": {"vr": "CS", "Value": ["HIGH"]},
    "00741204": {"vr": "LO", "Value": ["Segment the lung"]},
    "00404041": {"vr": "CS", "Value": ["READY"]},
    "00404005": {"vr": "DT", "Value": ["20261201093000"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Novak^Jana^^Dr"}]},
    "00404018": {"vr": "SQ", "Value": [{"00080104": {"vr": "LO", "Value": ["Segmentation"]}}]},
}
PASSWORD = "a long sentence for tests"


class SlowPasswords:
    """The shape of a password hash, without its cost."""

    def hashed(self, password: str) -> str:
        return "hash:" + hashlib.sha256(password.encode()).hexdigest()

    def verified(self, password_hash: str, password: str) -> bool:
        return bool(password_hash) and secrets.compare_digest(password_hash, self.hashed(password))


@dataclass(frozen=True)
class Hospital:
    """The hub of a seeded record, and the names that tests look for."""

    hub: Hub
    ct_study: str
    us_study: str
    patient: str


def new_hub(url: str, folder: Path, *, open_to_all: bool) -> tuple[Hub, Database]:
    """Return a hub on a database, with its objects in a folder."""
    database = Database(url)
    objects = objects_from_url(folder / "objects", folder / "spool")
    return Hub(database, objects, SlowPasswords(), lambda *_: {}, open_to_all=open_to_all), database


def seed(hub: Hub) -> Hospital:
    """Play some hours of a hospital."""
    for peer in (
        Peer("CT1", PeerKind.DICOM, "10.0.0.5", 104, "CT1", roles=("modality",), default_issuer="HOSP-A"),
        Peer("EHR", PeerKind.MLLP, "10.0.0.6", 2575, roles=("information-system",)),
        Peer("PACS2", PeerKind.DICOM, "10.0.0.7", 11112, "PACS2", roles=("modality",)),
        Peer("CLOUD", PeerKind.DICOMWEB, url="https://archive.example.org/dicom-web", roles=("modality",)),
    ):
        hub.put_peer(OPERATOR, peer)
    hub.put_rules(
        OPERATOR,
        [
            Rule("ct-to-pacs", "instance-stored", ("PACS2",), modality=("CT",)),
            Rule("us-to-cloud", "instance-stored", ("CLOUD",), modality=("US",)),
        ],
    )
    ehr = replace(OPERATOR, name="EHR", trace=secrets.token_hex(8))
    _message(hub, ehr, "ADT^A04", JANE)
    _message(hub, ehr, "ADT^A04", PIET)
    _message(hub, ehr, "ADT^A08", JANE_AGAIN)
    hub.note_rejected_message(
        ehr,
        _envelope("ORM^O01", b"MSH|^~\\&|EHR|HOSP|HILUM|HOSP|20261124||ORM^O01|M4|P|2.5\rPID|||\r", "M4"),
        "AE",
        "PID-3 is empty: a patient needs at least one identifier",
    )
    today = datetime.now(UTC).strftime("%Y%m%d")
    ct_study, us_study = generate_uid(), generate_uid()
    hub.place_orders(
        ehr,
        OrderMessage(
            JANE,
            (_order("ORD-1", "ACC-1", ct_study, "CT abdomen with contrast", "CT", "CT1", today, "0830"),),
        ),
    )
    hub.place_orders(
        ehr, OrderMessage(PIET, (_order("ORD-2", "ACC-2", "", "MR knee left", "MR", "MR2", today, "1115"),))
    )
    ct1 = replace(OPERATOR, name="CT1", ae_title="CT1", trace=secrets.token_hex(8))
    series = generate_uid()
    for place in range(SLICES):
        _store(hub, ct1, _ct(ct_study, series, place))
    _store(hub, ct1, _report_object(ct_study))
    us1 = replace(OPERATOR, name="US1", ae_title="US1", trace=secrets.token_hex(8))
    _store(hub, us1, _us(us_study))
    twin = _ct(ct_study, series, 0)
    twin.PixelData = bytes(len(twin.PixelData))
    _store(hub, ct1, twin)
    hub.file_report(ehr, _report(ct_study))
    patient = hub.merge_patients(ehr, JANE, JANE_AGAIN)
    react(hub, 1000)
    _deliver(hub, "PACS2", lambda place: Verdict.ACCEPTED if place else Verdict.REJECTED)
    _deliver(hub, "CLOUD", lambda _: Verdict.RETRY)
    hub.create_workitem(OPERATOR, "1.2.40", WORKITEM)
    hub.change_workitem_state(OPERATOR, "1.2.40", WorkitemState.IN_PROGRESS, "2.25.40")
    return Hospital(hub, ct_study, us_study, patient.public_id)


def _message(hub: Hub, caller: Caller, kind: str, statement: PatientStatement) -> None:
    who = statement.demographics
    identifier = statement.identifiers[0]
    control = "M" + secrets.token_hex(3).upper()
    raw = (
        f"MSH|^~\\&|EHR|HOSP|HILUM|HOSP|20261124081500||{kind}|{control}|P|2.5.1\r"
        f"EVN|{kind[4:]}|20261124081500\r"
        f"PID|1||{identifier.value}^^^{identifier.issuer}||{who.name}||{who.birth_date}|{who.sex}|||{who.address}\r"
    ).encode()
    hub.receive_message(caller, _envelope(kind, raw, control), RegisterPatient(statement))


def _envelope(kind: str, raw: bytes, control: str) -> Envelope:
    return Envelope(control, kind, raw, hashlib.sha256(raw).hexdigest(), "EHR", "HOSP")


def _order(
    placer: str, accession: str, study: str, procedure: str, modality: str, station: str, day: str, time: str
) -> OrderRequest:
    return OrderRequest(
        OrderAction.PLACE,
        placer_order_number=Identifier(placer, "EHR"),
        accession_number=Identifier(accession),
        study_instance_uid=study,
        procedure=Code("P1", "L", procedure),
        priority="routine",
        requesting_physician="Rossi^Marco^^Dr",
        reason="abdominal pain since two days",
        steps=(
            StepRequest(
                modality=modality,
                station_ae_title=station,
                start_date=day,
                start_time=time,
                protocol=Code("PR", "L", procedure),
            ),
        ),
    )


def _report(study: str) -> ReportRequest:
    return ReportRequest(
        patient=JANE,
        identifier=Identifier("REP-1"),
        status=ReportStatus.FINAL,
        code=Code("18748-4", "LN", "Diagnostic imaging report"),
        accession_number=Identifier("ACC-1"),
        study_instance_uid=study,
        issued="20261124104500",
        interpreter="Weber^Anna^^Dr",
        text="Liver of normal size and contour, no focal lesion.\nGallbladder without stones. No free fluid.",
        conclusion="No cause of the abdominal pain found.",
        observations=(
            Observation(Code("L1", "L", "Liver span"), "NM", "142", unit=Code("mm", "UCUM", "mm")),
        ),
    )


def _base(study: str, series: str, sop_class: str, modality: str, statement: PatientStatement) -> Dataset:
    found = Dataset()
    found.SOPClassUID, found.SOPInstanceUID = sop_class, generate_uid()
    found.StudyInstanceUID, found.SeriesInstanceUID = study, series
    found.PatientID, found.PatientName = statement.identifiers[0].value, statement.demographics.name
    found.PatientBirthDate, found.PatientSex = statement.demographics.birth_date, statement.demographics.sex
    found.StudyDate, found.StudyTime, found.Modality = "20261124", "084112", modality
    found.StationName = modality + "1"
    return found


def _ct(study: str, series: str, place: int) -> Dataset:
    """Return one slice of a round phantom with a brighter core that grows."""
    found = _base(study, series, CT_CLASS, "CT", JANE)
    found.SOPInstanceUID = f"{series[:50]}.{place + 1}"
    found.AccessionNumber, found.StudyDescription = "ACC-1", "CT abdomen with contrast"
    found.ReferringPhysicianName = "Rossi^Marco^^Dr"
    found.SeriesDescription, found.SeriesNumber, found.InstanceNumber = "Abdomen 5.0 B30f", 2, place + 1
    found.BodyPartExamined = "ABDOMEN"
    down, across = np.mgrid[-1:1:256j, -1:1:256j]
    body = (down / 0.72) ** 2 + (across / 0.92) ** 2 < 1
    liver = ((down + 0.1) / 0.35) ** 2 + ((across + 0.38) / 0.4) ** 2 < 1
    spine = (down - 0.45) ** 2 + across**2 < 0.02
    core = (down + 0.1) ** 2 + (across - 0.35) ** 2 < 0.004 + place * 0.003
    noise = np.random.default_rng(place).normal(0, 12, body.shape)
    hounsfield = np.where(body, 20, -1000) + liver * 60 + spine * 500 + core * 180 + noise * body
    _pixels(found, (hounsfield + 1024).clip(0, 4095).astype("<u2"))
    found.RescaleSlope, found.RescaleIntercept = "1", "-1024"
    found.WindowCenter, found.WindowWidth = "40", "400"
    return found


def _us(study: str) -> Dataset:
    found = _base(study, generate_uid(), US_MULTI_FRAME_CLASS, "US", PIET)
    found.StudyDescription, found.SeriesDescription, found.SeriesNumber = "US knee", "Cine", 1
    found.InstanceNumber, found.NumberOfFrames = 1, 5
    frames = np.random.default_rng(1).gamma(2, 300, (5, 120, 160)).clip(0, 4095).astype("<u2")
    _pixels(found, frames)
    return found


def _pixels(found: Dataset, pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint16]]") -> None:
    found.Rows, found.Columns = pixels.shape[-2:]
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 12, 11, 0
    found.PixelData = pixels.tobytes()


def _report_object(study: str) -> Dataset:
    found = _base(study, generate_uid(), SR_CLASS, "SR", JANE)
    found.AccessionNumber, found.StudyDescription = "ACC-1", "CT abdomen with contrast"
    found.SeriesDescription, found.SeriesNumber, found.InstanceNumber = "Dose report", 99, 1
    return found


def _store(hub: Hub, caller: Caller, found: Dataset) -> None:
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = io.BytesIO()
    found.save_as(written, enforce_file_format=True)
    spool = hub.spool()
    spool.write(written.getvalue())
    hub.store(caller, spool, _header(found))


def _header(found: Dataset) -> Header:
    """Return what the doors' header scan would."""
    values: dict[str, object] = {"transfer_syntax_uid": str(ExplicitVRLittleEndian)}
    for each in fields(Header):
        keyword = "".join(part.capitalize() for part in each.name.split("_"))
        keyword = keyword.replace("Uid", "UID").replace("Sop", "SOP").replace("PatientId", "PatientID")
        value = found.get(keyword)
        if value is not None and each.name not in values:
            values[each.name] = int(value) if each.type in ("int", int) else str(value)
    return Header(**values)  # type: ignore[arg-type]


def _deliver(hub: Hub, destination: str, verdict_of: Callable[[int], Verdict]) -> None:
    """Settle the head of a queue as an engine would."""
    lease = hub.claim(destination, "test")
    assert lease is not None
    texts = {
        Verdict.ACCEPTED: ("0000", "Success"),
        Verdict.REJECTED: ("A900", "Data Set does not match SOP Class"),
        Verdict.RETRY: ("503", "Service Unavailable"),
    }
    for place, one in enumerate(hub.batch(lease, 100)):
        verdict = verdict_of(place)
        began = datetime.now(UTC) - timedelta(seconds=1)
        attempted = Attempted(one, Receipt(verdict, *texts[verdict]), began, datetime.now(UTC))
        hub.settle(lease, attempted, 0.5)
    hub.release(lease)


def rendering_door(hub: Hub) -> Door:
    """Stand in for the DICOMweb door: one frame, rendered."""

    def rendered(request: Request, caller: Caller) -> Response:
        names = request.path_params
        query = Query(Level.INSTANCE, {"sop_instance_uid": Exact(names["instance"])})
        retrieved = hub.retrieve(caller, query)[0]
        window = request.query_params.get("window")
        viewport = request.query_params.get("viewport")
        options = RenderingOptions(
            window=parse_window(window) if window else None,
            viewport=parse_viewport(viewport) if viewport else None,
        )
        with hub.open_blob(retrieved.instance.blob.digest) as blob:
            return Response(render_frame(blob, names["frame"], options, work_on), media_type="image/jpeg")

    path = "/studies/{study}/series/{series}/instances/{instance}/frames/{frame:int}/rendered"
    return Door("dicomweb", "/dicom-web", [Route(path, answered(hub, rendered))])


def tested(peer: Peer) -> Receipt:
    """Stand in for a courier: PACS2 answers, nobody else does."""
    if peer.name == "PACS2":
        return Receipt(Verdict.ACCEPTED, "0000", "C-ECHO: Success")
    return Receipt(Verdict.RETRY, "", "connection refused")


def app_of(hub: Hub) -> Starlette:
    """Join the console and the frames that it shows."""
    return http_app(hub, [rendering_door(hub), console_door(hub, tested)])


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """A record with some hours of a hospital in it, open to all."""
    folder = tmp_path_factory.mktemp("hospital")
    url = f"sqlite:///{folder / 'hilum.db'}"
    migrate(url)
    hub, database = new_hub(url, folder, open_to_all=True)
    yield seed(hub)
    database.close()


@pytest.fixture(scope="module")
def site(hospital: Hospital, served_module: Callable[[Starlette], str]) -> str:
    """Base URL of the seeded console."""
    return served_module(app_of(hospital.hub))


@pytest.fixture
def fresh_hospital(sqlite_url: str, tmp_path: Path) -> Iterator[Hospital]:
    """A seeded record that one test may change."""
    hub, database = new_hub(sqlite_url, tmp_path, open_to_all=True)
    yield seed(hub)
    database.close()


@pytest.fixture
def joined() -> Callable[[Hub], Starlette]:
    """Return how a hub becomes an application."""
    return app_of


@pytest.fixture
def axe() -> Callable[[Page], Any]:
    """Return what looks at a page for barriers."""
    return Axe().run


@pytest.fixture
def empty_app(sqlite_url: str, tmp_path: Path) -> Iterator[Starlette]:
    """The console of an empty record, open to all."""
    hub, database = new_hub(sqlite_url, tmp_path, open_to_all=True)
    yield app_of(hub)
    database.close()


@pytest.fixture
def closed(sqlite_url: str, tmp_path: Path, served: Callable[[Starlette], str]) -> Iterator[tuple[Hub, str]]:
    """An empty record that wants credentials, and its base URL."""
    hub, database = new_hub(sqlite_url, tmp_path, open_to_all=False)
    yield hub, served(app_of(hub))
    database.close()
