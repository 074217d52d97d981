"""The synthetic messages of tests/data/hl7, one file each, a line for each segment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hilum.wire.hl7v2.message import Message

_FOLDER = Path(__file__).parents[2] / "data" / "hl7"


@pytest.fixture
def golden() -> Callable[[str], Message]:
    """Read a golden message as it would come over the wire."""

    def read(name: str) -> Message:
        return Message((_FOLDER / f"{name}.hl7").read_bytes().replace(b"\n", b"\r"))

    return read
