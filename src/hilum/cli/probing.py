"""Ask a peer whether it is there, in its own protocol."""

import socket
import time
from dataclasses import dataclass

from hilum.core.access.model import Peer, PeerKind
from hilum.core.routing.model import Verdict
from hilum.settings import Settings

_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer answered to a probe, and after how long."""

    reached: bool
    accepted: bool
    said: str
    seconds: float = 0.0


def probe(peer: Peer, settings: Settings) -> Answer:
    """Return what a peer answers: C-ECHO, a TCP connection, or a GET, by its kind."""
    started = time.monotonic()
    match peer.kind:
        case PeerKind.DICOM:
            reached, accepted, said = _echo(peer, settings)
        case PeerKind.MLLP:
            reached, accepted, said = _connect(peer)
        case PeerKind.DICOMWEB:
            reached, accepted, said = _get(f"{peer.url}/studies?limit=1", "application/dicom+json")
        case PeerKind.FHIR:
            reached, accepted, said = _get(f"{peer.url}/metadata", "application/fhir+json")
    return Answer(reached, accepted, said, time.monotonic() - started)


def _echo(peer: Peer, settings: Settings) -> tuple[bool, bool, str]:
    """C-ECHO (PS3.4 A.4)."""
    from hilum.couriers.dimse import echo

    receipt = echo(peer, settings.dicom.ae_title)
    said = f"{receipt.code} {receipt.text}".strip()
    return receipt.verdict in (Verdict.ACCEPTED, Verdict.REJECTED), receipt.verdict is Verdict.ACCEPTED, said


def _connect(peer: Peer) -> tuple[bool, bool, str]:
    """Connect and leave: MLLP has no message that asks for nothing but an answer."""
    try:
        socket.create_connection((peer.host, peer.port), timeout=_WAIT).close()
    except OSError as error:
        return False, False, str(error)
    return True, True, "the port is open; HL7 has no echo, so that is all that can be asked"


def _get(url: str, accept: str) -> tuple[bool, bool, str]:
    import httpx

    try:
        response = httpx.get(url, headers={"Accept": accept}, timeout=_WAIT)
    except httpx.HTTPError as error:
        return False, False, str(error) or type(error).__name__
    said = f"HTTP {response.status_code} {response.reason_phrase}"
    return True, response.is_success, said
