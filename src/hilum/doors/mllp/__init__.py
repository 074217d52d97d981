"""HL7 v2 over MLLP, in: a server on threads, one for each connection."""

from hilum.doors.mllp.server import Bounds, MllpServer

__all__ = ["Bounds", "MllpServer"]
