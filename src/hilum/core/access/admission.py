"""Which of the configured peers it is that calls: values in, values out."""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hilum.core.access.model import Peer

Resolve = Callable[[str], frozenset[str]]
"""Gives the addresses that a host name has now; none when it has none or nobody can say."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a message says that it is from: MSH-3.1 and MSH-4.1 (HL7 v2)."""

    application: str = ""
    facility: str = ""


def calls_from(peer: Peer, address: str, resolve: Resolve) -> bool:
    """Tell whether a connection from this address can be the peer's: its host, or one of its other addresses."""
    return any(_covers(place, address, resolve) for place in (peer.host, *peer.options.addresses) if place)


def by_sender(peers: Iterable[Peer], sender: Sender) -> Peer | None:
    """Return the peer behind an address that sent this: the one that was told most about wins."""
    fitting = [one for one in peers if _fits(one, sender)]
    return max(fitting, key=_told, default=None)


def _fits(peer: Peer, sender: Sender) -> bool:
    options = peer.options
    return options.sending_application in ("", sender.application) and options.sending_facility in (
        "",
        sender.facility,
    )


def _told(peer: Peer) -> int:
    return bool(peer.options.sending_application) + bool(peer.options.sending_facility)


def _covers(place: str, address: str, resolve: Resolve) -> bool:
    try:
        network = ipaddress.ip_network(place, strict=False)
    except ValueError:
        return address in resolve(place)
    caller = ipaddress.ip_address(address)
    return caller in network
