"""Waking those who wait for news: any commit, by any process."""

import threading
from collections.abc import Callable

_CLOSING_SECONDS = 2.0


class Changes:
    """A count of commits seen, and who waits for it to move. A watcher thread tells of other processes' commits."""

    def __init__(self, watch: Callable[["Changes"], None]) -> None:
        """Take the watcher: a function that calls `tell` until `closing` is set."""
        self.closing = threading.Event()
        self._moved = threading.Condition()
        self._count = 0
        self._seen = threading.local()
        self._watch = watch
        self._watcher: threading.Thread | None = None

    def tell(self) -> None:
        """Wake those who wait."""
        with self._moved:
            self._count += 1
            self._moved.notify_all()

    def wait(self, timeout: float) -> bool:
        """Return soon after a commit that came since this thread's last `wait`, telling True; False after timeout.

        The first wait of a thread returns at once: what came before it is news to it.
        """
        with self._moved:
            self._start_watching()
            seen = getattr(self._seen, "count", -1)
            moved = self._moved.wait_for(lambda: self._count != seen, timeout)
            self._seen.count = self._count
        return moved

    def close(self) -> None:
        """End the watcher."""
        self.closing.set()
        if self._watcher is not None:
            self._watcher.join(_CLOSING_SECONDS)

    def _start_watching(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(
                target=self._watch, args=(self,), name="database changes", daemon=True
            )
            self._watcher.start()
