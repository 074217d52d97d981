"""One open transaction, as the shelves see it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection


@dataclass(slots=True)
class Opened:
    """The connection and the moment of a transaction, and whether it brings work for the engine."""

    connection: Connection
    now: datetime
    brings_work: bool = False
    """Events or deliveries were written: the engine of another process is told at commit."""
