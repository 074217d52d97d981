"""Every view of every record is valid R4: by the official schema, and by a second library."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilum.core.archive.model import (
    Blob,
    Instance,
    Series,
    SeriesContent,
    Study,
    StudyContent,
)
from hilum.core.kernel.codes import NO_CODE, Code
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import Order, OrderStatus, ScheduledProcedureStep, StepStatus
from hilum.core.patients.model import UNIDENTIFIED, Demographics, LinkedPatient, PatientRecord
from hilum.core.reports.model import Attachment, FiledReport, Observation, Report, ReportStatus
from hilum.wire.fhir.capability import ResourceType, capability_statement
from hilum.wire.fhir.diagnostic_report import diagnostic_report
from hilum.wire.fhir.endpoint import endpoint
from hilum.wire.fhir.imaging_study import imaging_study
from hilum.wire.fhir.observation import observation
from hilum.wire.fhir.outcome import unknown_parameters
from hilum.wire.fhir.patient import PARAMETERS, patient
from hilum.wire.fhir.service_request import service_request

Check = Callable[[dict[str, Any]], dict[str, Any]]

NOW = datetime(2026, 11, 24, 4, 5, 6, 789012, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def record(key: int = 1, root_key: int | None = None, **fields: Any) -> PatientRecord:
    known = {
        "key": key,
        "public_id": f"{key:032x}",
        "identifier": Identifier(f"47{key}", "STMARY"),
        "demographics": Demographics("Doe^Anna^Maria^Dr.^PhD", "19700131", "F", "1 Main St", "+49 30 1"),
        "survivor_key": None if root_key in (None, key) else root_key,
        "root_key": key if root_key is None else root_key,
        "authoritative": True,
        "version": 3,
        "created": NOW,
        "updated": NOW,
    }
    return PatientRecord(**(known | fields))


def alone(one: PatientRecord) -> LinkedPatient:
    return LinkedPatient(one, (one,))


def order(**fields: Any) -> Order:
    step = ScheduledProcedureStep(
        key=1,
        scheduled_procedure_step_id="S1",
        modality="CT",
        station_ae_title="CT1",
        station_name="CT one",
        location="Room 1",
        start_date="20260102",
        start_time="0930",
        protocol=Code("HEAD", "99LOCAL", "Head"),
        performing_physician="",
        status=StepStatus.SCHEDULED,
    )
    known = {
        "key": 1,
        "public_id": "a" * 32,
        "patient_record_key": 1,
        "placer_order_number": Identifier("P1", "1.2.3"),
        "filler_order_number": Identifier("F1", "RIS"),
        "accession_number": Identifier("A1"),
        "study_instance_uid": "1.2.840.1",
        "requested_procedure_id": "RP1",
        "procedure": Code("24725-4", "LN", "CT head"),
        "priority": "stat",
        "status": OrderStatus.ACTIVE,
        "requesting_physician": "House^Gregory^^Dr.",
        "referring_physician": "",
        "reason": "headache",
        "admission_id": "",
        "patient_class": "",
        "steps": (step,),
        "version": 2,
        "created": NOW,
        "updated": NOW,
    }
    return Order(**(known | fields))


def series(**fields: Any) -> Series:
    known = dict.fromkeys(Series.__slots__, "") | {
        "key": 1,
        "series_instance_uid": "1.2.840.1.1",
        "modality": "CT",
        "series_number": "2",
        "series_date": "20260102",
        "series_time": "101500.25",
        "body_part_examined": "HEAD",
        "laterality": "L",
        "number_of_instances": 1,
        "created": NOW,
        "updated": NOW,
    }
    return Series(**(known | fields))


def instance(**fields: Any) -> Instance:
    known = dict.fromkeys(Instance.__slots__, "") | {
        "key": 1,
        "sop_instance_uid": "1.2.840.1.1.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "instance_number": "1",
        "rows": 512,
        "columns": 512,
        "bits_allocated": 16,
        "number_of_frames": 0,
        "blob": Blob("0" * 64, 1),
        "stored": NOW,
    }
    return Instance(**(known | fields))


def study(**fields: Any) -> Study:
    known = dict.fromkeys(Study.__slots__, "") | {
        "key": 1,
        "study_instance_uid": "1.2.840.1",
        "patient_record_key": 1,
        "accession_number": "A1",
        "study_date": "20260102",
        "study_time": "101112",
        "modalities": ("CT", "SR"),
        "number_of_series": 1,
        "number_of_instances": 1,
        "order_key": 1,
        "version": 5,
        "created": NOW,
        "updated": NOW,
    }
    return Study(**(known | fields))


def content(one: Study, patient_record: PatientRecord | None = None) -> StudyContent:
    below = (SeriesContent(series(), (instance(),)),)
    return StudyContent(patient_record or record(), one, "a" * 32, below)


def report(**fields: Any) -> Report:
    finding = Observation(Code("21889-1", "LN", "Size"), "NM", "1.50", unit=Code("mm"), interpretation="H")
    known = {
        "key": 1,
        "public_id": "b" * 32,
        "version": 2,
        "identifier": Identifier("F1", "RIS"),
        "patient_record_key": 1,
        "order_key": 1,
        "placer_order_number": Identifier("P1", "EHR"),
        "filler_order_number": Identifier("F1", "RIS"),
        "accession_number": Identifier("A1"),
        "study_instance_uid": "1.2.840.1",
        "status": ReportStatus.FINAL,
        "code": Code("24725-4", "LN", "CT head"),
        "effective": "20260102101112+0100",
        "issued": "202601021530",
        "interpreter": "Reader^Rita",
        "text": 'First line.\nA <b>bold</b> & "quoted" second.',
        "conclusion": "Nothing acute.",
        "observations": (finding,),
        "attachments": (Attachment("application/pdf", b"%PDF-1.4"),),
        "source": "RIS",
        "created": NOW,
    }
    return Report(**(known | fields))


def filed(one: Report) -> FiledReport:
    return FiledReport(one, record(), "a" * 32)


def test_a_patient_shows_name_parts_identifier_gender_and_birth_date(valid: Check) -> None:
    shown = valid(patient(alone(record())))

    assert shown["identifier"][0]["system"] == "urn:hilum:issuer:STMARY"
    assert shown["identifier"][0]["type"]["coding"][0]["code"] == "MR"
    assert shown["name"] == [
        {
            "use": "official",
            "text": "Dr. Anna Maria Doe PhD",
            "family": "Doe",
            "given": ["Anna", "Maria"],
            "prefix": ["Dr."],
            "suffix": ["PhD"],
        }
    ]
    assert (shown["gender"], shown["birthDate"], shown["active"]) == ("female", "1970-01-31", True)
    assert shown["meta"] == {"versionId": "3", "lastUpdated": "2026-11-24T04:05:06.789Z"}


def test_component_groups_of_a_name_are_told_apart(valid: Check) -> None:
    named = record(demographics=Demographics("Yamada^Tarou=山田^太郎=やまだ^たろう"))

    shown = valid(patient(alone(named)))

    told = [(one["extension"][0]["valueCode"], one["family"]) for one in shown["name"]]
    assert told == [("ABC", "Yamada"), ("IDE", "山田"), ("SYL", "やまだ")]


def test_a_merged_record_is_inactive_and_says_who_replaced_it(valid: Check) -> None:
    survivor, retired = record(1), record(2, root_key=1)

    shown = valid(patient(LinkedPatient(retired, (survivor, retired))))

    assert shown["active"] is False
    assert shown["link"] == [{"other": {"reference": f"Patient/{survivor.public_id}"}, "type": "replaced-by"}]
    assert [one["value"] for one in shown["identifier"]] == ["472"]


def test_a_survivor_lists_what_it_replaces_and_the_old_identifiers(valid: Check) -> None:
    survivor, retired = record(1), record(2, root_key=1)
    other_issuer = record(3, root_key=1, identifier=Identifier("9", "1.2.276.0.76"))

    shown = valid(patient(LinkedPatient(survivor, (survivor, retired, other_issuer))))

    assert [one["type"] for one in shown["link"]] == ["replaces", "replaces"]
    assert [(one["use"], one["value"]) for one in shown["identifier"]] == [
        ("official", "471"),
        ("old", "472"),
        ("secondary", "9"),
    ]
    assert shown["identifier"][2] == {"use": "secondary", "system": "urn:oid:1.2.276.0.76", "value": "9"}


def test_an_unidentified_patient_has_no_identifier(valid: Check) -> None:
    shown = valid(patient(alone(record(identifier=Identifier("1.2.3", UNIDENTIFIED)))))

    assert "identifier" not in shown


def test_an_order_shows_typed_numbers_and_its_study(valid: Check) -> None:
    shown = valid(service_request(order(), record(), BERLIN))

    kinds = [one.get("type", {"coding": [{"code": ""}]})["coding"][0]["code"] for one in shown["identifier"]]
    assert kinds == ["PLAC", "FILL", "ACSN", ""]
    assert shown["identifier"][0]["system"] == "urn:oid:1.2.3"
    assert shown["identifier"][3] == {"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.1"}
    assert shown["occurrenceDateTime"] == "2026-01-02T09:30:00+01:00"
    assert shown["requester"] == {"display": "Dr. Gregory House"}
    assert shown["code"]["coding"][0]["system"] == "http://loinc.org"
    assert (shown["status"], shown["intent"], shown["priority"]) == ("active", "order", "stat")


@pytest.mark.parametrize("status", list(OrderStatus))
def test_every_status_of_an_order_is_one_of_fhir(valid: Check, status: OrderStatus) -> None:
    assert valid(service_request(order(status=status), record(), UTC))["status"] == status


def test_a_study_is_shaped_as_r4_says(valid: Check) -> None:
    shown = valid(imaging_study(content(study(timezone_offset_from_utc="-0330")), BERLIN))

    assert shown["id"] == "1.2.840.1"
    assert shown["identifier"][0] == {"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.1"}
    assert shown["identifier"][1]["type"]["coding"][0]["code"] == "ACSN"
    assert shown["modality"][0] == {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}
    assert shown["started"] == "2026-01-02T10:11:12-03:30"
    assert shown["basedOn"] == [{"reference": "ServiceRequest/" + "a" * 32}]
    assert shown["series"][0]["uid"] == "1.2.840.1.1"
    assert shown["series"][0]["started"] == "2026-01-02T10:15:00.25-03:30"
    assert shown["series"][0]["instance"][0]["sopClass"] == {
        "system": "urn:ietf:rfc:3986",
        "code": "urn:oid:1.2.840.10008.5.1.4.1.1.2",
    }


def test_a_study_without_an_offset_is_read_on_the_clock_of_the_site(valid: Check) -> None:
    shown = valid(imaging_study(content(study()), BERLIN))

    assert shown["started"] == "2026-01-02T10:11:12+01:00"


def test_a_study_without_a_time_started_on_a_day(valid: Check) -> None:
    shown = valid(imaging_study(content(study(study_time="")), BERLIN))

    assert shown["started"] == "2026-01-02"


def test_a_merge_changes_subject_and_version_of_a_study(valid: Check) -> None:
    survivor = record(7)

    before = valid(imaging_study(content(study()), UTC))
    after = valid(imaging_study(content(study(), survivor), UTC))

    assert after["subject"] == {"reference": f"Patient/{survivor.public_id}"}
    assert after["meta"]["versionId"] != before["meta"]["versionId"]


def test_numbers_that_are_none_are_left_out(valid: Check) -> None:
    odd = StudyContent(
        record(),
        study(),
        "",
        (SeriesContent(series(series_number="-1", modality=""), (instance(instance_number="x"),)),),
    )

    shown = valid(imaging_study(odd, UTC))["series"][0]

    assert "number" not in shown
    assert "number" not in shown["instance"][0]
    assert shown["modality"]["code"] == "OT"


def test_a_report_carries_its_text_escaped_and_as_attachment(valid: Check) -> None:
    shown = valid(diagnostic_report(filed(report()), BERLIN))

    assert "A &lt;b&gt;bold&lt;/b&gt; &amp; &quot;quoted&quot; second." in shown["text"]["div"]
    assert shown["conclusion"] == "Nothing acute."
    assert [one["contentType"] for one in shown["presentedForm"]] == [
        "text/plain; charset=utf-8",
        "application/pdf",
    ]
    assert shown["presentedForm"][1]["data"] == "JVBERi0xLjQ="
    assert shown["presentedForm"][1]["size"] == 8
    assert shown["result"] == [{"reference": "Observation/" + "b" * 32 + "-1"}]
    assert shown["imagingStudy"][0]["reference"] == "ImagingStudy/1.2.840.1"
    assert shown["resultsInterpreter"] == [{"display": "Rita Reader"}]
    assert (shown["effectiveDateTime"], shown["issued"]) == (
        "2026-01-02T10:11:12+01:00",
        "2026-01-02T15:30:00+01:00",
    )


def test_a_report_that_says_no_time_of_issue_was_issued_when_it_came(valid: Check) -> None:
    shown = valid(diagnostic_report(filed(report(issued="20260102")), UTC))

    assert shown["issued"] == "2026-11-24T04:05:06.789Z"


def test_a_report_without_a_code_is_an_imaging_study_report(valid: Check) -> None:
    shown = valid(diagnostic_report(filed(report(code=NO_CODE)), UTC))

    assert shown["code"]["coding"][0]["code"] == "18748-4"


@pytest.mark.parametrize("status", list(ReportStatus))
def test_every_status_of_a_report_is_one_of_fhir(valid: Check, status: ReportStatus) -> None:
    assert valid(diagnostic_report(filed(report(status=status)), UTC))["status"] == status


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        (Observation(NO_CODE, "NM", "12"), "valueQuantity", {"value": 12}),
        (
            Observation(NO_CODE, "NM", "+0.50", unit=Code("mm", "UCUM", "millimetre")),
            "valueQuantity",
            {
                "value": 0.5,
                "unit": "millimetre",
                "system": "http://unitsofmeasure.org",
                "code": "mm",
            },
        ),
        (
            Observation(NO_CODE, "SN", "<5", unit=Code("furlong")),
            "valueQuantity",
            {"value": 5, "comparator": "<", "unit": "furlong"},
        ),
        (Observation(NO_CODE, "NM", "many", unit=Code("mm")), "valueString", "many mm"),
        (
            Observation(NO_CODE, "CWE", "", Code("RID1", "RADLEX", "liver")),
            "valueCodeableConcept",
            {
                "coding": [{"system": "http://radlex.org", "code": "RID1", "display": "liver"}],
                "text": "liver",
            },
        ),
        (Observation(NO_CODE, "ST", "calm"), "valueString", "calm"),
        (Observation(NO_CODE, "DT", "20260102"), "valueDateTime", "2026-01-02"),
        (Observation(NO_CODE, "TM", "1015"), "valueTime", "10:15:00"),
    ],
)
def test_an_observation_has_the_value_of_its_type(
    valid: Check, said: Observation, name: str, value: object
) -> None:
    shown = valid(observation(filed(report(observations=(said,))), 0, UTC))

    assert shown[name] == value


def test_an_observation_keeps_code_status_interpretation_and_references(valid: Check) -> None:
    shown = valid(observation(filed(report()), 0, UTC))

    assert shown["code"]["coding"][0]["code"] == "21889-1"
    assert shown["interpretation"][0]["coding"][0]["code"] == "H"
    assert shown["status"] == "final"
    assert shown["subject"] == {"reference": "Patient/" + f"{1:032x}"}
    assert shown["partOf"] == [{"reference": "ImagingStudy/1.2.840.1"}]


def test_endpoint_outcome_and_statement_are_valid(valid: Check) -> None:
    statement = capability_statement("http://h/fhir", "0.1", [ResourceType("Patient", PARAMETERS)])

    shown = valid(endpoint("http://h/dicom-web"))
    valid(unknown_parameters(["foo\x00bar"]))
    valid(statement)

    assert shown["connectionType"]["code"] == "dicom-wado-rs"
    assert shown["address"] == "http://h/dicom-web"


ANY_TEXT = st.text(max_size=20)
ANY_CODE = st.builds(Code, ANY_TEXT, ANY_TEXT, ANY_TEXT)
ANY_IDENTIFIER = st.builds(Identifier, ANY_TEXT.map(lambda text: text + "1"), ANY_TEXT)
HOSTILE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@HOSTILE
@given(st.builds(Demographics, *[ANY_TEXT] * 5), ANY_IDENTIFIER)
def test_any_patient_is_valid(valid: Check, demographics: Demographics, identifier: Identifier) -> None:
    valid(patient(alone(record(demographics=demographics, identifier=identifier))))


@HOSTILE
@given(texts=st.lists(ANY_TEXT, min_size=6, max_size=6), code=ANY_CODE, number=ANY_IDENTIFIER)
def test_any_order_is_valid(valid: Check, texts: list[str], code: Code, number: Identifier) -> None:
    step = replace(
        order().steps[0], start_date=texts[0], start_time=texts[1], location=texts[2], protocol=code
    )
    odd = order(
        steps=(step,),
        procedure=code,
        accession_number=number,
        priority=texts[3],
        reason=texts[4],
        requesting_physician=texts[5],
    )

    valid(service_request(odd, record(), BERLIN))


@HOSTILE
@given(texts=st.lists(ANY_TEXT, min_size=8, max_size=8))
def test_any_study_is_valid(valid: Check, texts: list[str]) -> None:
    odd = study(
        study_date=texts[0],
        study_time=texts[1],
        timezone_offset_from_utc=texts[2],
        accession_number=texts[3],
        issuer_of_accession_number=texts[4],
        modalities=(texts[5],),
        study_description=texts[6],
        referring_physician_name=texts[7],
    )
    below = series(
        modality=texts[0],
        series_number=texts[1],
        series_date=texts[2],
        body_part_examined=texts[3],
        laterality=texts[4],
        series_description=texts[5],
    )
    held = SeriesContent(below, (instance(instance_number=texts[6]),))

    valid(imaging_study(StudyContent(record(), odd, "", (held,)), BERLIN))


@HOSTILE
@given(texts=st.lists(ANY_TEXT, min_size=8, max_size=8), code=ANY_CODE, number=ANY_IDENTIFIER)
def test_any_report_and_observation_is_valid(
    valid: Check, texts: list[str], code: Code, number: Identifier
) -> None:
    said = Observation(code, "NM", texts[0], code, Code(texts[1], texts[2]), texts[3], texts[4])
    plain = tuple(
        replace(said, value_type=kind, value_code=NO_CODE) for kind in ("NM", "SN", "ST", "DT", "TM")
    )
    odd = report(
        identifier=number,
        code=code,
        effective=texts[5],
        issued=texts[6],
        text=texts[7],
        conclusion=texts[0],
        interpreter=texts[1],
        observations=(said, *plain),
        attachments=(Attachment(texts[2], b""), Attachment("text/plain", b"x")),
    )

    valid(diagnostic_report(filed(odd), BERLIN))
    for place in range(len(odd.observations)):
        valid(observation(filed(odd), place, BERLIN))
