"""Objects that DCMTK wrote: every encoding it has of one real CT image."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from hilum.wire.dicom.attributes import check_complete
from hilum.wire.dicom.decoding import decode_frame
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.json_model import instance_json
from hilum.wire.dicom.pixels import open_pixels

from .conftest import Bundled

pytestmark = [pytest.mark.needs("dcmtk"), pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]

ENCODINGS = [
    ("dcmconv", "--write-xfer-implicit"),
    ("dcmconv", "--write-xfer-big"),
    ("dcmconv", "--write-xfer-deflated"),
    ("dcmconv", "--length-undefined"),
    ("dcmconv", "--write-dataset"),
    ("dcmcjpeg", "--encode-lossless-sv1"),
    ("dcmcjpeg", "--encode-lossless"),
    ("dcmcjpls", "--encode-lossless"),
    ("dcmcrle", "--fragment-per-frame"),
]


@pytest.mark.parametrize(("tool", "option"), ENCODINGS)
def test_every_lossless_encoding_gives_the_header_the_json_and_the_pixels_of_the_original(
    tmp_path: Path, bundled: Bundled, tool: str, option: str
) -> None:
    original = bundled("CT_small.dcm")
    (tmp_path / "original.dcm").write_bytes(original)

    subprocess.run([tool, option, tmp_path / "original.dcm", tmp_path / "other.dcm"], check=True)

    other = (tmp_path / "other.dcm").read_bytes()
    check_complete(other)
    ours, theirs = read_header(original), read_header(other)
    names = (
        "patient_name",
        "study_instance_uid",
        "series_instance_uid",
        "modality",
        "rows",
        "study_date",
        "station_name",
    )
    assert [getattr(theirs, name) for name in names] == [getattr(ours, name) for name in names]
    expected = decode_frame(open_pixels(original).encoded_frame(1)).pixels
    np.testing.assert_array_equal(decode_frame(open_pixels(other).encoded_frame(1)).pixels, expected)
    assert _common(instance_json(other, str), tool) == _common(instance_json(original, str), tool)


def _common(json_data_set: dict[str, dict[str, object]], tool: str) -> dict[str, dict[str, object]]:
    """Leave out what an encoder rightly changes: pixels, padding, and what says how it was derived."""
    changed = {"00080008", "00080018", "00082111", "00082112", "00089215", "00280301", "FFFCFFFC", "7FE00010"}
    if tool == "dcmcjpeg":
        changed |= {"00280100", "00280101", "00280102"}
    return {tag: value for tag, value in json_data_set.items() if tag not in changed}
