"""The Native DICOM Model in XML: the JSON model in other clothes, and DCMTK's reading of it."""

import json
import subprocess
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.json_model import JsonDataSet, instance_json
from hilum.wire.dicom.xml_model import data_set_of_xml, data_set_xml

DATA = Path(pydicom.__file__).parent / "data" / "test_files"
OPEN = b'<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
CLOSE = b"</NativeDicomModel>"


def _same(data_set: JsonDataSet) -> Any:
    """Return what XML can keep: empty values at the end of an attribute have no number, nor have control characters."""
    text = json.dumps(data_set)
    return json.loads(text)


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "test-SR.dcm",
        "rtplan.dcm",
        "waveform_ecg.dcm",
        "MR_small_RLE.dcm",
        "priv_SQ.dcm",
    ],
)
def test_what_json_says_xml_says(name: str) -> None:
    path = next(iter([*DATA.rglob(name), *DATA.parent.rglob(name)]))
    as_json = instance_json(path.read_bytes(), lambda path: f"bulk/{path}")

    back = data_set_of_xml(data_set_xml(as_json))

    assert _same(back) == _same(as_json)


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm"])
def test_what_dcmtk_writes_is_read_alike(name: str) -> None:
    path = next(DATA.rglob(name))
    written = subprocess.run(
        ["/usr/bin/dcm2xml", "--native-format", str(path)], check=True, capture_output=True
    ).stdout
    own = instance_json(path.read_bytes(), lambda path: path)

    theirs = data_set_of_xml(written)

    plain = {"CS", "LO", "SH", "UI", "DA", "TM", "US", "PN", "UL", "FD"}
    compared = [tag for tag, one in own.items() if one["vr"] in plain and int(tag, 16) & 0x10000 == 0]
    assert len(compared) > 10
    assert {tag: theirs[tag] for tag in compared if tag != "00080005"} == {
        tag: own[tag] for tag in compared if tag != "00080005"
    }


def _values(vr: str) -> st.SearchStrategy[Any]:
    text = st.text(
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\x7f\ufffe\uffff").filter(_is_xml)
    )
    if vr == "PN":
        part = text.filter(lambda one: one and not set(one) & set("^="))
        return st.fixed_dictionaries({"Alphabetic": part}, optional={"Ideographic": part})
    if vr in {"US", "SL"}:
        return st.integers(0, 65535)
    return st.floats(allow_nan=False, allow_infinity=False) if vr == "FD" else text.filter(bool)


def _is_xml(character: str) -> bool:
    return character in "\t\n\r" or (ord(character) >= 32 and not 0x7F <= ord(character) <= 0x9F)


ATTRIBUTES = st.sampled_from(["LO", "UT", "PN", "US", "FD"]).flatmap(
    lambda vr: st.fixed_dictionaries(
        {"vr": st.just(vr), "Value": st.lists(_values(vr), min_size=1, max_size=3)}
    )
)
TAGS = st.integers(0x00100000, 0x7FDFFFFF).map(lambda tag: f"{tag & ~0x10000:08X}")
DATA_SETS = st.recursive(
    st.dictionaries(TAGS, ATTRIBUTES, max_size=4),
    lambda inner: st.dictionaries(
        TAGS,
        st.fixed_dictionaries({"vr": st.just("SQ"), "Value": st.lists(inner, min_size=1, max_size=3)}),
        max_size=3,
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(DATA_SETS)
def test_any_data_set_comes_back(data_set: JsonDataSet) -> None:
    assert data_set_of_xml(data_set_xml(data_set)) == data_set


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=400) | st.text(alphabet='<>/"= abNDVI&;[]!', max_size=200).map(str.encode))
def test_whatever_comes_is_read_or_invalid(document: bytes) -> None:
    for one in (document, OPEN + document + CLOSE):
        with suppress(Invalid):
            data_set_of_xml(one)


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + OPEN + CLOSE,
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + OPEN + CLOSE,
        b"<html/>",
        b"",
        OPEN + b"<Value/>" + CLOSE,
        OPEN + b'<DicomAttribute tag="00100010" vr="XX"/>' + CLOSE,
        OPEN + b'<DicomAttribute tag="../../x" vr="LO"/>' + CLOSE,
        OPEN
        + b'<DicomAttribute tag="00280010" vr="US"><Value number="1">many</Value></DicomAttribute>'
        + CLOSE,
        OPEN
        + b'<DicomAttribute tag="00100010" vr="LO"><Value number="99999999">x</Value></DicomAttribute>'
        + CLOSE,
        OPEN + b'<DicomAttribute tag="00100010" vr="LO"><Item/></DicomAttribute>' + CLOSE,
        OPEN + b'<DicomAttribute tag="00081140" vr="SQ"><Item>' * 200,
    ],
    ids=range(11),
)
def test_what_is_no_native_model_is_invalid(document: bytes) -> None:
    with pytest.raises(Invalid):
        data_set_of_xml(document)


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 1000 + b'"><!ENTITY b "' + b"&a;" * 1000 + b'">]><x>&b;</x>',
        OPEN + b'<DicomAttribute tag="00081140" vr="SQ"><Item>' * 5_000,
        OPEN + b'<DicomAttribute tag="00100010" vr="LO"/>' * 200_001 + CLOSE,
    ],
    ids=["entities", "depth", "count"],
)
def test_hostile_documents_cost_little(document: bytes) -> None:
    tracemalloc.start()
    began = time.process_time()

    with pytest.raises(Invalid):
        data_set_of_xml(document)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 10
    assert peak < 100 << 20


def test_private_attributes_keep_their_creator() -> None:
    named = b'<DicomAttribute tag="00090042" vr="LO" privateCreator="ACME"><Value number="1">x</Value></DicomAttribute>'

    read = data_set_of_xml(OPEN + named + CLOSE)

    assert read == {"00090010": {"vr": "LO", "Value": ["ACME"]}, "00091042": {"vr": "LO", "Value": ["x"]}}
    assert b'privateCreator="ACME"' in data_set_xml(read)
