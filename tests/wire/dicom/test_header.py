import zlib
from io import BytesIO
from pathlib import Path
from struct import pack

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hilum.core.kernel.errors import HilumError, Invalid
from hilum.wire.dicom.archive_header import indexed_header
from hilum.wire.dicom.attributes import attribute_texts, check_complete
from hilum.wire.dicom.header import Issuer, PatientIdentifier, read_header
from hilum.wire.dicom.part10 import file_meta_bytes, read_file_meta

from .conftest import Bundled, Encode, bundled_files

SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"]
TEXTS = {
    "patient_id": "PatientID",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
    "accession_number": "AccessionNumber",
    "study_id": "StudyID",
    "study_description": "StudyDescription",
    "modality": "Modality",
    "series_description": "SeriesDescription",
    "body_part_examined": "BodyPartExamined",
    "protocol_name": "ProtocolName",
    "station_name": "StationName",
    "manufacturer": "Manufacturer",
    "institution_name": "InstitutionName",
    "sop_class_uid": "SOPClassUID",
    "sop_instance_uid": "SOPInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_every_bundled_file_scans_to_what_pydicom_reads_or_is_refused_with_a_reason(path: Path) -> None:
    try:
        header = read_header(path.read_bytes())
    except Invalid:
        return

    read = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    for name, keyword in TEXTS.items():
        assert getattr(header, name) == str(read.get(keyword) or "").strip(), keyword
    assert header.patient_name.rstrip("=") == str(read.get("PatientName") or "").rstrip("= ")
    assert (header.rows, header.columns) == (read.get("Rows"), read.get("Columns"))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_each_encoding_of_a_data_set_gives_the_same_header(
    instance: Dataset, encode: Encode, syntax: str
) -> None:
    step, request, issuer = Dataset(), Dataset(), Dataset()
    step.ReferencedSOPClassUID, step.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.3", "1.2.9"
    issuer.LocalNamespaceEntityID = "RIS"
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "RP1", "SPS1"
    request.AccessionNumber, request.IssuerOfAccessionNumberSequence = "A1", Sequence([issuer])
    instance.ReferencedPerformedProcedureStepSequence = Sequence([step])
    instance.RequestAttributesSequence = Sequence([request])
    instance.IssuerOfPatientID, instance.Rows, instance.SeriesNumber = "HOSPITAL", 512, 7
    instance.SpecificCharacterSet, instance.PatientName = "ISO_IR 192", "Müller^Änne"
    instance.PixelData, instance.BitsAllocated = b"\0" * 64, 16
    instance["PixelData"].VR = "OW"

    header = read_header(encode(instance, syntax))

    assert header.patient_name == "Müller^Änne"
    assert header.issuer_of_patient_id == Issuer("HOSPITAL")
    assert (header.rows, header.series_number) == (512, 7)
    assert header.referenced_performed_procedure_step_uid == "1.2.9"
    assert header.request_attributes[0].requested_procedure_id == "RP1"
    assert header.request_attributes[0].issuer_of_accession_number == Issuer("RIS")
    assert indexed_header(header).accession_number == "A1"
    assert indexed_header(header).issuer_of_accession_number == "RIS"


@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_of_defined_and_undefined_length_are_stepped_over(
    instance: Dataset, encode: Encode, undefined: bool
) -> None:
    inner, outer = Dataset(), Dataset()
    inner.PatientID = "not the patient"
    outer.PatientID = "nor this"
    outer.ReferencedImageSequence = Sequence([inner])
    instance.ReferencedImageSequence = Sequence([outer])
    for sequence in (instance["ReferencedImageSequence"], outer["ReferencedImageSequence"]):
        sequence.is_undefined_length = undefined
    outer.is_undefined_length_sequence_item = undefined

    assert read_header(encode(instance)).patient_id == "P1"


def test_other_patient_ids_come_from_the_sequence_or_the_retired_attribute(
    instance: Dataset, encode: Encode
) -> None:
    instance.add_new("OtherPatientIDs", "LO", ["OLD1", "OLD2"])
    retired = read_header(encode(instance)).other_patient_ids
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "X9", "CLINIC"
    instance.OtherPatientIDsSequence = Sequence([other])

    current = read_header(encode(instance)).other_patient_ids

    assert retired == (PatientIdentifier("OLD1"), PatientIdentifier("OLD2"))
    assert current == (PatientIdentifier("X9", Issuer("CLINIC")),)


@pytest.mark.parametrize(
    "uid",
    ["../../etc/passwd", "1.2/3", "1.2.a", "1." + "2" * 300, "1..2", ".1.2", "1.2.", "1.2\\1.3", "1.2\n3"],
)
@pytest.mark.parametrize(
    "keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"]
)
def test_what_is_no_uid_is_refused_by_the_name_of_its_attribute(
    instance: Dataset, uid: str, keyword: str
) -> None:
    encoded = _with_raw_uid(instance, keyword, uid.encode())

    with pytest.raises(Invalid, match=r"UID \([0-9A-F,]+\) is not a UID"):
        read_header(encoded)


def test_a_missing_uid_is_named(instance: Dataset, encode: Encode) -> None:
    del instance.SeriesInstanceUID

    with pytest.raises(Invalid, match=r"Series Instance UID \(0020,000E\) is missing"):
        read_header(encode(instance))


def test_a_uid_component_with_a_leading_zero_is_let_through(instance: Dataset) -> None:
    assert (
        read_header(_with_raw_uid(instance, "StudyInstanceUID", b"1.2.03\0")).study_instance_uid == "1.2.03"
    )


def test_a_value_loses_control_characters_and_what_is_beyond_the_limit(instance: Dataset) -> None:
    raw = b"A\x00B\nC" + b"x" * 5000

    header = read_header(_with_raw_uid(instance, "PatientID", raw))

    assert header.patient_id.startswith("ABCx")
    assert len(header.patient_id) == 1024


def test_numbers_that_are_none_and_old_dates_do_not_cost_the_image(instance: Dataset) -> None:
    encoded = _raw(
        instance, {"SeriesNumber": b"seven ", "InstanceNumber": b"99999999999 ", "StudyDate": b"1997.04.24"}
    )

    header = read_header(encoded)

    assert (header.series_number, header.instance_number, header.study_date) == (None, None, "19970424")


def test_a_length_that_lies_is_refused_with_tag_and_offset(instance: Dataset, encode: Encode) -> None:
    whole = bytearray(encode(instance))
    at = whole.index(b"\x10\x00\x20\x00LO")
    whole[at + 6 : at + 8] = b"\xff\x7f"

    with pytest.raises(Invalid, match=r"truncated.*\(0010,0020\) at byte \d+"):
        read_header(bytes(whole))


def test_an_item_longer_than_its_sequence_is_refused(instance: Dataset) -> None:
    sequence = (
        b"\x08\x00\x11\x11SQ\0\0"
        + pack("<I", 16)
        + b"\xfe\xff\x00\xe0"
        + pack("<I", 3_000_000_000)
        + bytes(8)
    )

    with pytest.raises(Invalid, match=r"longer than sequence \(0008,1111\)"):
        read_header(_prefixed(instance, sequence))


def test_sequences_nested_without_end_are_refused(instance: Dataset) -> None:
    head = b"\x08\x00\x11\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"

    with pytest.raises(Invalid, match="nested deeper than 64"):
        read_header(_prefixed(instance, head * 5000))


def test_elements_without_end_are_refused(instance: Dataset) -> None:
    with pytest.raises(Invalid, match="too many elements"):
        read_header(_prefixed(instance, b"\x08\x00\x08\x00CS\x00\x00" * 300_000))


def test_a_deflated_bomb_is_refused_before_it_unfolds() -> None:
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = b"\x08\x00\x08\x00UN\x00\x00\x00\x00\x00\xf0" + bytes(40 << 20)
    deflated = deflater.compress(bomb) + deflater.flush()

    with pytest.raises(Invalid, match="inflates to more than"):
        read_header(file_meta_bytes("1.2", "1.2.3", SYNTAXES[2]) + deflated)


def test_pixels_are_never_read_for_a_header(instance: Dataset, encode: Encode) -> None:
    instance.PixelData, instance.BitsAllocated = b"\0" * 4_000_000, 16
    instance["PixelData"].VR = "OW"
    source = _Counting(encode(instance))

    read_header(source)

    assert source.octets < 100_000


def test_an_explicit_data_set_that_was_declared_implicit_is_read_all_the_same(
    instance: Dataset, encode: Encode
) -> None:
    whole = encode(instance)
    data_set = whole[read_file_meta(whole).data_set_offset :]

    header = read_header(file_meta_bytes("1.2", "1.2.3", SYNTAXES[0]) + data_set)

    assert header.patient_id == "P1"


def test_a_dicomdir_is_told_from_an_instance(bundled: Bundled) -> None:
    with pytest.raises(Invalid, match="DICOMDIR"):
        read_header(bundled("DICOMDIR"))


def test_an_object_that_ends_inside_its_pixels_is_not_complete(bundled: Bundled) -> None:
    check_complete(bundled("MR_small.dcm"))
    encapsulated = bundled("JPEG2000.dcm")
    check_complete(encapsulated)

    for truncated in (bundled("MR_truncated.dcm"), encapsulated[:-600], bundled("rtplan_truncated.dcm")):
        with pytest.raises(Invalid, match="truncated"):
            check_complete(truncated)


def test_attributes_are_found_by_keyword_and_by_tag_as_text(bundled: Bundled) -> None:
    found = attribute_texts(
        bundled("CT_small.dcm"),
        ["Modality", "StationName", "Rows", "00180060", "(0008,0070)", "ImageType", "PatientComments"],
    )

    assert found == {
        "Modality": "CT",
        "StationName": "CT01_OC0",
        "Rows": "128",
        "00180060": "120",
        "(0008,0070)": "GE MEDICAL SYSTEMS",
        "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
    }


@pytest.mark.parametrize(
    "keyword", ["NoSuchThing", "PixelData", "RequestAttributesSequence", "'; drop table--"]
)
def test_what_cannot_be_compared_as_text_cannot_be_asked_for(bundled: Bundled, keyword: str) -> None:
    with pytest.raises(HilumError):
        attribute_texts(bundled("CT_small.dcm"), [keyword])


class _Counting:
    """A source that counts what is read from it."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self.octets = 0

    def read_at(self, offset: int, size: int) -> bytes:
        read = self._encoded[offset : offset + size]
        self.octets += len(read)
        return read


def _with_raw_uid(instance: Dataset, keyword: str, value: bytes) -> bytes:
    return _raw(instance, {keyword: value})


def _raw(instance: Dataset, values: dict[str, bytes]) -> bytes:
    """Encode with values that no library would write."""
    elements = {int(element.tag): str(element.value).encode() for element in instance}
    elements |= {pydicom.datadict.tag_for_keyword(keyword): value for keyword, value in values.items()}
    encoded = b"".join(
        pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in sorted(elements.items())
    )
    return file_meta_bytes("1.2", "1.2.3", SYNTAXES[0]) + encoded


def _prefixed(instance: Dataset, encoded: bytes) -> bytes:
    """Put raw explicit elements before those of an instance."""
    whole = BytesIO()
    pydicom.dcmwrite(whole, instance, implicit_vr=False, little_endian=True)
    return file_meta_bytes("1.2", "1.2.3", SYNTAXES[1]) + encoded + whole.getvalue()
