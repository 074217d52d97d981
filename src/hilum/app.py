"""The front door: settings -> stores -> Hub -> doors, couriers, engine. Read this first.

Nothing is decided here. What listens, what runs and what is joined to what stands on this page.
"""

import logging
import os
import random
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog
import uvicorn
from pydicom import config as pydicom_config

from hilum.core.access import policy
from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import ChoreKind
from hilum.core.hub import Hub
from hilum.core.kernel.errors import Busy
from hilum.core.routing.model import Receipt
from hilum.core.routing.ports import Courier
from hilum.couriers import dicomweb as dicomweb_courier
from hilum.couriers import dimse as dimse_courier
from hilum.couriers import fhir as fhir_courier
from hilum.couriers import mllp as mllp_courier
from hilum.couriers.dicomweb import DicomWebCourier
from hilum.couriers.dimse import DimseCourier
from hilum.couriers.mllp import MllpCourier
from hilum.doors._http.app import Serving, http_app, server_config
from hilum.doors.api.routes import api_door
from hilum.doors.console.routes import console_door
from hilum.doors.console.site import Listening
from hilum.doors.dicomweb import dicomweb_doors
from hilum.doors.dicomweb.summaries import Summaries
from hilum.doors.dimse.server import DimseServer
from hilum.doors.dimse.services import supported_with
from hilum.doors.fhir import fhir_door
from hilum.doors.mllp.server import Bounds as MllpBounds
from hilum.doors.mllp.server import MllpServer
from hilum.doors.viewer import installed_site, viewer_door
from hilum.engine.delivery import no_courier
from hilum.engine.engine import Engine
from hilum.engine.supervisor import Role, Supervisor
from hilum.settings import Address, Settings
from hilum.settings.zone import MachineZone
from hilum.stores import sql
from hilum.stores.objects import arriving_folder, objects_from_url
from hilum.stores.objects.budget import Budget
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database
from hilum.transport.dicom import Timers
from hilum.transport.hosts import Hosts
from hilum.transport.tls import Entrance, Identity, ServerTls
from hilum.wire.dicom.archive_header import stored_header
from hilum.wire.dicom.attributes import attribute_texts
from hilum.wire.dicom.frame_work import FrameWorker
from hilum.wire.dicom.key_objects import rejection_note
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.routes import rules_of
from hilum.workers.pool import Bounds, WorkerPool

FIRST_USER = "admin"

Listeners = Mapping[str, socket.socket]
"""The bound sockets by the name of their door."""


def build_hub(settings: Settings, database: Database | None = None) -> Hub:
    """Join the stores. Nothing is connected before its first use, so a process may fork before it."""
    spool = settings.data.folder / "spool"
    objects = objects_from_url(settings.objects_url, spool)
    arriving = arriving_folder(settings.objects_url, spool)

    def read_tags(digest: str, keywords: frozenset[str]) -> Mapping[str, str]:
        with objects.open(digest) as file:
            return attribute_texts(file, keywords)

    return Hub(
        database or Database(settings.database_url, settings.database.patience),
        objects,
        Argon2Passwords(),
        read_tags,
        read_note=rejection_note,
        read_header=stored_header,
        open_to_all=settings.access.open,
        default_issuer=settings.patients.default_issuer,
        grace=timedelta(days=settings.deletion.grace),
        budget=Budget(settings.limits.arriving, settings.limits.free_disk, arriving),
        resolve=Hosts(),
    )


def tls_identity(settings: Settings) -> Identity:
    """Return who we are to those that speak TLS with us, and whom we believe."""
    tls = settings.tls
    return Identity(tls.certificate, tls.key, tls.authorities, tls.client_certificates)


def is_secure(settings: Settings) -> bool:
    """Tell whether any door of ours speaks TLS."""
    return settings.http.tls or {settings.dicom.tls, settings.hl7.tls} != {"off"}


def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this version; raises Busy, and Conflict when it is newer."""
    settings.data.folder.mkdir(parents=True, exist_ok=True)
    sql.migrate(settings.database_url)


def worker_pool(settings: Settings) -> WorkerPool:
    """Return what works on pixels in processes of its own; none is started before its first task."""
    pixels = settings.pixels
    return WorkerPool(Bounds(pixels.workers, pixels.memory, pixels.seconds))


def courier_for(settings: Settings, peer: Peer, worker: FrameWorker) -> Courier:
    """Return the courier of a peer; raises Invalid for a kind that nothing is delivered to."""
    match peer.kind:
        case PeerKind.DICOM:
            return DimseCourier(
                peer, settings.dicom.ae_title, identity=tls_identity(settings), frame_worker=worker
            )
        case PeerKind.MLLP:
            return MllpCourier(peer, identity=tls_identity(settings))
        case PeerKind.DICOMWEB:
            return DicomWebCourier(peer)
        case PeerKind.FHIR:
            return no_courier(peer)


def test_peer(settings: Settings, peer: Peer) -> Receipt:
    """Speak to a peer without leaving anything there: C-ECHO, a connection, a small GET."""
    match peer.kind:
        case PeerKind.DICOM:
            return dimse_courier.echo(peer, settings.dicom.ae_title, tls_identity(settings))
        case PeerKind.MLLP:
            return mllp_courier.echo(peer, tls_identity(settings))
        case PeerKind.DICOMWEB:
            return dicomweb_courier.echo(peer)
        case PeerKind.FHIR:
            return fhir_courier.echo(peer)


def serve(settings: Settings) -> int:
    """Migrate, bind, fork the roles, say where we are; return the exit code when told to stop."""
    _start_log(settings)
    _quieten_pydicom()
    migrate(settings)
    if is_secure(settings):
        tls_identity(settings).check()
    listeners = {door: _bind(address) for door, address in _addresses(settings).items()}
    link = _prepare(settings)
    roles = {role: _role(role, settings, listeners) for role in settings.server.roles}
    return Supervisor(roles, lambda: _announce(settings, listeners, link)).run()


def _addresses(settings: Settings) -> dict[str, Address]:
    """Return where each role that listens does so; secure DICOM may have an address of its own."""
    doors = {"web": settings.http.bind, "dicom": settings.dicom.bind, "hl7": settings.hl7.bind}
    if settings.dicom.tls == "separate":
        doors["dicom-tls"] = settings.dicom.tls_bind
    return {door: one for door, one in doors.items() if door.partition("-")[0] in settings.server.roles}


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=512)
    except OSError as error:
        raise Busy(
            f"cannot listen on {address}",
            peer_said=error.strerror or str(error),
            next_step="choose another port, or stop what listens there: hilum doctor",
        ) from error


def _prepare(settings: Settings) -> str:
    """Load the routing rules of the settings; return the secret of a one-time link while nobody has a password."""
    database = Database(settings.database_url, settings.database.patience)
    try:
        hub = build_hub(settings, database)
        operator = policy.local_operator(secrets.token_hex(8))
        if settings.routing.rules is not None:
            hub.put_rules(operator, rules_of(settings.routing.rules.read_text(encoding="utf-8")))
        if "dicom" in settings.server.roles:
            hub.announce_restart(settings.workitems.fallback_ae_titles)
        hub.check()
        return "" if hub.has_users() else hub.issue_link(operator, FIRST_USER)
    finally:
        database.close()


def _announce(settings: Settings, listeners: dict[str, socket.socket], link: str) -> None:
    """Print where the doors are. The link is a secret: it goes to the terminal, never to the log."""
    lines = ["hilum is ready"]
    for role, listener in sorted(listeners.items()):
        lines.append(f"  {role:<9} {_where(role, settings, listener)}")
    if link and "web" in listeners:
        web = _web_url(settings, listeners["web"])
        lines.append(f"  first sign-in, once, within an hour: {web}/welcome/{link}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _where(role: str, settings: Settings, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    match role:
        case "web":
            return _web_url(settings, listener)
        case "dicom" | "dicom-tls":
            return f"{settings.dicom.ae_title}@{host}:{port}"
        case _:
            return f"mllp://{host}:{port}"


def _web_url(settings: Settings, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "https" if settings.http.tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _role(name: str, settings: Settings, listeners: Listeners) -> Role:
    run: Callable[[Settings, Listeners, threading.Event, Callable[[], None]], None] = {
        "dicom": _run_dicom,
        "web": _run_web,
        "hl7": _run_hl7,
        "engine": _run_engine,
    }[name]
    return lambda stop, ready: run(settings, listeners, stop, ready)


def _run_dicom(
    settings: Settings, listeners: Listeners, stop: threading.Event, ready: Callable[[], None]
) -> None:
    pool = worker_pool(settings)
    server = DimseServer(
        hub=build_hub(settings),
        ae_title=settings.dicom.ae_title,
        any_called_ae_title=settings.access.open,
        open_destination=lambda peer, ae_title, message_id: DimseCourier(
            peer,
            settings.dicom.ae_title,
            (ae_title, message_id),
            identity=tls_identity(settings),
            frame_worker=pool,
        ),
        frame_worker=pool,
        maximum_associations=settings.dicom.maximum_associations,
        most_answers=settings.limits.answers,
        longest_instance=settings.limits.instance,
        limits=Limits(maximum_length_received=settings.dicom.maximum_pdu_length),
        timers=Timers(artim=settings.dicom.artim, idle=settings.dicom.idle),
        tls=ServerTls(tls_identity(settings)) if settings.dicom.tls != "off" else None,
        sub_associations=settings.dicom.sub_associations,
        supported=supported_with(settings.dicom.private_sop_classes),
    )
    ready()
    entrance = {"same": Entrance.EITHER, "required": Entrance.SECURE}.get(settings.dicom.tls, Entrance.PLAIN)
    ports = [(listeners["dicom"], entrance)]
    ports += [(one, Entrance.SECURE) for door, one in listeners.items() if door == "dicom-tls"]
    serving = [threading.Thread(target=server.serve, args=(one, stop, how)) for one, how in ports]
    for thread in serving:
        thread.start()
    for thread in serving:
        thread.join()


def _run_hl7(
    settings: Settings, listeners: Listeners, stop: threading.Event, ready: Callable[[], None]
) -> None:
    hl7 = settings.hl7
    bounds = MllpBounds(hl7.maximum_connections, hl7.maximum_frame, hl7.idle)
    ready()
    tls = ServerTls(tls_identity(settings)) if hl7.tls != "off" else None
    entrance = Entrance.SECURE if hl7.tls == "required" else Entrance.EITHER
    MllpServer(build_hub(settings), listeners["hl7"], bounds, tls, entrance).run(stop)


def _run_web(
    settings: Settings, listeners: Listeners, stop: threading.Event, ready: Callable[[], None]
) -> None:
    database = Database(settings.database_url)
    hub = build_hub(settings, database)
    limits = settings.limits
    doors = [
        *dicomweb_doors(
            hub,
            worker=worker_pool(settings),
            most_answers=limits.answers,
            longest_instance=limits.instance,
            wait=database.wait_for_change,
        ),
        fhir_door(hub, MachineZone()),
        api_door(hub),
        console_door(hub, lambda peer: test_peer(settings, peer), _listening(settings)),
    ]
    if (site := installed_site()) is not None:
        doors.append(viewer_door(hub, site))
    http = settings.http
    serving = Serving(
        trusted_proxies=http.trusted_proxies,
        public_url=http.public_url,
        maximum_body=http.maximum_body,
        maximum_connections=http.maximum_connections,
        idle=http.idle,
    )
    config = server_config(http_app(hub, doors, serving), http.bind.host, http.bind.port, serving)
    if http.tls:
        config.ssl_certfile, config.ssl_keyfile = settings.tls.certificate, settings.tls.key
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listeners["web"]],), name="uvicorn")
    thread.start()
    ready()
    stop.wait()
    server.should_exit = True
    thread.join()


def _listening(settings: Settings) -> Listening:
    """Return what an empty page of the console tells a newcomer to send to."""
    return Listening(str(settings.dicom.bind), settings.dicom.ae_title, str(settings.hl7.bind))


def _run_engine(
    settings: Settings, _listeners: Listeners, stop: threading.Event, ready: Callable[[], None]
) -> None:
    database = Database(settings.database_url, settings.database.patience)
    hub = build_hub(settings, database)
    pool = worker_pool(settings)
    engine = Engine(
        hub=hub,
        couriers=lambda peer: courier_for(settings, peer, pool),
        wait=database.wait_for_change,
        owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        chance=random.random,
        chores={ChoreKind.SUMMARISE: Summaries(hub).refresh, ChoreKind.ANNOUNCE: hub.announce_study},
        keep_workitems=timedelta(days=settings.workitems.keep),
        stop=stop,
    )
    ready()
    engine.run()


def _quieten_pydicom() -> None:
    """Let pydicom judge no values: its warnings quote them, and they may be a patient's. What counts, we check ourselves."""
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    pydicom_config.settings.writing_validation_mode = pydicom_config.IGNORE


def _start_log(settings: Settings) -> None:
    """Write keys and values to standard error: text for people, JSON for machines."""
    as_text = settings.log.form == "text" or (settings.log.form == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log.level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
