"""Set the scene, let the day be played, and stay up for whoever wants to look around."""

import os
import secrets
import signal
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from pydicom.uid import generate_uid

from hilum.app import build_hub, migrate
from hilum.core.access.model import Peer, PeerKind
from hilum.core.access.policy import local_operator
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.routing.model import Rule
from hilum.core.routing.rules import INSTANCE_STORED, REPORT_FILED
from hilum.demo.actors import Actor
from hilum.demo.day import Day
from hilum.demo.images import images
from hilum.demo.messages import Examination, Person
from hilum.demo.server import Server, free
from hilum.demo.stage import Stage, StepFailed
from hilum.demo.views import Views
from hilum.settings import Settings, load

_HOST = "127.0.0.1"
_SCOPES = ("archive.query", "archive.retrieve", "patients.read", "orders.read", "reports.read")
_CT_PORT = 11113
"""The CT does not listen: it gets its commitment report on the association that it asked on."""


def play(folder: Path, source: Path | None, *, once: bool) -> int:
    """Play the day in a data folder and return the exit code; unless `once`, stay until Ctrl-C."""
    stage = Stage()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends the play ends its processes too
    with ExitStack() as scene:
        try:
            server, hub, day = _set(stage, scene, folder, source)
            day.play()
        except StepFailed as failure:
            stage.say(f"\nThe day ended early: {failure}", "bold red")
            stage.say(f"The server's log: {folder / 'server.log'}")
            return 1
        except KeyboardInterrupt:
            return 1
        _tell_where(stage, server, hub)
        return 0 if once else _stay(stage, server)


def _set(stage: Stage, scene: ExitStack, folder: Path, source: Path | None) -> tuple[Server, Hub, Day]:
    stage.say(
        "One day of a hospital, on real sockets: an EHR/RIS, a CT and a second PACS, each a process of its own",
        "bold",
    )
    next(images(source))  # a folder without images is said before anything starts
    folder.mkdir(parents=True, exist_ok=True)
    settings = _settings(folder, stage)
    ehr, ct, pacs = (
        _entered(scene, Actor("the EHR", "ehr")),
        _entered(scene, Actor("the CT", "ct", "CT01", str(folder / "ct-images"))),
        _entered(scene, Actor("the second PACS", "pacs", "0")),
    )
    migrate(settings)
    hub, operator = build_hub(settings), local_operator(secrets.token_hex(8))
    _introduce(hub, operator, ehr.port, pacs.port)
    stage.say(f"    EHR/RIS         HL7 over MLLP, listens on {_HOST}:{ehr.port}")
    stage.say("    CT              CT01, calls only")
    stage.say(f"    second PACS     PACS2@{_HOST}:{pacs.port}")
    server = Server(settings, folder / "server.log")
    scene.callback(server.stop)
    stage.say(
        f"    Hilum           {settings.dicom.ae_title}@{settings.dicom.bind}, ready after {server.wait_until_ready():.1f} s"
    )
    ct.ask("meet", host=_HOST, port=settings.dicom.bind.port, ae_title=settings.dicom.ae_title)
    token = hub.create_token(operator, "demonstration", _SCOPES, timedelta(days=1))
    return (
        server,
        hub,
        _day(stage, settings, hub, operator, (ehr, ct, pacs), Views(server.url, token), source),
    )


def _day(
    stage: Stage,
    settings: Settings,
    hub: Hub,
    operator: Caller,
    cast: tuple[Actor, Actor, Actor],
    views: Views,
    source: Path | None,
) -> Day:
    now = datetime.now().astimezone()
    number = f"{now:%y%m%d%H%M%S}"
    return Day(
        stage, settings, hub, operator, *cast, views,
        source=str(source.resolve()) if source else "",
        number=number,
        examination=Examination(number, generate_uid(prefix=None), now),
        arrived=Person(f"E{number}", "Weber", "Clara", "19840529", "F"),
        known=Person(f"P{number}", "Weber", "Clara Maria", "19840529", "F"),
    )  # fmt: skip


def _settings(folder: Path, stage: Stage) -> Settings:
    settings = load(environment=os.environ, options={"data.folder": folder})
    chosen = {f"{name}.bind": free(bind, name, stage) for name, bind in settings.binds.items()}
    return load(environment=os.environ, options={"data.folder": folder, **chosen})


def _introduce(hub: Hub, operator: Caller, ehr_port: int, pacs_port: int) -> None:
    """Make the peers known, and say what is sent on: what `hilum peers add` and `hilum routes load` do."""
    for peer in (
        Peer("ehr", PeerKind.MLLP, _HOST, ehr_port, roles=("information-system",), default_issuer="HOSPITAL"),
        Peer("ct01", PeerKind.DICOM, _HOST, _CT_PORT, "CT01", roles=("modality",), default_issuer="HOSPITAL"),
        Peer("pacs2", PeerKind.DICOM, _HOST, pacs_port, "PACS2", roles=("modality",)),
    ):
        hub.put_peer(operator, peer)
    hub.put_rules(
        operator,
        [
            Rule("images-to-second-pacs", INSTANCE_STORED, to=("pacs2",), source=("CT01",)),
            Rule("reports-to-ehr", REPORT_FILED, to=("ehr",), status=("final", "corrected", "amended")),
        ],
    )


def _tell_where(stage: Stage, server: Server, hub: Hub) -> None:
    link = hub.issue_link(local_operator(secrets.token_hex(8)), "admin")
    settings = server.settings
    stage.say("\nThe day is over; every step held.", "bold green")
    stage.say(f"    console    {server.url}/")
    stage.say(f"    sign in    {server.url}/welcome/{link}   (once, within an hour)", "bold")
    stage.say(f"    DICOMweb   {server.url}/dicom-web")
    stage.say(f"    FHIR       {server.url}/fhir")
    stage.say(f"    DICOM      {settings.dicom.ae_title}@{settings.dicom.bind}")
    stage.say(f"    HL7 v2     {settings.hl7.bind}")
    stage.say(f"    data       {settings.data.folder}")


def _stay(stage: Stage, server: Server) -> int:
    stage.say("\nIt stays up. Ctrl-C ends it.")
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0


def _entered(scene: ExitStack, actor: Actor) -> Actor:
    scene.callback(actor.leave)
    return actor
