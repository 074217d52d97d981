"""What options of a peer choose between."""

from enum import StrEnum


class View(StrEnum):
    """What a caller sees of instances that were rejected (IHE IOCM)."""

    REGULAR = "regular"
    """What is in use; neither rejected instances nor rejection notes."""
    QUALITY = "quality"
    """Also what was rejected for quality reasons, with its notes."""
    EVERYTHING = "everything"
    """Also everything else that was rejected, and every note."""
