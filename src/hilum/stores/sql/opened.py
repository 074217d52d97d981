"""One open transaction, as the shelves see it."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from hilum.core.audit.model import AuditEntry


@dataclass(slots=True)
class Opened:
    """The connection and the moment of a transaction, and whether it brings work for the engine."""

    connection: Connection
    now: datetime
    reading: bool = False
    """Nothing can be written here: what the trail is to keep of a look is noted, and written afterwards."""
    noted: list[AuditEntry] = field(default_factory=list)
    brings_work: bool = False
    """Events or deliveries were written: the engine of another process is told at commit."""
