"""The addresses of host names, remembered for a while: admission asks for them on every call."""

import socket
import threading
import time
from dataclasses import dataclass, field

_FRESH = 60.0
"""Seconds that an answer is used without asking again."""
_STALE = 3600.0
"""Seconds that an old answer still stands in while the name server does not answer."""
_MOST = 4096


@dataclass(slots=True)
class Hosts:
    """Resolves names, with a memory. A failure is remembered too, so that a stranger costs one look-up a minute."""

    fresh: float = _FRESH
    _known: dict[str, tuple[float, float, frozenset[str]]] = field(default_factory=dict)
    """Name to: asked at, answered at, addresses."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, host: str) -> frozenset[str]:
        """Return the addresses of a host; none when it is not known."""
        now = time.monotonic()
        with self._lock:
            asked, answered, addresses = self._known.get(host, (-_STALE, -_STALE, frozenset[str]()))
        if now - asked < self.fresh:
            return addresses
        found = _looked_up(host)
        if found is not None:
            answered, addresses = now, found
        elif now - answered > _STALE:
            addresses = frozenset()
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[host] = (now, answered, addresses)
        return addresses


def _looked_up(host: str) -> frozenset[str] | None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: no name that could be asked for
        return None
    return frozenset(str(one[4][0]).partition("%")[0] for one in found)
