import json
import math
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hilum.core.kernel.errors import Invalid, NotFound
from hilum.wire.dicom.bulk_data import find_bulk_data
from hilum.wire.dicom.json_model import data_set_json, data_set_of_json, instance_json

from .conftest import Bundled, Encode, bundled_files

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"]


def written(encoded: bytes, **options: Any) -> dict[str, Any]:
    """Return the metadata after a trip through strict JSON."""
    return json.loads(
        json.dumps(instance_json(encoded, lambda path: f"bulk/{path}", **options), allow_nan=False)
    )


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_every_bundled_file_gives_the_json_that_pydicom_gives_or_is_refused(path: Path) -> None:
    try:
        ours = written(path.read_bytes())
    except Invalid:
        return

    try:
        read = pydicom.dcmread(path, force=True)
        theirs = read.to_json_dict(1024, lambda _: "bulk")
    except (ValueError, TypeError):
        return  # pydicom converts what it reads, and gives up on values that break their VR
    assert _comparable(ours) == _comparable(theirs)


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_pydicom_loads_the_metadata_of_every_bundled_file_as_dicomweb_client_does(path: Path) -> None:
    try:
        ours = written(path.read_bytes())
    except Invalid:
        return

    loaded = Dataset.from_json(ours, bulk_data_uri_handler=lambda _tag, _vr, _uri: None)

    assert str(loaded.get("PatientName", "")) == str(
        pydicom.dcmread(path, force=True, specific_tags=["PatientName"]).get("PatientName", "")
    ).rstrip("=")


def test_each_vr_has_the_json_type_of_the_standard(encode: Encode, instance: Dataset) -> None:
    instance.SpecificCharacterSet = "ISO_IR 192"
    instance.PatientName = "Adams^John=亜^ジ="
    instance.OtherPatientNames = ["A^B", "", "C"]
    instance.ImageType = ["ORIGINAL", "", "AXIAL"]
    instance.FrameIncrementPointer = 0x00181063
    instance.SeriesNumber = "7"
    instance.SliceThickness = "2.50"
    instance.RecommendedDisplayFrameRateInFloat = 1.5
    instance.ExaminedBodyThickness = -math.inf
    instance.add_new("SelectorUVValue", "UV", [1, 2**60])
    instance.ReferencedImageSequence = Sequence([Dataset()])
    instance.ReferencedStudySequence = Sequence()
    instance.PatientComments = "two \\ words  "
    instance.add_new(0x00111001, "OB", b"\x01\x02")
    instance.AccessionNumber = ""

    ours = written(encode(instance))

    assert ours["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Adams^John", "Ideographic": "亜^ジ"}]}
    assert ours["00101001"]["Value"] == [{"Alphabetic": "A^B"}, None, {"Alphabetic": "C"}]
    assert ours["00080008"]["Value"] == ["ORIGINAL", None, "AXIAL"]
    assert ours["00280009"] == {"vr": "AT", "Value": ["00181063"]}
    assert ours["00200011"] == {"vr": "IS", "Value": [7]}
    assert ours["00180050"] == {"vr": "DS", "Value": [2.5]}
    assert ours["00089459"]["Value"] == [1.5]
    assert ours["00109431"] == {"vr": "FL", "Value": ["-Infinity"]}
    assert ours["00720083"]["Value"] == [1, str(2**60)]
    assert ours["00081140"] == {"vr": "SQ", "Value": [{}]}
    assert ours["00081110"] == {"vr": "SQ"}
    assert ours["00104000"]["Value"] == ["two \\ words"]
    assert ours["00111001"] == {"vr": "OB", "InlineBinary": "AQI="}
    assert ours["00080050"] == {"vr": "SH"}
    assert not [tag for tag in ours if tag.startswith("0002")]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_each_encoding_gives_the_same_json(encode: Encode, instance: Dataset, syntax: str) -> None:
    item = Dataset()
    item.add_new("SmallestImagePixelValue", "SS", -5)
    instance.PixelRepresentation = 1
    instance.ReferencedImageSequence = Sequence([item])
    instance.RedPaletteColorLookupTableData = b"\x01\x02\x03\x04"
    instance.Rows, instance.TriggerTime = 513, "1.5"

    ours = written(encode(instance, syntax))

    assert ours["00081140"]["Value"][0]["00280106"] == {"vr": "SS", "Value": [-5]}
    assert ours["00280010"] == {"vr": "US", "Value": [513]}
    assert ours["00281201"] == {
        "vr": "OW",
        "InlineBinary": "AQIDBA==" if syntax != SYNTAXES[3] else "AgEEAw==",
    }


def test_a_number_that_is_none_is_null_and_costs_no_client_the_series(bundled: Bundled) -> None:
    ours = written(bundled("badVR.dcm"))

    assert ours["00280008"] == {"vr": "IS"}


def test_large_values_and_pixels_go_by_uri_with_the_path_of_the_attribute(bundled: Bundled) -> None:
    encoded = bundled("waveform_ecg.dcm")

    ours = written(encoded)

    waveform = ours["54000100"]["Value"][0]["54001010"]
    assert waveform == {"vr": "OW", "BulkDataURI": "bulk/54000100/1/54001010"}
    assert written(bundled("CT_small.dcm"))["7FE00010"] == {"vr": "OW", "BulkDataURI": "bulk/7FE00010"}
    found = find_bulk_data(encoded, "54000100/1/54001010")
    assert found.read() == pydicom.dcmread(_path("waveform_ecg.dcm")).WaveformSequence[0].WaveformData
    assert found.read(10, 4) == found.read()[10:14]


@pytest.mark.parametrize(
    "path", ["", "../../x", "54000100/9/54001010", "00420011", "54000100/0/54001010", "54000100"]
)
def test_bulk_data_that_is_not_there_is_not_found(bundled: Bundled, path: str) -> None:
    with pytest.raises(NotFound):
        find_bulk_data(bundled("waveform_ecg.dcm"), path)


def test_the_json_of_an_instance_is_read_back_to_the_same_data_set(bundled: Bundled) -> None:
    for name in ("CT_small.dcm", "test-SR.dcm", "chrH32.dcm", "reportsi.dcm"):
        ours = written(bundled(name), inline_up_to=100_000)

        back = data_set_of_json(ours, lambda _: b"")

        assert _comparable(data_set_json(back, lambda path: path, inline_up_to=100_000)) == _comparable(ours)


def test_bulk_data_is_fetched_by_its_uri_when_json_is_read() -> None:
    json_data_set = {"00420011": {"vr": "OB", "BulkDataURI": "part-2"}}

    back = data_set_of_json(json_data_set, {"part-2": b"%PDF"}.__getitem__)

    assert back.EncapsulatedDocument == b"%PDF"


@pytest.mark.parametrize(
    "json_data_set",
    [
        [],
        {"00100010": "text"},
        {"00100010": {}},
        {"hello": {"vr": "PN"}},
        {"00100010": {"vr": "QQ", "Value": ["x"]}},
        {"00081140": {"vr": "SQ", "Value": ["x"]}},
        {"00420011": {"vr": "OB", "InlineBinary": 7}},
    ],
)
def test_json_that_is_no_data_set_is_refused(json_data_set: Any) -> None:
    with pytest.raises(Invalid):
        data_set_of_json(json_data_set)


def test_json_nested_without_end_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(200):
        nested = {"00081140": {"vr": "SQ", "Value": [nested]}}

    with pytest.raises(Invalid, match="deeper"):
        data_set_of_json(nested)


def _path(name: str) -> str:
    return str(next(path for path in bundled_files() if path.name == name))


def _comparable(json_data_set: dict[str, Any]) -> dict[str, Any]:
    """Set aside where the two may differ: padding, how empty is written, and what each puts in bulk."""
    return {
        tag: _comparable_attribute(attribute)
        for tag, attribute in json_data_set.items()
        if not tag.endswith("0000") and tag not in {"FFFCFFFC", "7FE00010"}
    }


def _comparable_attribute(attribute: dict[str, Any]) -> dict[str, Any]:
    if "InlineBinary" in attribute or "BulkDataURI" in attribute:
        return {"vr": str(attribute["vr"]), "binary": True}
    values = [_comparable_value(value, attribute["vr"]) for value in attribute.get("Value") or []]
    return {"vr": str(attribute["vr"]), "Value": values if any(value is not None for value in values) else []}


def _comparable_value(value: Any, vr: str) -> Any:
    if vr == "SQ":
        return _comparable(value)
    if isinstance(value, str):
        return value.strip() or None
    return value if value != {} else None
