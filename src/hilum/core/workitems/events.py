"""News of workitems."""

from dataclasses import dataclass

from hilum.core.kernel.events import Event


@dataclass(frozen=True)
class WorkitemReported(Event):
    """Reports for one subscriber were written: those numbered `first` to `last` (PS3.4 CC.2.4)."""

    ae_title: str
    first: int
    last: int
    by_association: bool
    """Whether the subscriber takes them by N-EVENT-REPORT; otherwise it listens on a WebSocket."""
