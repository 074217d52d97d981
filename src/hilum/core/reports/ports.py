"""What a store must do for reports."""

from typing import Protocol

from hilum.core.archive.ports import ArchiveTransaction
from hilum.core.kernel.identifiers import Identifier
from hilum.core.reports.model import FiledReport, Report, ReportQuery


class ReportShelf(Protocol):
    """Versions of reports; (identifier, version) is unique."""

    def newest(self, identifier: Identifier) -> Report | None:
        """Return the newest version of the report with exactly this identifier."""

    def by_public_id(self, public_id: str, version: int | None = None) -> FiledReport | None:
        """Return a version of a report, the newest if none is named, with the surviving patient."""

    def add(self, report: Report) -> Report:
        """Keep a new version (its key 0) and return it with its key; raises Conflict when it is there."""

    def find(self, query: ReportQuery) -> list[FiledReport]:
        """Return newest versions, newest change first, then by key."""

    def count(self, query: ReportQuery) -> int:
        """Return how many `find` would give without limit."""


class ReportsTransaction(ArchiveTransaction, Protocol):
    """A transaction that sees reports."""

    @property
    def reports(self) -> ReportShelf:
        """Reports."""
