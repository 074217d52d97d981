"""News of patients."""

from dataclasses import dataclass

from hilum.core.kernel.events import Event


@dataclass(frozen=True)
class PatientRegistered(Event):
    """A record was seen for the first time."""

    public_id: str


@dataclass(frozen=True)
class PatientUpdated(Event):
    """Demographics of a record changed."""

    public_id: str


@dataclass(frozen=True)
class PatientsMerged(Event):
    """A record now points to a survivor."""

    survivor: str
    retired: str


@dataclass(frozen=True)
class PatientsUnmerged(Event):
    """The pointer was taken back."""

    survivor: str
    restored: str
