"""News: rows written in the transaction of what they tell, read later by the engine."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol


class Event:
    """Something that happened; each event is a frozen dataclass of JSON values, in the past tense."""

    types: ClassVar[dict[str, type["Event"]]] = {}

    def __init_subclass__(cls) -> None:
        """Register the event under its class name, the word that is stored."""
        super().__init_subclass__()
        Event.types[cls.__name__] = cls

    def body(self) -> dict[str, Any]:
        """Return what is stored."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]  # every subclass is a dataclass

    @staticmethod
    def revive(name: str, body: dict[str, Any]) -> "Event":
        """Build the event back from its stored name and body."""
        return Event.types[name](**body)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as the outbox holds it: its place in the order, and the trace that it belongs to."""

    sequence: int
    event: Event
    trace: str
    occurred: datetime


class EventShelf(Protocol):
    """The outbox of events."""

    def append(self, event: Event, trace: str) -> None:
        """Write the event with the transaction."""

    def waiting(self, limit: int) -> list[Recorded]:
        """Return events not yet reacted to, in database order, locked for this transaction."""

    def settle(self, sequences: list[int]) -> None:
        """Mark events as reacted to."""
