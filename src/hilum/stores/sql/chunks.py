"""Long lists of values, a statement's worth at a time."""

from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

_CHUNK = 500
"""So many values go into one list of a statement."""


def chunks(values: list[T]) -> Iterator[list[T]]:
    """Yield the values in order, so many at a time."""
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))
