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


class DuplicatePolicy(StrEnum):
    """What becomes of a SOP Instance UID that comes again with other bytes."""

    KEEP_BOTH = "keep-both"
    """The new bytes are kept aside for a person to decide, and the sender is told (0111)."""
    IGNORE = "ignore"
    """The new bytes are let go, and the sender hears success."""
    REPLACE = "replace"
    """The new bytes are in use; the old ones stay as a version for a while."""
    QUARANTINE = "quarantine"
    """The new bytes are kept aside for a person to decide, and the sender hears success."""
