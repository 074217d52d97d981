"""FHIR out: for now only the question whether the peer is there."""

import httpx

from hilum.core.access.model import Peer
from hilum.core.routing.model import Receipt, Verdict

_SECONDS = 10.0


def echo(peer: Peer) -> Receipt:
    """Ask for the CapabilityStatement (FHIR R4 3.1.0.14)."""
    try:
        response = httpx.get(
            f"{peer.url.rstrip('/')}/metadata", headers={"Accept": "application/fhir+json"}, timeout=_SECONDS
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Receipt(Verdict.RETRY, "connection", str(error) or type(error).__name__)
    verdict = Verdict.ACCEPTED if response.is_success else Verdict.REJECTED
    return Receipt(verdict, str(response.status_code), response.reason_phrase)
