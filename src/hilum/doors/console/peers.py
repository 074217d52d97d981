"""Peers: who is spoken to, and whether they answer."""

import re
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.responses import Response

from hilum.core.access.model import Peer, PeerKind
from hilum.core.access.policy import ROLES
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.errors import Invalid, NotFound, Refused
from hilum.core.kernel.peer_options import NO_OPTIONS, OPTIONS, PeerOptions, options_of, said, text_of
from hilum.core.routing.model import Receipt, Verdict
from hilum.doors.console.site import Visit

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")
"""PS3.5 6.2 AE: 1 to 16 of the default repertoire without backslash; no space at its ends."""


@dataclass(frozen=True, slots=True)
class Tested:
    """What a peer said to a test, and after how many seconds."""

    accepted: bool
    receipt: Receipt
    seconds: float


DEFAULT_ROLE = {
    PeerKind.DICOM: "modality",
    PeerKind.MLLP: "information-system",
    PeerKind.DICOMWEB: "modality",
    PeerKind.FHIR: "information-system",
}


def peers(visit: Visit) -> Response:
    """List the peers."""
    return visit.show("peers.html", peers=visit.hub.peers(visit.caller))


def edit(visit: Visit) -> Response:
    """Show the form of a new peer, or of one that is kept."""
    name = visit.request.path_params.get("peer", "")
    kept = visit.hub.peer(visit.caller, name) if name else None
    return _form(visit, kept, None)


def save(visit: Visit) -> Response:
    """Save a peer, or speak to it first without saving."""
    try:
        entered = read_form(visit.form)
    except Invalid as invalid:
        return _form(visit, None, None, problem=invalid)
    if visit.said("do") == "test":
        return _form(visit, entered, _tested(visit, entered))
    if not visit.request.path_params.get("peer") and _is_kept(visit, entered.name):
        return _form(visit, entered, None, problem=Invalid("a peer with this name is kept already"))
    visit.hub.put_peer(visit.caller, entered)
    return visit.go("/peers", saved=entered.name)


def remove(visit: Visit) -> Response:
    """Remove a peer, after a second question."""
    peer = visit.hub.peer(visit.caller, visit.request.path_params["peer"])
    if visit.said("confirmed") != "yes":
        return visit.show("remove_peer.html", peer=peer)
    visit.hub.remove_peer(visit.caller, peer.name)
    return visit.go("/peers", removed=peer.name)


def test(visit: Visit) -> Response:
    """Speak to a peer that is kept, and show what it said."""
    peer = visit.hub.peer(visit.caller, visit.request.path_params["peer"])
    return visit.show("tested.html", peer=peer, tested=_tested(visit, peer))


def read_form(form: FormData) -> Peer:
    """Read a peer as entered; raises Invalid with the field that is wrong."""
    kind = _kind(_field(form, "kind"))
    socket_peer = kind in (PeerKind.DICOM, PeerKind.MLLP)
    roles = tuple(role for role in form.getlist("role") if isinstance(role, str))
    return Peer(
        name=_checked(_NAME, _field(form, "name"), "the name is 1 to 64 letters, digits, dots and dashes"),
        kind=kind,
        host=_checked(_HOST, _field(form, "host"), "the host is a name or an address") if socket_peer else "",
        port=_port(_field(form, "port")) if socket_peer else 0,
        ae_title=_ae_title(form) if kind is PeerKind.DICOM else "",
        url="" if socket_peer else _url(_field(form, "url")),
        roles=roles or (DEFAULT_ROLE[kind],),
        default_issuer=_field(form, "default_issuer"),
        check_host=_field(form, "check_host") == "yes",
        options=read_options(form),
    )


def read_options(form: FormData) -> PeerOptions:
    """Read the fields `option.NAME`; an empty one says nothing. Raises Invalid."""
    fields = {name: _field(form, f"option.{name}", 8192) for name in OPTIONS}
    return options_of({name: text for name, text in fields.items() if text})


def _form(visit: Visit, peer: Peer | None, tested: Tested | None, problem: Invalid | None = None) -> Response:
    return visit.show(
        "peer.html",
        status=400 if problem else 200,
        peer=peer,
        kept_name=visit.request.path_params.get("peer", ""),
        entered=visit.form,
        tested=tested,
        problem=problem,
        peer_kinds=list(PeerKind),
        roles=list(ROLES),
        options=OPTIONS,
        written=_written(peer.options if peer else NO_OPTIONS),
    )


def _written(options: PeerOptions) -> dict[str, str]:
    """Return what was said, as a person writes it."""
    return {name: text_of(value) for name, value in said(options).items()}


def _tested(visit: Visit, peer: Peer) -> Tested:
    """Speaking to any host:port is for those who may configure peers: it is not a port scanner for all."""
    if not visit.may(Permission.PEERS_WRITE):
        raise Refused("testing a peer needs 'peers.write'", next_step="ask an administrator")
    started = time.perf_counter()
    receipt = visit.site.test_peer(peer)
    return Tested(receipt.verdict is Verdict.ACCEPTED, receipt, round(time.perf_counter() - started, 2))


def _is_kept(visit: Visit, name: str) -> bool:
    try:
        visit.hub.peer(visit.caller, name)
    except NotFound:
        return False
    return True


def _field(form: FormData, name: str, longest: int = 512) -> str:
    value = form.get(name, "")
    return value.strip()[:longest] if isinstance(value, str) else ""


def _checked(pattern: re.Pattern[str], value: str, otherwise: str) -> str:
    if not pattern.fullmatch(value):
        raise Invalid(otherwise)
    return value


def _ae_title(form: FormData) -> str:
    return _checked(_AE_TITLE, _field(form, "ae_title"), "the AE title is 1 to 16 characters (PS3.5 6.2)")


def _kind(value: str) -> PeerKind:
    try:
        return PeerKind(value)
    except ValueError as error:
        raise Invalid("choose how the peer is spoken to") from error


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 0 < int(value[:9]) < 65536):
        raise Invalid("the port is a number from 1 to 65535")
    return int(value)


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError as error:
        raise Invalid("the URL cannot be read") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise Invalid("the URL is http:// or https:// with a host, without user and query")
    return value.rstrip("/")
