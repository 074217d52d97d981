"""Identifiers that cross rooms: never a bare string."""

import re
from dataclasses import dataclass
from typing import NewType

from hilum.core.kernel.errors import Invalid

StudyInstanceUID = NewType("StudyInstanceUID", str)
SeriesInstanceUID = NewType("SeriesInstanceUID", str)
SOPInstanceUID = NewType("SOPInstanceUID", str)
SOPClassUID = NewType("SOPClassUID", str)
TransferSyntaxUID = NewType("TransferSyntaxUID", str)
AETitle = NewType("AETitle", str)

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Identifier:
    """A value and who issued it: (0010,0020) with (0010,0021), CX.1 with CX.4, Identifier.value with .system.

    An empty issuer means "not said"; `patients.rules` decides what it may be equal to.
    """

    value: str
    issuer: str = ""

    def __str__(self) -> str:
        """Return `value^^^issuer`, the way a CX prints."""
        return f"{self.value}^^^{self.issuer}" if self.issuer else self.value


@dataclass(frozen=True, slots=True)
class IdentifierMatch:
    """Which identifiers are meant: `issuer` None is any issuer, "" those without one; an empty value is any value."""

    value: str = ""
    issuer: str | None = None


def uid(value: str, of: str = "UID") -> str:
    """Return `value` when it is a UID by PS3.5 9.1: digits and dots, 64 characters at most.

    Leading zeros in a component are let through: devices in the field send them.
    """
    if len(value) > 64 or not _UID.fullmatch(value):
        shown = value[:80].encode("ascii", "backslashreplace").decode()
        raise Invalid(f"{of} is not a UID (PS3.5 9.1): '{shown}'", next_step="mend the UID at its source")
    return value
