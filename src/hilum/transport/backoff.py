"""Failed attempts: each failure from an address makes the next wait longer."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

FREE_FAILURES = 5
"""Failures without a wait: people mistype."""
LONGEST_WAIT = 300.0
_MOST_ADDRESSES = 10_000


class Backoff:
    """Failures by address, in the memory of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def left(self, address: str) -> float:
        """Return how many seconds an address has to wait; 0 or less: none."""
        with self._lock:
            _, until = self._failures.get(address, (0, 0.0))
            return until - self._clock()

    def failed(self, address: str) -> None:
        """Note a failure: after the free ones the wait doubles, from a second to five minutes."""
        with self._lock:
            failures = self._failures.pop(address, (0, 0.0))[0] + 1
            over = failures - FREE_FAILURES
            wait = min(2.0 ** min(over, 20), LONGEST_WAIT) if over >= 0 else 0.0
            self._failures[address] = (failures, self._clock() + wait)
            if len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        with self._lock:
            self._failures.pop(address, None)
