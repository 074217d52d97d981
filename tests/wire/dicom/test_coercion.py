"""Objects on their way out: the person as known now, the received values beside it, the pixels untouched."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import UNIDENTIFIED, Demographics, PatientRecord
from hilum.wire.dicom.coercion import CoercedObject, coerced
from hilum.wire.dicom.coercion_json import coerced_metadata
from hilum.wire.dicom.json_model import instance_json
from hilum.wire.dicom.part10 import read_file_meta

Encode = Callable[..., bytes]
SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]

THEN = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
DOE = PatientRecord(
    key=1, public_id="a" * 32, identifier=Identifier("P2", "HOSP"),
    demographics=Demographics(name="Doe^John", birth_date="19700102", sex="M"),
    survivor_key=None, root_key=1, authoritative=True, version=1, created=THEN, updated=THEN,
)  # fmt: skip


def named(name: str) -> PatientRecord:
    return replace(DOE, demographics=replace(DOE.demographics, name=name))


def written(outgoing: CoercedObject) -> bytes:
    octets = b"".join(outgoing.chunks())
    assert outgoing.size in {None, len(octets)}
    return octets


def shown(file: bytes, patient: PatientRecord, received_from: str = "CT1") -> Dataset:
    return dcmread(BytesIO(written(coerced(BytesIO(file), patient, received_from))))


@pytest.fixture
def image(instance: Dataset) -> Dataset:
    """Return an image of a patient who turned out to be John Doe."""
    instance.PatientName, instance.PatientID, instance.PatientSex = "Smith^Jon", "P1", "O"
    instance.AccessionNumber = "A1"
    instance.InstitutionName = "Hospital"
    inner = Dataset()
    inner.CodeMeaning = "Head"
    instance.ProcedureCodeSequence = [inner]
    instance.Rows, instance.Columns, instance.BitsAllocated, instance.PixelRepresentation = 2, 2, 8, 0
    instance.BitsStored, instance.HighBit, instance.SamplesPerPixel = 8, 7, 1
    instance.PhotometricInterpretation = "MONOCHROME2"
    instance.add_new(0x7FE00010, "OB", b"\x01\x02\x03\x04")
    return instance


@pytest.mark.parametrize("uid", SYNTAXES)
def test_the_person_is_shown_and_the_received_values_are_kept(
    image: Dataset, encode: Encode, uid: str
) -> None:
    received = encode(image, uid)

    outgoing = shown(received, DOE)

    assert (outgoing.PatientName, outgoing.PatientID, outgoing.IssuerOfPatientID) == (
        "Doe^John",
        "P2",
        "HOSP",
    )
    assert (outgoing.PatientBirthDate, outgoing.PatientSex) == ("19700102", "M")
    original = outgoing.OriginalAttributesSequence[0]
    previous = original.ModifiedAttributesSequence[0]
    assert (previous.PatientName, previous.PatientID, previous.PatientSex) == ("Smith^Jon", "P1", "O")
    assert previous["IssuerOfPatientID"].is_empty
    assert previous["PatientBirthDate"].is_empty
    assert original.ModifyingSystem == "HILUM"
    assert original.SourceOfPreviousValues == "CT1"
    assert original.ReasonForTheAttributeModification == "COERCE"
    assert original.AttributeModificationDateTime == "20240506070809.000010+0000"


@pytest.mark.parametrize("uid", SYNTAXES)
def test_everything_else_is_as_it_was(image: Dataset, encode: Encode, uid: str) -> None:
    received = encode(image, uid)
    before = dcmread(BytesIO(received))

    outgoing = shown(received, DOE)

    changed = {
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
        "OriginalAttributesSequence",
    }
    assert {e.tag: e for e in outgoing if e.keyword not in changed} == {
        e.tag: e for e in before if e.keyword not in changed
    }
    assert outgoing.file_meta == before.file_meta


def test_the_same_object_is_coerced_to_the_same_bytes(image: Dataset, encode: Encode) -> None:
    received = encode(image)

    assert written(coerced(BytesIO(received), DOE)) == written(coerced(BytesIO(received), DOE))


@pytest.mark.parametrize("uid", SYNTAXES)
def test_what_agrees_passes_untouched(image: Dataset, encode: Encode, uid: str) -> None:
    image.PatientName, image.PatientID, image.IssuerOfPatientID = "Doe^John^^^", "P2", "HOSP"
    image.PatientBirthDate, image.PatientSex = "19700102", "M"
    received = encode(image, uid)

    outgoing = coerced(BytesIO(received), DOE)

    assert not outgoing.changed
    assert written(outgoing) == received


class CountingFile(BytesIO):
    """A file that knows how much of it was read."""

    octets_read = 0

    def read(self, size: int | None = -1) -> bytes:
        chunk = super().read(size)
        self.octets_read += len(chunk)
        return chunk


def test_neither_deciding_nor_splicing_reads_the_pixels(image: Dataset, encode: Encode) -> None:
    image.PixelData = bytes(8 << 20)
    file = CountingFile(encode(image))

    outgoing = coerced(file, DOE)

    assert outgoing.changed
    assert file.octets_read < 256 << 10


def test_the_data_set_alone_is_what_a_store_sends(image: Dataset, encode: Encode) -> None:
    received = encode(image)
    outgoing = coerced(BytesIO(received), DOE)

    alone = b"".join(outgoing.chunks(data_set_only=True))

    assert written(outgoing) == received[: read_file_meta(received).data_set_offset] + alone


def test_what_is_not_known_of_the_person_never_erases(image: Dataset, encode: Encode) -> None:
    image.PatientBirthDate = "19600101"
    nobody = replace(DOE, identifier=Identifier("P1"), demographics=Demographics())

    assert not coerced(BytesIO(encode(image)), nobody).changed


def test_an_issuer_that_was_left_out_is_no_difference_by_itself(image: Dataset, encode: Encode) -> None:
    same = replace(DOE, identifier=Identifier("P1", "HOSP"), demographics=Demographics(name="Smith^Jon"))

    assert not coerced(BytesIO(encode(image)), same).changed


def test_another_identifier_never_stands_beside_the_issuer_of_the_first(
    image: Dataset, encode: Encode
) -> None:
    qualifiers = Dataset()
    qualifiers.UniversalEntityID, qualifiers.UniversalEntityIDType = "1.2.3.4", "ISO"
    image.IssuerOfPatientID, image.IssuerOfPatientIDQualifiersSequence = "ELSEWHERE", [qualifiers]
    unissued = replace(DOE, identifier=Identifier("P2"))

    outgoing = shown(encode(image), unissued)

    assert outgoing.PatientID == "P2"
    assert outgoing["IssuerOfPatientID"].is_empty
    assert "IssuerOfPatientIDQualifiersSequence" not in outgoing
    previous = outgoing.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert previous.IssuerOfPatientID == "ELSEWHERE"
    assert previous.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.3.4"


def test_an_issuer_told_by_its_qualifiers_is_the_same_issuer(image: Dataset, encode: Encode) -> None:
    qualifiers = Dataset()
    qualifiers.UniversalEntityID, qualifiers.UniversalEntityIDType = "1.2.3.4", "ISO"
    image.IssuerOfPatientIDQualifiersSequence = [qualifiers]
    same = replace(DOE, identifier=Identifier("P1", "1.2.3.4"), demographics=Demographics())

    assert not coerced(BytesIO(encode(image)), same).changed


def test_the_identifier_of_an_unidentified_record_is_not_shown(image: Dataset, encode: Encode) -> None:
    del image.PatientID
    nobody = replace(DOE, identifier=Identifier("1.2.3", UNIDENTIFIED))

    outgoing = shown(encode(image), nobody)

    assert "PatientID" not in outgoing
    assert "IssuerOfPatientID" not in outgoing


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("undefined", [True, False])
def test_earlier_original_attributes_stay(image: Dataset, encode: Encode, uid: str, undefined: bool) -> None:
    earlier = Dataset()
    earlier.ModifyingSystem = "SOMEBODY"
    image.OriginalAttributesSequence = [earlier]
    image["OriginalAttributesSequence"].is_undefined_length = undefined

    outgoing = shown(encode(image, uid), DOE)

    assert [item.ModifyingSystem for item in outgoing.OriginalAttributesSequence] == ["SOMEBODY", "HILUM"]
    assert outgoing.pixel_array.tolist() == [[1, 2], [3, 4]]


def test_original_attributes_hidden_in_vr_un_stay(image: Dataset, encode: Encode) -> None:
    plain = encode(image)
    hidden = b"\x00\x04\x61\x05UN\0\0\x18\0\0\0\xfe\xff\x00\xe0\x10\0\0\0\x00\x04\x63\x05\x08\0\0\0SOMEBODY"
    at = plain.index(b"\xe0\x7f\x10\x00OB")

    outgoing = shown(plain[:at] + hidden + plain[at:], DOE)

    assert [item.ModifyingSystem for item in outgoing.OriginalAttributesSequence] == ["SOMEBODY", "HILUM"]
    previous = outgoing.OriginalAttributesSequence[1].ModifiedAttributesSequence[0]
    assert previous.PatientName == "Smith^Jon"


def test_lengths_that_would_be_wrong_are_left_out(image: Dataset, encode: Encode) -> None:
    plain = encode(image, ImplicitVRLittleEndian)
    offset = read_file_meta(plain).data_set_offset
    patient_group = plain.index(b"\x10\x00\x10\x00", offset)
    group_8 = b"\x08\x00\x00\x00\x04\0\0\0\xff\0\0\0" + b"\x08\x00\x01\x00\x04\0\0\0\xff\0\0\0"
    group_10 = b"\x10\x00\x00\x00\x04\0\0\0\x20\0\0\0"

    outgoing = shown(
        plain[:offset] + group_8 + plain[offset:patient_group] + group_10 + plain[patient_group:], DOE
    )

    assert not {0x00080000, 0x00080001, 0x00100000} & set(outgoing.keys())
    assert outgoing.PatientID == "P2"
    assert outgoing.AccessionNumber == "A1"


def test_encapsulated_pixels_are_not_touched(image: Dataset, encode: Encode) -> None:
    image.PixelData = encapsulate([b"\x00" * 64 + b"\x01\x02"])
    image["PixelData"].is_undefined_length = True

    outgoing = shown(encode(image, RLELossless), DOE)

    assert outgoing.PixelData == image.PixelData
    assert outgoing.PatientID == "P2"


CHARACTER_SETS = [
    ("ISO_IR 100", "Müller^Jörg"),
    ("ISO_IR 144", "Иванов^Иван"),
    ("ISO_IR 127", "قباني^لنزار"),
    ("ISO_IR 192", "山田^太郎"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("GB18030", "王^小东"),
]


@pytest.mark.parametrize(("terms", "name"), CHARACTER_SETS)
def test_a_name_that_the_character_set_holds_leaves_it_alone(
    image: Dataset, encode: Encode, terms: str | list[str], name: str
) -> None:
    image.SpecificCharacterSet = terms

    outgoing = shown(encode(image), named(name))

    assert outgoing.SpecificCharacterSet == terms
    assert str(outgoing.PatientName) == name


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("name", [name for _, name in CHARACTER_SETS])
def test_a_name_beyond_an_ascii_object_makes_it_utf_8(
    image: Dataset, encode: Encode, uid: str, name: str
) -> None:
    outgoing = shown(encode(image, uid), named(name))

    assert outgoing.SpecificCharacterSet == "ISO_IR 192"
    assert str(outgoing.PatientName) == name
    assert outgoing.pixel_array.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("uid", SYNTAXES)
def test_a_name_beyond_another_character_set_transcodes_all_text(
    image: Dataset, encode: Encode, uid: str
) -> None:
    image.SpecificCharacterSet = "ISO_IR 100"
    image.InstitutionName = "Klinikum Köln"
    image.ReferringPhysicianName = "Müller^Jörg"
    image.PatientName = "Jäger"
    image.ProcedureCodeSequence[0].CodeMeaning = "Schädel"

    outgoing = shown(encode(image, uid), named("山田^太郎"))

    assert outgoing.SpecificCharacterSet == "ISO_IR 192"
    assert str(outgoing.PatientName) == "山田^太郎"
    assert outgoing.InstitutionName == "Klinikum Köln"
    assert str(outgoing.ReferringPhysicianName) == "Müller^Jörg"
    assert outgoing.ProcedureCodeSequence[0].CodeMeaning == "Schädel"
    previous = outgoing.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert str(previous.PatientName) == "Jäger"
    assert outgoing.pixel_array.tolist() == [[1, 2], [3, 4]]


def test_undeclared_text_is_transcoded_as_it_is_read(image: Dataset, encode: Encode) -> None:
    plain = encode(image)
    undeclared = plain.replace(b"Hospital", "Köln1234".encode("latin-1"))

    outgoing = shown(undeclared, named("山田^太郎"))

    assert outgoing.InstitutionName == "Köln1234"


def test_the_surviving_alphabetic_name_does_not_erase_the_ideographic_one(
    image: Dataset, encode: Encode
) -> None:
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientName, image.PatientID = "Yamada^Tarou=山田^太郎", "P2"
    image.PatientBirthDate, image.PatientSex = "19700102", "M"

    assert not coerced(BytesIO(encode(image)), named("Yamada^Tarou")).changed


@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\\=^ "),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_name_is_read_back_as_it_was_written(name: str) -> None:
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID, data_set.PatientName = "1.2", "1.2.3", "Müller"
    data_set.SpecificCharacterSet = "ISO_IR 100"
    file = BytesIO()
    data_set.save_as(file, implicit_vr=False, little_endian=True)

    from pydicom.filereader import read_dataset

    octets = b"".join(coerced(BytesIO(file.getvalue()), named(name)).chunks(data_set_only=True))
    assert str(read_dataset(BytesIO(octets), False, True).PatientName) == name


def test_real_files_keep_their_pixels(bundled: Callable[[str], bytes]) -> None:
    for file in (
        "CT_small.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "JPEG2000.dcm",
        "reportsi.dcm",
        "rtplan.dcm",
    ):
        received = bundled(file)

        outgoing = dcmread(BytesIO(written(coerced(BytesIO(received), named("山田^太郎")))))

        before = dcmread(BytesIO(received))
        assert str(outgoing.PatientName) == "山田^太郎"
        assert digest(outgoing) == digest(before)
        assert {e.tag for e in before if e.tag.group > 0x18} <= {e.tag for e in outgoing}


def digest(data_set: Dataset) -> str:
    return sha256(data_set.get("PixelData", b"")).hexdigest()


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize(
    "option", ["--write-xfer-implicit", "--write-xfer-big", "--write-xfer-deflated", "--length-undefined"]
)
def test_dcmtk_reads_what_goes_out(tmp_path: Path, bundled: Callable[[str], bytes], option: str) -> None:
    (tmp_path / "original.dcm").write_bytes(bundled("CT_small.dcm"))
    subprocess.run(["dcmconv", option, tmp_path / "original.dcm", tmp_path / "other.dcm"], check=True)
    received = (tmp_path / "other.dcm").read_bytes()

    (tmp_path / "outgoing.dcm").write_bytes(written(coerced(BytesIO(received), named("山田^太郎"))))

    dump = subprocess.run(["dcmdump", tmp_path / "outgoing.dcm"], capture_output=True, check=True)
    assert dump.stderr == b""
    assert "[山田^太郎]".encode() in dump.stdout
    assert b"(0400,0565) CS [COERCE]" in dump.stdout


def test_metadata_shows_the_person_as_the_object_does(image: Dataset, encode: Encode) -> None:
    earlier = Dataset()
    earlier.ModifyingSystem = "SOMEBODY"
    image.OriginalAttributesSequence = [earlier]
    received = encode(image)
    metadata = instance_json(received, lambda path: path)

    outgoing = coerced_metadata(metadata, named("山田^太郎"), "CT1")

    file: BinaryIO = BytesIO(written(coerced(BytesIO(received), named("山田^太郎"), "CT1")))
    of_object = instance_json(file, lambda path: path)
    assert of_object.pop("00080005")["Value"] == ["ISO_IR 192"]
    assert outgoing == of_object
    assert metadata["00100020"]["Value"] == ["P1"]


def test_metadata_that_agrees_is_the_same_object(image: Dataset, encode: Encode) -> None:
    metadata = instance_json(encode(image), lambda path: path)
    same = replace(DOE, identifier=Identifier("P1"), demographics=Demographics(name="Smith^Jon"))

    assert coerced_metadata(metadata, same) is metadata
