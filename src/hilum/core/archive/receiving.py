"""What is arriving, and what room there is for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receiving:
    """How much is arriving now, how much may, and what the disk has and keeps free: all in octets."""

    arriving: int
    limit: int
    free: int
    floor: int
