"""The contract of reports, on each database."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hilum.core.access import policy
from hilum.core.kernel.codes import Code
from hilum.core.kernel.errors import Conflict
from hilum.core.kernel.identifiers import Identifier, IdentifierMatch
from hilum.core.patients import usecases as patients
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.core.reports.model import Attachment, Observation, Report, ReportQuery, ReportStatus
from hilum.stores.sql import Database

OPERATOR = policy.local_operator("trace")
MOMENT = datetime(2024, 1, 1, tzinfo=UTC)

REPORT = Report(
    key=0,
    public_id="r1",
    version=1,
    identifier=Identifier("F1", "RIS"),
    patient_record_key=1,
    order_key=None,
    placer_order_number=Identifier("PL1"),
    filler_order_number=None,
    accession_number=Identifier("AC1", "RIS"),
    study_instance_uid="1.1",
    status=ReportStatus.PRELIMINARY,
    code=Code("18748-4", "LN", "Study report"),
    effective="20240601093000",
    issued="20240601120000+0200",
    interpreter="House^Gregory",
    text="Lungs clear.\nHeart normal.",
    conclusion="Normal.",
    observations=(
        Observation(Code("1", "LN", "size"), "NM", "3.5", unit=Code("mm", "UCUM")),
        Observation(
            Code("2", "LN", "finding"), "CWE", "x", value_code=Code("a", "SCT", "ä"), interpretation="H"
        ),
    ),
    attachments=(Attachment("application/pdf", b"%PDF\x00\xff"), Attachment("text/plain", b"")),
    source="RIS",
    created=MOMENT,
)


def filed(database: Database, report: Report = REPORT, patient: str = "P1") -> Report:
    statement = PatientStatement((Identifier(patient),), Demographics("Doe^Jane"))
    key = database.write(lambda tx: patients.register(tx, OPERATOR, statement)).key
    return database.write(lambda tx: tx.reports.add(replace(report, patient_record_key=key)))


def test_a_report_reads_back_as_it_was_kept(database: Database) -> None:
    kept = filed(database)

    read = database.read(lambda tx: tx.reports.by_public_id("r1"))

    assert database.read(lambda tx: tx.reports.newest(REPORT.identifier)) == kept
    assert read is not None
    assert (read.report, read.patient.identifier, read.order_public_id) == (kept, Identifier("P1"), "")


def test_the_newest_version_is_what_everybody_sees(database: Database) -> None:
    filed(database)
    second = filed(database, replace(REPORT, version=2, status=ReportStatus.FINAL, attachments=()))

    found = database.read(lambda tx: tx.reports.find(ReportQuery()))

    assert [one.report for one in found] == [second]
    assert database.read(lambda tx: tx.reports.newest(REPORT.identifier)) == second
    newest = database.read(lambda tx: tx.reports.by_public_id("r1"))
    elder = database.read(lambda tx: tx.reports.by_public_id("r1", 1))
    assert newest is not None
    assert elder is not None
    assert (newest.report.version, elder.report.version) == (2, 1)
    assert database.read(lambda tx: tx.reports.by_public_id("r1", 3)) is None


def test_a_version_is_kept_once(database: Database) -> None:
    kept = filed(database)

    with pytest.raises(Conflict):
        filed(database)

    assert database.read(lambda tx: tx.reports.newest(REPORT.identifier)) == kept


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ReportQuery(), {"r1", "r2"}),
        (ReportQuery(public_id="r2"), {"r2"}),
        (ReportQuery(identified_by=(IdentifierMatch("F1"),)), {"r1"}),
        (ReportQuery(identified_by=(IdentifierMatch("F1", "X"),)), set()),
        (ReportQuery(identified_by=(IdentifierMatch("PL1"),)), {"r1"}),
        (ReportQuery(identified_by=(IdentifierMatch("AC1", "RIS"),)), {"r1"}),
        (ReportQuery(study_instance_uid="1.1"), {"r1"}),
        (ReportQuery(order_key=12345), set()),
        (ReportQuery(status=(ReportStatus.FINAL,)), {"r2"}),
        (ReportQuery(issued=("20240601", "20240601")), {"r1"}),
        (ReportQuery(issued=("", "2024")), {"r1"}),
        (ReportQuery(issued=("20240602", "")), set()),
        (ReportQuery(updated_since=MOMENT), {"r1", "r2"}),
        (ReportQuery(updated_before=MOMENT), set()),
    ],
)
def test_reports_are_found_by_the_query(database: Database, query: ReportQuery, found: set[str]) -> None:
    other = replace(
        REPORT,
        public_id="r2",
        identifier=Identifier("F2", "RIS"),
        placer_order_number=None,
        accession_number=None,
        study_instance_uid="2.1",
        status=ReportStatus.FINAL,
        issued="",
    )
    filed(database)
    filed(database, other, "P2")

    assert {one.report.public_id for one in database.read(lambda tx: tx.reports.find(query))} == found
    assert database.read(lambda tx: tx.reports.count(query)) == len(found)


def test_reports_show_the_survivor_and_are_found_by_the_person(database: Database) -> None:
    filed(database)
    survivor = PatientStatement((Identifier("P7"),), Demographics("Roe^Jane"))
    retired = PatientStatement((Identifier("P1"),), Demographics())

    root = database.write(lambda tx: patients.merge(tx, OPERATOR, survivor, retired))

    found = database.read(lambda tx: tx.reports.find(ReportQuery(patient_root_key=root.key)))
    assert [one.patient.identifier.value for one in found] == ["P7"]
