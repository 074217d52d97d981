"""Sign-in attempts in the browser: who has to wait is told so with 429."""

from hilum.doors._http.problems import TooManyRequests
from hilum.transport.backoff import Backoff


def check(backoff: Backoff, address: str) -> None:
    """Raise TooManyRequests while an address has to wait."""
    left = backoff.left(address)
    if left > 0:
        raise TooManyRequests("too many sign-in attempts from this address", int(left) + 1)
