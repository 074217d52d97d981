"""Look whether stored bytes are still what was stored: their digest says so."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from hilum.core.access import policy
from hilum.core.archive.lifecycle import Damaged
from hilum.core.archive.ports import ArchiveTransaction, Objects
from hilum.core.audit.model import Outcome
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Busy, NotFound

_CHUNK = 1 << 20


class BlobState(StrEnum):
    """What was found where a blob should be."""

    GOOD = "good"
    ALTERED = "altered"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Verified:
    """One stretch of a verification: `position` is where the next one begins, empty at the end."""

    position: str
    checked: int
    octets: int
    damaged: tuple[tuple[str, BlobState], ...]


def state_of(objects: Objects, digest: str) -> tuple[BlobState, int]:
    """Read a blob to its end and compare; return what was found and how many octets were read."""
    hashed, octets = hashlib.sha256(), 0
    try:
        with objects.open(digest) as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
                octets += len(chunk)
    except Damaged:
        return BlobState.ALTERED, octets
    except NotFound:
        return BlobState.MISSING, octets
    except (Busy, OSError):
        return BlobState.UNREADABLE, octets
    return (BlobState.GOOD if hashed.hexdigest() == digest else BlobState.ALTERED), octets


def stretch(tx: ArchiveTransaction, caller: Caller, after: str, limit: int) -> list[str]:
    """Return the digests of instances that come next, in their order."""
    policy.demand(caller, Permission.ARCHIVE_VERIFY)
    return tx.lifecycle.digests(after, limit)


def note_damage(tx: ArchiveTransaction, caller: Caller, digest: str, state: BlobState) -> None:
    """Write to the trail that a blob is damaged."""
    record(tx, caller, "archive.damage", f"Blob/{digest}", outcome=Outcome.FAILURE, detail=state)
