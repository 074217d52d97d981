"""News of orders."""

from dataclasses import dataclass

from hilum.core.kernel.events import Event


@dataclass(frozen=True)
class OrderPlaced(Event):
    """A new order."""

    public_id: str


@dataclass(frozen=True)
class OrderChanged(Event):
    """An order has other content or another status."""

    public_id: str
    status: str


@dataclass(frozen=True)
class ProcedureStepStarted(Event):
    """MPPS N-CREATE."""

    sop_instance_uid: str


@dataclass(frozen=True)
class ProcedureStepReported(Event):
    """An N-CREATE or N-SET was taken: what routing rules may ask about."""

    message_key: int
    modality: str
    status: str
    source: str


@dataclass(frozen=True)
class ProcedureStepEnded(Event):
    """MPPS N-SET to a final state."""

    sop_instance_uid: str
    status: str
