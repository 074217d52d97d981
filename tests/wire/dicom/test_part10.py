from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.part10 import file_meta_bytes, read_file_meta

from .conftest import Bundled, Encode

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def test_what_is_written_before_a_data_set_makes_a_file_that_pydicom_reads(
    instance: Dataset, encode: Encode
) -> None:
    whole = encode(instance)
    data_set_bytes = whole[read_file_meta(whole).data_set_offset :]

    written = file_meta_bytes(CT, "1.2.3.4", EXPLICIT) + data_set_bytes

    read = pydicom.dcmread(BytesIO(written))
    assert read.file_meta.TransferSyntaxUID == EXPLICIT
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert "SourceApplicationEntityTitle" not in read.file_meta
    assert read.file_meta.FileMetaInformationVersion == b"\x00\x01"
    assert read.PatientID == "P1"


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.34"])
def test_what_is_written_is_read_back_and_ends_where_the_data_set_begins(uid: str) -> None:
    written = file_meta_bytes(CT, uid, EXPLICIT)

    meta = read_file_meta(written + b"\x08\x00\x05\x00CS\x00\x00")

    assert meta.media_storage_sop_instance_uid == uid
    assert meta.transfer_syntax_uid == EXPLICIT
    assert meta.data_set_offset == len(written)


@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        (b"", "empty"),
        (b"hello", "not a DICOM file"),
        (bytes(132), "not a DICOM file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(300), "not a DICOM file"),
        (bytes(128) + b"DICM", "Transfer Syntax"),
        (bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\x14\x001.2.840", "truncated"),
    ],
)
def test_what_is_no_dicom_file_is_refused_with_its_reason(encoded: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_file_meta(encoded)


def test_a_wrong_or_missing_group_length_does_not_move_the_data_set(bundled: Bundled) -> None:
    whole = bundled("CT_small.dcm")
    expected = read_file_meta(whole)
    wrong = whole[:140] + b"\x07\x00\x00\x00" + whole[144:]
    missing = whole[:132] + whole[144:]

    assert read_file_meta(wrong) == expected
    assert read_file_meta(missing).data_set_offset == expected.data_set_offset - 12


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("ExplVR_LitEndNoMeta.dcm", "1.2.840.10008.1.2.1"),
        ("ExplVR_BigEndNoMeta.dcm", "1.2.840.10008.1.2.2"),
        ("rtstruct.dcm", "1.2.840.10008.1.2"),
    ],
)
def test_a_data_set_without_preamble_is_recognised_in_its_encoding(
    bundled: Bundled, name: str, uid: str
) -> None:
    meta = read_file_meta(bundled(name))

    assert not meta.has_preamble
    assert (meta.transfer_syntax_uid, meta.data_set_offset) == (uid, 0)


def test_a_file_that_names_no_transfer_syntax_is_read_by_what_its_data_set_shows(
    instance: Dataset, encode: Encode
) -> None:
    whole = encode(instance, "1.2.840.10008.1.2")
    start = read_file_meta(whole).data_set_offset
    meta_group = b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01"

    meta = read_file_meta(bytes(128) + b"DICM" + meta_group + whole[start:])

    assert meta.transfer_syntax_uid == "1.2.840.10008.1.2"


def test_a_meta_group_without_preamble_and_length_is_read(instance: Dataset) -> None:
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = BytesIO()
    instance.save_as(written)

    meta = read_file_meta(written.getvalue())

    assert meta.transfer_syntax_uid == ExplicitVRLittleEndian
    assert not meta.has_preamble
    assert read_header(written.getvalue()).sop_instance_uid == "1.2.3.4"
