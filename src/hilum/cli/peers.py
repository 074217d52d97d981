"""List, add, remove and test the systems that Hilum speaks with."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated
from urllib.parse import urlsplit

import typer

from hilum.cli.frame import tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import show_row, show_table
from hilum.cli.sending import probe_peers
from hilum.core.access.model import Peer, PeerKind
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.peer_options import OPTIONS, PeerOptions, options_of, said, text_of

_COLUMNS = ("name", "kind", "where", "roles", "default_issuer", "check_host", "last_seen")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_DEFAULT_ROLES = {
    PeerKind.DICOM: ("modality",),
    PeerKind.MLLP: ("information-system",),
    PeerKind.DICOMWEB: (),
    PeerKind.FHIR: (),
}
"""What a peer may do unless --role says otherwise. Web peers are called by us; they come in by tokens."""


def list_peers(
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """List the peers."""
    hub = hub_of(settings_of(data, config, database, objects))
    show_table([_row(peer) for peer in hub.peers(operator())], _COLUMNS, as_json=as_json)


def add_peer(  # each option is one part of the contract
    name: Annotated[str, typer.Argument(metavar="NAME", help="Our name for it.")],
    dicom: Annotated[
        str | None, typer.Option(metavar="AET@HOST:PORT", help="A DICOM application entity.")
    ] = None,
    mllp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="An HL7 v2 system.")] = None,
    dicomweb: Annotated[str | None, typer.Option(metavar="URL", help="A DICOMweb server.")] = None,
    fhir: Annotated[str | None, typer.Option(metavar="URL", help="A FHIR server.")] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="modality, information-system, viewer, operator, administrator; may be repeated."),
    ] = None,
    issuer: Annotated[
        str, typer.Option(help="Issuer of patient identifiers that it sends without one.")
    ] = "",
    any_host: Annotated[
        bool, typer.Option("--any-host", help="Admit its AE title from any address.")
    ] = False,
    said_options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="As for `hilum peers set`; may be repeated."),
    ] = None,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Add a peer, or replace the one of that name."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            "a name has 1 to 64 letters, digits, dots, dashes or underscores", next_step="choose another"
        )
    peer = _peer(
        name, {PeerKind.DICOM: dicom, PeerKind.MLLP: mllp, PeerKind.DICOMWEB: dicomweb, PeerKind.FHIR: fhir}
    )
    roles = tuple(role) if role else _DEFAULT_ROLES[peer.kind]
    settings = settings_of(data, config, database, objects)
    options = _overlaid(PeerOptions(), said_options or ())
    kept = replace(peer, roles=roles, default_issuer=issuer, check_host=not any_host, options=options)
    hub_of(settings).put_peer(operator(), kept)
    _warn_of_unknown_host(kept)
    tell(f"{name} is a peer; test it: hilum peers test {name}")


def set_peer(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    said_options: Annotated[
        list[str],
        typer.Argument(
            metavar="OPTION=VALUE...", help="See docs/reference/peer-options.md; an empty value unsets it."
        ),
    ],
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Set what holds for one peer only; it is in force from its next association or message on."""
    hub = hub_of(settings_of(data, config, database, objects))
    peer = hub.peer(operator(), name)
    hub.put_peer(operator(), replace(peer, options=_overlaid(peer.options, said_options)))
    tell(f"{name} is changed; see it: hilum peers show {name}")


def show_peer(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """Show everything that is configured for a peer."""
    peer = hub_of(settings_of(data, config, database, objects)).peer(operator(), name)
    row, options = _row(peer), said(peer.options)
    shown = {option: text_of(value) for option, value in options.items()}
    del row["options"]
    show_row(row | ({"options": options} if as_json else shown), as_json=as_json)


def remove_peer(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Remove a peer."""
    hub_of(settings_of(data, config, database, objects)).remove_peer(operator(), name)
    tell(f"{name} is no peer any more")


def where_of(peer: Peer) -> str:
    """Return how a peer is reached, as `add` reads it."""
    host = f"[{peer.host}]" if ":" in peer.host else peer.host
    match peer.kind:
        case PeerKind.DICOM:
            return f"{peer.ae_title}@{host}:{peer.port}"
        case PeerKind.MLLP:
            return f"{host}:{peer.port}"
        case PeerKind.DICOMWEB | PeerKind.FHIR:
            return peer.url


def _peer(name: str, given: dict[PeerKind, str | None]) -> Peer:
    said = [(kind, text) for kind, text in given.items() if text is not None]
    if len(said) != 1:
        raise Invalid(
            "say once how the peer is reached",
            next_step="--dicom AET@HOST:PORT, --mllp HOST:PORT, --dicomweb URL or --fhir URL",
        )
    kind, text = said[0]
    match kind:
        case PeerKind.DICOM:
            ae_title, at, place = text.rpartition("@")
            if not at or not _AE_TITLE.fullmatch(ae_title) or not ae_title.strip():
                raise Invalid(
                    f"--dicom wants AET@HOST:PORT; got '{text}'", next_step="e.g. CT01@10.0.0.7:104"
                )
            host, port = _place(kind, place)
            return Peer(name, kind, host=host, port=port, ae_title=ae_title.strip())
        case PeerKind.MLLP:
            host, port = _place(kind, text)
            return Peer(name, kind, host=host, port=port)
        case PeerKind.DICOMWEB | PeerKind.FHIR:
            return Peer(name, kind, url=_url(kind, text))


def _place(kind: PeerKind, text: str) -> tuple[str, int]:
    from hilum.settings.values import address

    try:
        place = address(text)
    except ValueError as error:
        raise Invalid(f"--{kind} wants HOST:PORT; got '{text}'", next_step="e.g. 10.0.0.7:2575") from error
    if place.port == 0:
        raise Invalid(f"--{kind} wants a port from 1 to 65535", next_step="name the port of the peer")
    return _as_written(place.host), place.port


def _as_written(host: str) -> str:
    """Return an address in its one way of writing; a name stays a name and is looked up when the peer calls."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _warn_of_unknown_host(peer: Peer) -> None:
    """Say so when nobody knows the host now: it may be a slip of the pen, or a machine that comes tomorrow."""
    if not peer.host:
        return
    try:
        socket.getaddrinfo(peer.host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        tell(f"nobody knows the host '{peer.host}' now ({error}): until then its calls are refused")


def _url(kind: PeerKind, text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise Invalid(
            f"--{kind} wants an http or https URL without credentials; got '{text}'",
            next_step="e.g. https://pacs.example/dicom-web",
        )
    return text.rstrip("/")


def _overlaid(options: PeerOptions, texts: Sequence[str]) -> PeerOptions:
    """Return the options with what `OPTION=VALUE` says; raises Invalid."""
    values = said(options)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Invalid(
                f"an option is set as OPTION=VALUE; got '{text}'", next_step="e.g. addresses=10.0.0.0/24"
            )
        values[name] = value
    emptied = [name for name, value in values.items() if name in OPTIONS and value == ""]
    for name in emptied:
        del values[name]
    return options_of(values)


def _row(peer: Peer) -> dict[str, object]:
    return asdict(peer) | {"where": where_of(peer), "options": said(peer.options)}


COMMANDS = {
    "list": list_peers,
    "add": add_peer,
    "show": show_peer,
    "set": set_peer,
    "remove": remove_peer,
    "test": probe_peers,
}
