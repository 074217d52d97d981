"""Whatever the bytes are, the readers of this room answer or say Invalid."""

import json
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hilum.core.kernel.errors import HilumError
from hilum.wire.dicom.attributes import check_complete
from hilum.wire.dicom.frame_work import render_frame, work_on
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.json_model import instance_json
from hilum.wire.dicom.rendering import RenderingOptions

from .conftest import bundled_files

SMALL = [path for path in bundled_files() if path.stat().st_size < 40_000 and "TINY" not in str(path)]
WHOLE = [path.read_bytes() for path in SMALL]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a real file with octets changed, cut out, repeated, or missing at its end."""
    whole = bytearray(draw(st.sampled_from(WHOLE)))
    head = min(len(whole), 2500)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, head - 1))
        size = draw(st.integers(1, 8))
        match draw(st.sampled_from(["change", "cut", "repeat", "ones"])):
            case "change":
                whole[at : at + size] = draw(st.binary(min_size=size, max_size=size))
            case "cut":
                del whole[at : at + size]
            case "repeat":
                whole[at:at] = whole[at : at + size] * draw(st.integers(1, 50))
            case _:
                whole[at : at + size] = b"\xff" * size
    return bytes(whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(mutated())
def test_a_header_is_read_or_refused(encoded: bytes) -> None:
    try:
        header = read_header(encoded)
    except HilumError:
        return

    assert "\0" not in repr(header)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(mutated())
def test_completeness_is_seen_or_refused(encoded: bytes) -> None:
    try:
        check_complete(encoded)
    except HilumError:
        return


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(mutated())
def test_metadata_is_strict_json_or_refused(encoded: bytes) -> None:
    try:
        written = instance_json(encoded, lambda path: f"bulk/{path}")
    except HilumError:
        return

    json.dumps(written, allow_nan=False).encode("utf-8")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(mutated())
def test_a_frame_is_rendered_or_refused(encoded: bytes) -> None:
    try:
        rendered = render_frame(encoded, 1, RenderingOptions(), work_on)
    except HilumError:
        return

    assert Image.open(BytesIO(rendered)).format == "JPEG"
