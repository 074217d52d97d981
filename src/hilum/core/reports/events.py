"""News of reports."""

from dataclasses import dataclass

from hilum.core.kernel.events import Event


@dataclass(frozen=True)
class ReportFiled(Event):
    """A new version of a report: what routing rules may ask about."""

    public_id: str
    version: int
    status: str
    source: str
