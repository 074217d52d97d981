"""The doctor: looks at everything that a server needs, and says what to do about what is wrong."""

import errno
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.cli.frame import Exit
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import show_table
from hilum.core.kernel.errors import HilumError
from hilum.settings import Address, Settings

if TYPE_CHECKING:
    from hilum.core.hub import Hub
    from hilum.transport.tls import Identity

_GIBIBYTE = 1 << 30
_SCARCE = 20 * _GIBIBYTE
_TOO_LITTLE = 1 * _GIBIBYTE
_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right shows less: this version was written later."""
_WAIT = 2.0
_DOORS = {"http": "web", "dicom": "dicom", "dicom-tls": "dicom", "hl7": "hl7"}
"""Which role opens which port."""
_SOON = timedelta(days=30)


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor."""

    state: State
    check: str
    finding: str
    next_step: str = ""


def doctor(
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> int:
    """Check ports, database, storage, disk, clock and peers."""
    settings = settings_of(data, config, database, objects)
    findings = [*_ports(settings), *_disk(settings), *_certificate(settings), *_stores(settings)]
    rows = [asdict(finding) for finding in findings]
    show_table(rows, ("state", "check", "finding", "next_step"), as_json=as_json)
    return Exit.PARTIAL if any(finding.state is State.FAIL for finding in findings) else Exit.OK


def _ports(settings: Settings) -> Iterator[Finding]:
    for section, address in settings.binds.items():
        if _DOORS[section] in settings.server.roles:
            yield _port(section, address)


def _port(section: str, address: Address) -> Finding:
    check = f"port {section}"
    if address.port and _answers(address):
        return Finding(State.OK, check, f"{address} is listening")
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        reason = "in use, but nothing answers" if error.errno == errno.EADDRINUSE else error.strerror
        step = f"end what holds it, or let {section} listen on another address"
        return Finding(State.FAIL, check, f"{address}: {reason}", step)
    return Finding(State.OK, check, f"{address} is free; no server runs there", "hilum serve")


def _answers(address: Address) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(
        address.host, address.host
    )  # the unspecified address is not called
    try:
        socket.create_connection((host, address.port), timeout=_WAIT).close()
    except OSError:
        return False
    return True


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data.folder.resolve()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    said = f"{free / _GIBIBYTE:.1f} GiB are free at {existing}"
    if free < _TOO_LITTLE:
        yield Finding(
            State.FAIL, "disk", said, "make room: below 1 GiB Hilum soon answers senders that it is full"
        )
    elif free < _SCARCE:
        yield Finding(State.WARN, "disk", said, "make room, or move the objects: --objects")
    else:
        yield Finding(State.OK, "disk", said)


def _certificate(settings: Settings) -> Iterator[Finding]:
    from hilum.app import is_secure, tls_identity

    identity = tls_identity(settings)
    if is_secure(settings):
        yield _tried("tls", partial(_identity, identity))
    for file in filter(None, (identity.certificate, identity.authorities)):
        yield _tried(f"certificate {file.name}", partial(_expiry, file))


def _identity(identity: "Identity") -> Finding:
    identity.check()
    return Finding(State.OK, "tls", "certificate and key belong together")


def _expiry(file: Path) -> Finding:
    from hilum.transport.tls import expiry_of

    end, now = expiry_of(file), datetime.now(UTC)
    check, step = f"certificate {file.name}", "renew it; a running server reads the new file by itself"
    if end <= now:
        return Finding(State.FAIL, check, f"it expired on {end:%Y-%m-%d}", step)
    state = State.WARN if end < now + _SOON else State.OK
    return Finding(state, check, f"it is good until {end:%Y-%m-%d}", step if state is State.WARN else "")


def _stores(settings: Settings) -> Iterator[Finding]:
    schema = _tried("database", lambda: _schema(settings))
    yield schema
    if schema.state is not State.OK:
        return
    hub = hub_of(settings)
    for check, look in (("storage", _storage), ("clock", _clock), ("sign-in", _sign_in)):
        yield _tried(check, partial(look, hub))
    yield from _peers(hub, settings)


def _tried(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except HilumError as error:
        said = f"{error.what}: {error.peer_said}" if error.peer_said else error.what
        return Finding(State.FAIL, check, said, error.next_step)


def _schema(settings: Settings) -> Finding:
    from hilum.stores.sql.migrate import REVISIONS, current

    if not settings.database.url and not (settings.data.folder / "hilum.db").exists():
        return Finding(State.WARN, "database", "there is none yet", "hilum serve makes it")
    revision = current(settings.database_url)
    if revision == REVISIONS[-1]:
        return Finding(State.OK, "database", f"reachable, with the schema of this version ({revision})")
    said = f"its schema is {revision or 'missing'}, this version needs {REVISIONS[-1]}"
    return Finding(State.FAIL, "database", said, "hilum migrate")


def _storage(hub: "Hub") -> Finding:
    hub.check()
    return Finding(State.OK, "storage", "a probe was written, read and removed")


def _clock(hub: "Hub") -> Finding:
    """Find a clock that was set back: the newest audit entry lies in the future then."""
    now = datetime.now(UTC)
    newest = hub.audit(operator(), 1)
    last = newest[0].occurred if newest and newest[0].occurred else _EARLIEST
    step = "set the clock, and keep it by NTP: reports, leases and the audit trail carry its time"
    if now < _EARLIEST or now < last - timedelta(seconds=1):
        return Finding(
            State.FAIL, "clock", f"it shows {now:%Y-%m-%d %H:%M:%SZ}, before {last:%Y-%m-%d %H:%M:%SZ}", step
        )
    return Finding(
        State.OK, "clock", f"{now:%Y-%m-%d %H:%M:%SZ}, not before the last entry of the audit trail"
    )


def _sign_in(hub: "Hub") -> Finding:
    if hub.has_users():
        return Finding(State.OK, "sign-in", "somebody has set a password")
    return Finding(
        State.WARN, "sign-in", "nobody has signed in yet", "open the one-time link that `hilum serve` prints"
    )


def _peers(hub: "Hub", settings: Settings) -> Iterator[Finding]:
    from hilum.app import test_peer
    from hilum.cli.sending import judge

    for peer in hub.peers(operator()):
        receipt = test_peer(settings, peer)
        judged = judge(receipt)
        step = {
            Exit.OK: "",
            Exit.REFUSED: "it answers, and refuses: look at how it knows us",
        }.get(judged, f"check host, port and firewall: hilum peers test {peer.name}")
        state = State.OK if judged is Exit.OK else State.FAIL
        yield Finding(state, f"peer {peer.name}", f"{receipt.code} {receipt.text}".strip(), step)
