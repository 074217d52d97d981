"""News of deliveries."""

from dataclasses import dataclass

from hilum.core.kernel.events import Event


@dataclass(frozen=True)
class DeliveryDied(Event):
    """A delivery was given up."""

    key: int
    destination: str
