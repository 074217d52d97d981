"""Names of places in a message: `PID-3.1`, `PID-3[2].4.1`, `OBX[3]-5`."""

import re
from functools import lru_cache
from typing import NamedTuple

_PATH = re.compile(
    r"([A-Z][A-Z0-9]{2})(?:\[([1-9][0-9]{0,5})\])?-([1-9][0-9]{0,3})(?:\[([1-9][0-9]{0,5})\])?"
    r"(?:\.([1-9][0-9]{0,3})(?:\.([1-9][0-9]{0,3}))?)?",
)


class Path(NamedTuple):
    """A place in a message; all counts start at 1, a component of 0 means the whole repetition."""

    segment: str
    occurrence: int
    field: int
    repetition: int
    component: int
    subcomponent: int

    def __str__(self) -> str:
        """Spell it as an ERL of ERR-2: segment, sequence, field, repetition, component, subcomponent."""
        location = f"{self.segment}^{self.occurrence}^{self.field}"
        if self.component:
            location += f"^{self.repetition}^{self.component}"
        if self.subcomponent:
            location += f"^{self.subcomponent}"
        return location


@lru_cache(maxsize=4096)
def path(text: str) -> Path:
    """Read a path written by a programmer; a wrong one is a mistake in the program."""
    found = _PATH.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a path such as PID-3.1 or PID-3[2].4.1")
    segment, occurrence, field, repetition, component, subcomponent = found.groups()
    return Path(
        segment,
        int(occurrence or 1),
        int(field),
        int(repetition or 1),
        int(component or 0),
        int(subcomponent or 0),
    )
