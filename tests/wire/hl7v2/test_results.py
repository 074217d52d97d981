"""Reports: ORU^R01 in, ORU^R01 out, and the way there and back."""

from collections.abc import Callable
from datetime import UTC, datetime

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.exchange.model import FileReports
from hilum.core.kernel.codes import Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientRecord
from hilum.core.reports.model import Attachment, FiledReport, Observation, Report, ReportRequest, ReportStatus
from hilum.wire.hl7v2 import inbound
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.message import Message
from hilum.wire.hl7v2.report_message import Correspondents, report_message

Golden = Callable[[str], Message]

_AT = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def _reports(message: Message) -> tuple[ReportRequest, ...]:
    found = inbound.command(message)
    assert isinstance(found, FileReports)
    return found.requests


def _oru(*segments: str, obr: str = "OBR|1||F1|X^Y^Z" + "|" * 21 + "F") -> Message:
    header = "MSH|^~\\&|RPT|STMARY|HILUM|RAD|20261124||ORU^R01|7|P|2.5.1"
    return Message("\r".join([header, "PID|1||1^^^A||Doe", obr, *segments]).encode())


def _filed(**changes: object) -> FiledReport:
    said: dict[str, object] = {
        "key": 1,
        "public_id": "r1",
        "version": 1,
        "identifier": Identifier("F1", "HILUM"),
        "patient_record_key": 1,
        "order_key": None,
        "placer_order_number": Identifier("P1", "RIS"),
        "filler_order_number": Identifier("F1", "HILUM"),
        "accession_number": Identifier("ACC1"),
        "study_instance_uid": "1.2.3",
        "status": ReportStatus.FINAL,
        "code": Code("71260", "C4", "CT chest"),
        "effective": "20261125093500",
        "issued": "20261125140000",
        "interpreter": "Reader^Rita^B^Dr.^Jr.",
        "text": "One\n\nTwo | three",
        "conclusion": "Fine & well",
        "observations": (),
        "attachments": (),
        "source": "RPT",
        "created": _AT,
    }
    patient = PatientRecord(
        key=1,
        public_id="p1",
        identifier=Identifier("4711", "STMARY"),
        demographics=Demographics("Öztürk^Anna^^Dr.=山田^太郎", "19700131", "F"),
        survivor_key=None,
        root_key=1,
        authoritative=True,
        version=1,
        created=_AT,
        updated=_AT,
    )
    return FiledReport(Report(**(said | changes)), patient)  # type: ignore[arg-type]


def _sent(filed: FiledReport) -> Message:
    correspondents = Correspondents("HILUM", "RAD", "EHR", "STMARY")
    return Message(report_message(filed, correspondents, control_id="H1", at=_AT))


def test_a_report_of_rad_28_is_read_whole(golden: Golden) -> None:
    (found,) = _reports(golden("oru_r01_rad28"))

    assert found.identifier == found.filler_order_number == Identifier("FIL1", "HILUM")
    assert found.placer_order_number == Identifier("PLC1", "RIS")
    assert found.accession_number == Identifier("ACC1")
    assert found.status is ReportStatus.FINAL
    assert found.code == Code("71260", "C4", "CT chest with contrast")
    assert found.study_instance_uid == "1.2.840.99999.3.1"
    assert (found.effective, found.issued) == ("20261125093500", "20261125140000")
    assert found.interpreter == "Reader^Rita^B^Dr."
    assert found.text == (
        "Helical acquisition after 80 ml contrast&saline flush.\n\nNodule 7 x 6 mm,\nsmooth margin.\nNo effusion."
    )
    assert found.conclusion == "Solitary pulmonary nodule."
    assert found.attachments == (Attachment("application/pdf", b"%PDF-1.4\n%%EOF\n"),)


def test_discrete_results_keep_type_unit_and_flag(golden: Golden) -> None:
    (found,) = _reports(golden("oru_r01_rad28"))

    assert found.observations == (
        Observation(
            Code("246120007", "SCT", "Nodule size"),
            "NM",
            "7",
            unit=Code("mm", "UCUM", "millimeter"),
            interpretation="H",
        ),
        Observation(
            Code("111033", "DCM", "Impression category"),
            "CWE",
            "",
            value_code=Code("4A", "99LOC", "Lung-RADS 4A"),
        ),
        Observation(Code("33747-0", "LN", "Volume"), "ST", "<5", unit=Code("mL", "UCUM")),
        Observation(Code("8625-6", "LN", "Ratio"), "SN", ">1:128"),
    )


def test_each_obr_is_a_report_and_the_same_order_one_report(golden: Golden) -> None:
    first, second = _reports(golden("oru_r01_two_reports"))

    assert (first.status, first.text, first.conclusion) == (
        ReportStatus.PRELIMINARY,
        "First body\nAddition",
        "First impression",
    )
    assert (second.status, second.text) == (ReportStatus.CORRECTED, "Second body")


@pytest.mark.parametrize("code", ["113014^DICOM Study^DCM", "110180^Study Instance UID^DCM"])
@pytest.mark.parametrize("value_type", ["HD", "ST", "RP", "UI"])
def test_the_study_is_found_by_either_code_and_any_type(code: str, value_type: str) -> None:
    (found,) = _reports(_oru(f"OBX|1|{value_type}|{code}||1.2.3||||||F"))

    assert found.study_instance_uid == "1.2.3"
    assert found.observations == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("P", ReportStatus.PRELIMINARY),
        ("R", ReportStatus.PRELIMINARY),
        ("F", ReportStatus.FINAL),
        ("C", ReportStatus.CORRECTED),
        ("X", ReportStatus.CANCELLED),
        ("A", ReportStatus.PARTIAL),
        ("I", ReportStatus.REGISTERED),
    ],
)
def test_the_result_status_is_obr_25(status: str, expected: ReportStatus) -> None:
    (found,) = _reports(_oru(obr="OBR|1||F1|X" + "|" * 21 + status))

    assert found.status is expected


def test_without_obr_25_the_results_say_the_status() -> None:
    (found,) = _reports(_oru("OBX|1|TX|X||text||||||P", obr="OBR|1||F1|X"))

    assert found.status is ReportStatus.PRELIMINARY


@pytest.mark.parametrize(
    ("obx", "media_type", "content"),
    [
        ("^application^pdf^Base64^AAEC", "application/pdf", b"\0\1\2"),
        ("^AP^PDF^Base64^AA EC", "application/pdf", b"\0\1\2"),
        ("^IM^JPG^Hex^00 01", "image/jpeg", b"\0\1"),
        ("^TEXT^PLAIN^A^hello\\T\\", "text/plain", b"hello&"),
    ],
)
def test_documents_are_decoded(obx: str, media_type: str, content: bytes) -> None:
    (found,) = _reports(_oru(f"OBX|1|ED|18748-4||{obx}||||||F"))

    assert found.attachments == (Attachment(media_type, content),)


@pytest.mark.parametrize(
    ("message", "complaint", "location", "condition"),
    [
        (_oru(obr="OBR|1|||X"), "names no order", "OBR^1^3", Condition.REQUIRED_FIELD_MISSING),
        (_oru(obr="OBR|1||F1|X"), "no result status", "OBR^1^25", Condition.REQUIRED_FIELD_MISSING),
        (_oru(obr="OBR|1||F1|X" + "|" * 21 + "Q"), "'Q'", "OBR^1^25", Condition.TABLE_VALUE_NOT_FOUND),
        (_oru(obr="NTE|1"), "no OBR", "OBR^1^4", Condition.SEGMENT_SEQUENCE),
        (_oru("OBX|1|NM|||7"), "OBX-3 is empty", "OBX^1^3", Condition.REQUIRED_FIELD_MISSING),
        (
            _oru("OBX|1|TX|X||a", "OBX|2|ED|X||^AP^PDF^Base64^A*"),
            "base64",
            "OBX^2^5^1^5",
            Condition.DATA_TYPE,
        ),
        (_oru("OBX|1|ED|X||^AP^PDF^Base65^AA"), "encoding", "OBX^1^5^1^4", Condition.TABLE_VALUE_NOT_FOUND),
        (_oru("OBX|1|ED|X||^a/b^c/d^Base64^AA"), "media type", "OBX^1^5", Condition.DATA_TYPE),
        (_oru("OBX|1|HD|110180||1.2.."), "not a UID", "OBX^1^5^1^1", Condition.DATA_TYPE),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    message: Message, complaint: str, location: str, condition: Condition
) -> None:
    with pytest.raises(MessageInvalid, match=complaint) as caught:
        _reports(message)

    assert caught.value.location == location
    assert caught.value.condition is condition


def test_a_report_goes_out_for_an_outside_reader() -> None:
    raw = _sent(_filed()).raw.decode()

    read = hl7.parse(raw)

    assert str(read.segment("MSH")[9]) == "ORU^R01^ORU_R01"
    assert str(read.segment("PID")[3]) == "4711^^^STMARY^MR"
    assert str(read.segment("OBR")[18]) == "ACC1"
    assert str(read.segment("OBR")[25]) == "F"
    assert [str(segment[3]).split("^")[0] for segment in read.segments("OBX")] == [
        "113014",
        "18782-3",
        "18782-3",
        "18782-3",
        "19005-8",
    ]


def test_what_went_out_reads_back_as_it_was() -> None:
    observations = (
        Observation(
            Code("1", "99X", "Size"), "NM", "7", unit=Code("mm", "UCUM", "millimeter"), interpretation="H"
        ),
        Observation(Code("2", "99X", "Category"), "CWE", "", value_code=Code("4A", "99X", "Four A")),
        Observation(Code("3", "99X", "Note"), "ST", "a | b"),
    )
    attachments = (Attachment("application/pdf", bytes(range(256))),)
    filed = _filed(observations=observations, attachments=attachments)

    (found,) = _reports(_sent(filed))

    assert found.patient.identifiers == (filed.patient.identifier,)
    assert found.patient.demographics == filed.patient.demographics
    for name in (
        "identifier",
        "status",
        "code",
        "placer_order_number",
        "filler_order_number",
        "accession_number",
    ):
        assert getattr(found, name) == getattr(filed.report, name), name
    for name in ("study_instance_uid", "effective", "issued", "interpreter", "text", "conclusion"):
        assert getattr(found, name) == getattr(filed.report, name), name
    assert found.observations == observations
    assert found.attachments == attachments


@pytest.mark.parametrize("status", list(ReportStatus))
def test_every_status_has_a_code_that_a_reader_knows(status: ReportStatus) -> None:
    (found,) = _reports(_sent(_filed(status=status)))

    same = {
        ReportStatus.AMENDED: ReportStatus.CORRECTED,
        ReportStatus.ENTERED_IN_ERROR: ReportStatus.CANCELLED,
    }
    assert found.status is same.get(status, status)


def test_an_issuer_that_is_an_oid_goes_out_as_a_universal_id() -> None:
    sent = _sent(_filed(filler_order_number=Identifier("F1", "1.2.3")))

    assert sent["OBR-3"] == "F1^^1.2.3^ISO"


_line = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(st.lists(_line, max_size=5), st.lists(_line, max_size=3))
def test_any_text_reads_back_line_by_line(text: list[str], conclusion: list[str]) -> None:
    filed = _filed(text="\n".join(text), conclusion="\n".join(conclusion))

    (found,) = _reports(_sent(filed))

    assert found.text == filed.report.text.strip("\n") or '""' in text
    assert found.conclusion == filed.report.conclusion.strip("\n") or '""' in conclusion


@given(st.text())
def test_no_text_of_a_report_adds_a_segment(text: str) -> None:
    usable = text.encode("utf-8", "ignore").decode()
    filed = _filed(text="", conclusion="", interpreter=usable, code=Code(usable, usable, usable))

    sent = _sent(filed)

    assert sent.names == ["MSH", "PID", "ORC", "OBR", "OBX"]


def test_one_message_may_not_ask_for_endless_work() -> None:
    with pytest.raises(MessageInvalid, match="more than 256 reports"):
        _reports(_oru(*(f"OBR|{number}||F{number}|X" for number in range(257))))


def test_control_characters_that_come_in_by_escapes_are_not_kept() -> None:
    (found,) = _reports(
        _oru(
            "OBX|1|TX|X||a\\X00\\b\\X0D0A\\c\\X0B\\d",
            "OBX|2|ST|X\\X00\\Y||v\\X00\\w",
        )
    )

    assert found.text == "ab\nc\nd"
    assert found.observations[0].code.value == "X Y"
    assert found.observations[0].value == "v w"
