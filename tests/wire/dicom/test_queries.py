"""C-FIND, C-MOVE and C-GET identifiers, encoded by outside libraries, and what they come to mean."""

import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode as pynetdicom_encode

from hilum.core.archive.model import AnyOf, Between, Exact, Level, Wildcard
from hilum.core.archive.rules import KEYS, LEVELS
from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.data_sets import decoded
from hilum.wire.dicom.elements import DataSet
from hilum.wire.dicom.matching import match_of, time_span
from hilum.wire.dicom.queries import FindRequest, InformationModel, find_request, retrieve_request
from hilum.wire.dicom.query_attributes import TABLE, Attribute

STUDY, PATIENT = InformationModel.STUDY_ROOT, InformationModel.PATIENT_ROOT


def identifier(level: str | None = "STUDY", *, implicit: bool = True, **keys: object) -> DataSet:
    asked = Dataset()
    if level is not None:
        asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    encoded = pynetdicom_encode(asked, implicit, True)
    assert encoded is not None
    return decoded(encoded, ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


def find(level: str = "STUDY", model: InformationModel = STUDY, **keys: object) -> FindRequest:
    return find_request(identifier(level, **keys), model)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.keyword)
def test_the_table_agrees_with_the_dictionary_and_with_core(row: Attribute) -> None:
    from pydicom.datadict import dictionary_keyword, dictionary_VR

    assert dictionary_keyword(row.tag) == row.keyword
    assert dictionary_VR(row.tag) == row.vr
    assert not row.key or KEYS[row.key] == row.level


def test_every_key_that_core_matches_on_has_a_row() -> None:
    assert {row.key for row in TABLE if row.key} == set(KEYS) - {"study_date_time"}


@pytest.mark.parametrize(
    ("vr", "text", "match"),
    [
        ("LO", "", None),
        ("LO", "*", None),
        ("PN", "**", None),
        ("UI", "*", None),
        ("DA", "-", None),
        ("LO", "  AB1 ", Exact("AB1")),
        ("PN", "Doe^John^^^", Exact("Doe^John")),
        ("PN", "Yamada^Tarou=山田^太郎", Exact("Yamada^Tarou=山田^太郎")),
        ("PN", "*doe**", Wildcard("*doe*")),
        ("SH", "A?1", Wildcard("A?1")),
        ("CS", "CT", Exact("CT")),
        ("CS", "CT\\MR", AnyOf(("CT", "MR"))),
        ("UI", "1.2.3\0", Exact("1.2.3")),
        ("UI", "1.2\\1.3\\", AnyOf(("1.2", "1.3"))),
        ("UI", "1.2.*", Exact("1.2.*")),
        ("IS", " +07 ", Exact("7")),
        ("DA", "20240131", Exact("20240131")),
        ("DA", "2024.01.31", Exact("20240131")),
        ("DA", "20240101-20240131", Between("20240101", "20240131")),
        ("DA", "20240101-", Between("20240101", "")),
        ("DA", "-20240131", Between("", "20240131")),
        ("DA", "20240101 - 20240131", Between("20240101", "20240131")),
        ("TM", "10", Between("10", "105960.999999")),
        ("TM", "1015-1100", Between("1015", "110060.999999")),
        ("TM", "101530.5", Exact("101530.5")),
        ("TM", "10:15:30", Between("101530", "101530.999999")),
        ("TM", "-10", Between("", "105960.999999")),
    ],
)
def test_keys_match_as_the_standard_says(vr: str, text: str, match: object) -> None:
    assert match_of(vr, text, "Key") == match


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("DA", "2024-01-31"),
        ("DA", "202401"),
        ("DA", "20241301"),
        ("DA", "2024*"),
        ("DA", "20240101-20240131-"),
        ("TM", "25"),
        ("TM", "10*"),
        ("IS", "1?"),
        ("IS", "seven"),
        ("PN", "A*\\B*"),
    ],
)
def test_a_value_that_its_vr_cannot_match_is_invalid(vr: str, text: str) -> None:
    with pytest.raises(Invalid):
        match_of(vr, text, "Key")


@given(st.sampled_from(["PN", "LO", "UI", "DA", "TM", "IS", "CS"]), st.text(max_size=40))
@settings(max_examples=300)
def test_any_text_is_a_match_or_invalid(vr: str, text: str) -> None:
    try:
        match = match_of(vr, text, "Key")
    except Invalid:
        return

    assert match is None or isinstance(match, Exact | AnyOf | Wildcard | Between)


def test_a_time_span_reaches_to_the_end_of_what_is_left_out() -> None:
    assert time_span("1015", "Time") == ("1015", "101560.999999")


@pytest.mark.parametrize("implicit", [True, False])
def test_a_study_root_query_becomes_matches_and_return_keys(implicit: bool) -> None:
    asked = identifier(
        "STUDY",
        implicit=implicit,
        PatientName="DOE*",
        PatientID="P1 ",
        StudyDate="20240101-20241231",
        ModalitiesInStudy="CT",
        StudyInstanceUID="",
        NumberOfStudyRelatedInstances="",
    )

    request = find_request(asked, STUDY)

    assert request.query.level is Level.STUDY
    assert request.query.matches == {
        "patient_name": Wildcard("DOE*"),
        "patient_id": Exact("P1"),
        "study_date": Between("20240101", "20241231"),
        "modalities_in_study": Exact("CT"),
    }
    assert [key.attribute.keyword for key in request.keys if key.attribute] == [
        "StudyDate", "ModalitiesInStudy", "PatientName", "PatientID", "StudyInstanceUID",
        "NumberOfStudyRelatedInstances",
    ]  # fmt: skip
    assert not request.unsupported


def test_a_big_endian_identifier_is_read() -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.PatientID = "STUDY", "P1"
    encoded = pynetdicom_encode(asked, False, False)

    request = find_request(decoded(encoded or b"", ExplicitVRBigEndian), STUDY)

    assert request.query.matches == {"patient_id": Exact("P1")}


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        ("ISO_IR 192", "Ärzte^Jörg"),
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 144", "Люксембург"),
        ("ISO_IR 127", "قباني^لنزار"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "王^小东"),
    ],
)
def test_the_character_set_of_the_identifier_is_honoured(terms: str | list[str], name: str) -> None:
    request = find(SpecificCharacterSet=terms, PatientName=name)

    assert request.query.matches == {"patient_name": Exact(name)}
    assert request.character_set == tuple([terms] if isinstance(terms, str) else terms)


@pytest.mark.parametrize(
    ("model", "level"),
    [
        (STUDY, "PATIENT"),
        (STUDY, ""),
        (STUDY, "INSTANCE"),
        (PATIENT, None),
        (InformationModel.PATIENT_STUDY_ONLY, "SERIES"),
    ],
)
def test_a_missing_or_wrong_level_is_invalid(model: InformationModel, level: str | None) -> None:
    with pytest.raises(Invalid, match="QueryRetrieveLevel"):
        find_request(identifier(level, PatientID="P1"), model)


@pytest.mark.parametrize(
    ("model", "level", "keys", "missing"),
    [
        (STUDY, "SERIES", {}, "StudyInstanceUID"),
        (STUDY, "SERIES", {"StudyInstanceUID": ["1.2", "1.3"]}, "StudyInstanceUID"),
        (STUDY, "IMAGE", {"StudyInstanceUID": "1.2"}, "SeriesInstanceUID"),
        (PATIENT, "STUDY", {"StudyInstanceUID": "1.2"}, "PatientID"),
        (PATIENT, "STUDY", {"PatientID": "P*"}, "PatientID"),
    ],
)
def test_a_hierarchical_query_names_one_entity_of_each_level_above(
    model: InformationModel, level: str | None, keys: dict[str, object], missing: str
) -> None:
    with pytest.raises(Invalid, match=missing):
        find_request(identifier(level, **keys), model)


def test_date_and_time_are_one_range_where_that_was_negotiated() -> None:
    asked = identifier(StudyDate="20240101-20240103", StudyTime="10-1830")

    request = find_request(asked, STUDY, date_time=True)

    assert request.query.matches == {"study_date_time": Between("2024010110", "20240103183060.999999")}


def test_a_relational_query_need_not_name_the_levels_above() -> None:
    request = find_request(identifier("IMAGE", SOPInstanceUID="1.2.3"), STUDY, relational=True)

    assert request.query.matches == {"sop_instance_uid": Exact("1.2.3")}


def test_keys_below_the_level_match_nothing_and_are_answered_empty() -> None:
    request = find("STUDY", Modality="CT", SeriesDescription="")

    assert request.query.matches == {}
    assert [key.attribute for key in request.keys] == [None, None]
    assert request.unsupported


def test_unknown_private_and_sequence_keys_are_answered_and_never_an_error() -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.ProcedureCodeSequence = [Dataset()]
    asked.PatientComments = "x"
    asked.add_new(0x00090010, "LO", "SOMEBODY")
    asked.add_new(0x00091001, "LO", "x")
    asked.add_new(0x00280106, "US", 0)
    encoded = pynetdicom_encode(asked, True, True)

    request = find_request(decoded(encoded or b"", ImplicitVRLittleEndian), STUDY)

    assert [key.tag for key in request.keys] == [0x00081032, 0x00090010, 0x00091001, 0x00104000, 0x00280106]
    assert request.query.matches == {}


def test_group_lengths_are_no_keys() -> None:
    group_length = b"\x08\x00\x00\x00\x04\x00\x00\x00\x10\x00\x00\x00"
    level = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY "

    request = find_request(decoded(group_length + level, ImplicitVRLittleEndian), STUDY)

    assert request.keys == ()


def test_a_key_inside_request_attributes_is_matched() -> None:
    item = Dataset()
    item.RequestedProcedureID = "RP1"

    request = find("SERIES", StudyInstanceUID="1.2", RequestAttributesSequence=[item])

    assert request.query.matches["requested_procedure_id"] == Exact("RP1")


def test_the_issuer_of_an_accession_number_is_matched() -> None:
    item = Dataset()
    item.LocalNamespaceEntityID = "HOSP"

    request = find(IssuerOfAccessionNumberSequence=[item])

    assert request.query.matches == {"issuer_of_accession_number": Exact("HOSP")}


def test_keys_of_the_wrong_kind_match_nothing_and_do_not_raise() -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.add_new(0x00100010, "SQ", [Dataset()])
    asked.add_new(0x00100020, "US", 7)
    asked.add_new(0x0020000D, "OB", b"\xff\x00")
    encoded = pynetdicom_encode(asked, False, True)

    request = find_request(decoded(encoded or b"", ExplicitVRLittleEndian), STUDY)

    assert request.query.matches["patient_id"] == Exact("7")
    assert "patient_name" not in request.query.matches


def test_ten_thousand_keys_are_refused() -> None:
    keys = b"".join(b"\x11\x00" + number.to_bytes(2, "little") + bytes(4) for number in range(0x1000, 0x3710))
    level = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY "

    with pytest.raises(Invalid, match="10001 keys"):
        find_request(decoded(level + keys, ImplicitVRLittleEndian), STUDY)


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes_are_an_identifier_or_invalid(octets: bytes) -> None:
    for uid in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        try:
            request = find_request(decoded(octets, uid), STUDY)
        except Invalid:
            continue
        assert request.query.level in LEVELS


def test_a_retrieve_takes_a_list_at_its_own_level() -> None:
    asked = identifier(
        "IMAGE", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3", SOPInstanceUID=["1.4", "1.5"]
    )

    query = retrieve_request(asked, STUDY)

    assert query.level is Level.INSTANCE
    assert query.matches["sop_instance_uid"] == AnyOf(("1.4", "1.5"))


def test_a_retrieve_of_two_thousand_images_keeps_them_all() -> None:
    uids = [f"1.2.840.99999.{number}" for number in range(2000)]
    asked = identifier("IMAGE", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3", SOPInstanceUID=uids)

    query = retrieve_request(asked, STUDY)

    assert query.matches["sop_instance_uid"] == AnyOf(tuple(uids))


@pytest.mark.parametrize("value", ["", "*"])
def test_a_retrieve_of_everything_is_refused(value: str) -> None:
    level = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY "
    study = b"\x20\x00\x0d\x00\x02\x00\x00\x00" + value.encode().ljust(2)

    with pytest.raises(Invalid, match="StudyInstanceUID"):
        retrieve_request(decoded(level + study, ImplicitVRLittleEndian), STUDY)


def test_a_patient_root_retrieve_names_the_patient() -> None:
    query = retrieve_request(identifier("STUDY", PatientID="P1", StudyInstanceUID="1.2"), PATIENT)

    assert query.matches == {"patient_id": Exact("P1"), "study_instance_uid": Exact("1.2")}


def test_a_truncated_identifier_is_invalid() -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.PatientName = "STUDY", "DOE^JOHN"
    encoded = BytesIO(pynetdicom_encode(asked, True, True) or b"").getvalue()

    with pytest.raises(Invalid, match="truncated"):
        decoded(encoded[:-3], ImplicitVRLittleEndian)


@pytest.mark.needs("dcmtk")
def test_an_identifier_that_dcmtk_wrote_is_understood(tmp_path: Path) -> None:
    dump = tmp_path / "query.dump"
    dump.write_text(
        "(0008,0005) CS [ISO_IR 192]\n(0008,0020) DA [20240101-]\n(0008,0052) CS [STUDY]\n(0010,0010) PN [山田*]\n"
        "(0020,000d) UI\n(0040,0275) SQ\n(fffe,e000) na\n(0040,1001) SH [RP1]\n(fffe,e00d) na\n(fffe,e0dd) na\n"
    )
    subprocess.run(
        ["dump2dcm", "--write-dataset", "--write-xfer-implicit", dump, tmp_path / "query.dcm"], check=True
    )

    request = find_request(decoded((tmp_path / "query.dcm").read_bytes(), ImplicitVRLittleEndian), STUDY)

    assert request.query.matches == {"study_date": Between("20240101", ""), "patient_name": Wildcard("山田*")}
    assert [f"{key.tag:08X}" for key in request.keys] == ["00080020", "00100010", "0020000D", "00400275"]
