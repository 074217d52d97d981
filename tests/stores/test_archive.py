"""The contract of the archive's rows, on each database."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hilum.core.access import policy
from hilum.core.archive import usecases as archive
from hilum.core.archive.model import (
    AnyOf,
    Between,
    Blob,
    Commitment,
    CommitmentState,
    Exact,
    Found,
    Header,
    Level,
    Match,
    Query,
    ReferencedInstance,
    StoredConflict,
    StoreOutcome,
    Wildcard,
)
from hilum.core.kernel.errors import Conflict, Invalid
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients import usecases as patients
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.stores.sql import Database
from hilum.wire.dicom.bookmarks import bookmark_of, bookmark_text

OPERATOR = policy.local_operator("trace")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

CT = Header(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="1.1.1.1",
    study_instance_uid="1.1",
    series_instance_uid="1.1.1",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    patient_id="P1",
    patient_name="Doe^Jane",
    patient_birth_date="19700101",
    patient_sex="F",
    accession_number="A1",
    study_date="20240101",
    study_time="120000",
    study_id="S1",
    study_description="Thorax",
    referring_physician_name="House^Gregory",
    modality="CT",
    series_number="1",
    series_description="axial",
    instance_number="1",
    rows=512,
    columns=512,
)
MR = replace(
    CT,
    sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
    sop_instance_uid="2.1.1.1",
    study_instance_uid="2.1",
    series_instance_uid="2.1.1",
    patient_id="P2",
    patient_name="Müller^Jörg=山田^太郎",
    patient_birth_date="",
    patient_sex="M",
    accession_number="A2",
    study_date="20240615",
    study_time="081500.25",
    study_id="S2",
    study_description="100%_Knie",
    referring_physician_name="",
    modality="MR",
)


def blob(number: int = 0) -> Blob:
    return Blob(f"{number:064x}", 1000 + number)


def stored(database: Database, header: Header, number: int = 0) -> StoreOutcome:
    return database.write(lambda tx: archive.store(tx, OPERATOR, header, blob(number)).outcome)


def found_studies(database: Database, **matches: Match) -> list[str]:
    query = Query(Level.STUDY, matches)
    found = database.read(lambda tx: tx.archive.find(query))
    assert database.read(lambda tx: tx.archive.count(query)) == len(found)
    return [one.study.study_instance_uid for one in found if one.study]


def test_an_instance_reads_back_as_it_was_kept(database: Database) -> None:
    stored(database, CT, 7)

    kept = database.read(lambda tx: tx.archive.instance(CT.sop_instance_uid))

    assert kept is not None
    instance, series, study = kept
    for name in ("sop_class_uid", "transfer_syntax_uid", "instance_number", "rows", "columns"):
        assert getattr(instance, name) == getattr(CT, name)
    for name in ("series_instance_uid", "modality", "series_number", "series_description"):
        assert getattr(series, name) == getattr(CT, name)
    for name in ("study_instance_uid", "accession_number", "study_date", "study_time", "study_id"):
        assert getattr(study, name) == getattr(CT, name)
    assert (instance.blob, instance.source, study.modalities) == (blob(7), "operator", ("CT",))
    assert database.read(lambda tx: tx.archive.study(CT.study_instance_uid)) == study
    assert database.read(lambda tx: tx.archive.series(CT.series_instance_uid)) == (series, study)


def test_counts_and_modalities_stand_on_the_rows(database: Database) -> None:
    for number in range(3):
        stored(database, replace(CT, sop_instance_uid=f"1.1.1.{number}"), number)
    other = replace(CT, sop_instance_uid="1.1.2.1", series_instance_uid="1.1.2", modality="SR")
    stored(database, other)

    study = database.read(lambda tx: tx.archive.study("1.1"))
    series = database.read(lambda tx: tx.archive.series("1.1.1"))

    assert study is not None
    assert (study.number_of_series, study.number_of_instances, study.modalities) == (2, 4, ("CT", "SR"))
    assert series is not None
    assert series[0].number_of_instances == 3
    assert database.read(lambda tx: tx.archive.totals()) == {
        "studies": 1,
        "series": 2,
        "instances": 4,
        "octets": 4 * 1000 + 3,
        "conflicts": 0,
    }


def test_uids_are_kept_once(database: Database) -> None:
    stored(database, CT)
    kept = database.read(lambda tx: tx.archive.instance(CT.sop_instance_uid))
    assert kept is not None
    instance, series, study = kept

    with pytest.raises(Conflict):
        database.write(lambda tx: tx.archive.add_study(CT, study.patient_record_key, None))
    with pytest.raises(Conflict):
        database.write(lambda tx: tx.archive.add_series(CT, study.key))
    with pytest.raises(Conflict):
        database.write(lambda tx: tx.archive.add_instance(CT, series.key, study.key, instance.blob, "X"))

    assert database.read(lambda tx: tx.archive.instance(CT.sop_instance_uid)) == kept


@pytest.mark.parametrize(
    ("matches", "studies"),
    [
        ({}, ["2.1", "1.1"]),
        ({"patient_id": Exact("P1")}, ["1.1"]),
        ({"patient_id": Exact("p1")}, []),
        ({"patient_id": Wildcard("P?")}, ["2.1", "1.1"]),
        ({"patient_id": Exact("P1"), "issuer_of_patient_id": Exact("X")}, []),
        ({"patient_name": Exact("DOE^JANE")}, ["1.1"]),
        ({"patient_name": Exact("doe^jane^^")}, ["1.1"]),
        ({"patient_name": Exact("Doe")}, []),
        ({"patient_name": Wildcard("doe*")}, ["1.1"]),
        ({"patient_name": Wildcard("*JANE")}, ["1.1"]),
        ({"patient_name": Wildcard("D?e^*")}, ["1.1"]),
        ({"patient_name": Wildcard("MÜLLER*")}, ["2.1"]),
        ({"patient_name": Wildcard("山田*")}, ["2.1"]),
        ({"patient_name": Wildcard("*")}, ["2.1", "1.1"]),
        ({"patient_name": Exact("")}, ["2.1", "1.1"]),
        ({"patient_birth_date": Exact("19700101")}, ["1.1"]),
        ({"patient_birth_date": Between("", "20000101")}, ["1.1"]),
        ({"patient_sex": Exact("M")}, ["2.1"]),
        ({"study_instance_uid": AnyOf(("1.1", "9.9"))}, ["1.1"]),
        ({"study_date": Between("20240102", "")}, ["2.1"]),
        ({"study_date": Between("20240101", "20240101")}, ["1.1"]),
        ({"study_date": Between("2024", "2024")}, ["2.1", "1.1"]),
        ({"study_time": Between("0800", "0815")}, ["2.1"]),
        ({"study_time": Between("08", "12")}, ["2.1", "1.1"]),
        ({"study_id": Exact("S2")}, ["2.1"]),
        ({"accession_number": Exact("A1")}, ["1.1"]),
        ({"accession_number": AnyOf(("A1", "A2"))}, ["2.1", "1.1"]),
        ({"study_description": Wildcard("100%_*")}, ["2.1"]),
        ({"study_description": Wildcard("1%*")}, []),
        ({"study_description": Wildcard("thorax*")}, []),
        ({"referring_physician_name": Wildcard("HOUSE*")}, ["1.1"]),
        ({"modalities_in_study": Exact("MR")}, ["2.1"]),
        ({"modalities_in_study": AnyOf(("CT", "MR"))}, ["2.1", "1.1"]),
        ({"sop_classes_in_study": Exact(CT.sop_class_uid)}, ["1.1"]),
        ({"accession_number": Exact("' OR 1=1 --")}, []),
        ({"accession_number": Wildcard("' OR *")}, []),
    ],
)
def test_studies_are_found_by_their_keys(
    database: Database, matches: dict[str, Match], studies: list[str]
) -> None:
    stored(database, CT)
    stored(database, MR)

    assert found_studies(database, **matches) == studies


@pytest.mark.parametrize(("text", "found"), [("gre hou", 1), ("reg", 0), ("House^Gregory", 1)])
def test_fuzzy_names_match_from_the_start_of_any_part(database: Database, text: str, found: int) -> None:
    stored(database, CT)

    query = Query(Level.STUDY, {"referring_physician_name": Exact(text)}, fuzzy=True)

    assert len(database.read(lambda tx: tx.archive.find(query))) == found


def test_each_level_answers_with_the_rows_down_to_it(database: Database) -> None:
    stored(database, CT)
    keys: dict[str, Match] = {"patient_id": Exact("P1")}

    answers = [database.read(lambda tx, at=level: tx.archive.find(Query(at, keys))) for level in Level]

    assert [len(found) for found in answers] == [1, 1, 1, 1]
    assert [
        (one.study is not None, one.series is not None, one.instance is not None) for (one,) in answers
    ] == [(False, False, False), (True, False, False), (True, True, False), (True, True, True)]


def test_series_and_instances_are_found_by_their_keys(database: Database) -> None:
    stored(database, CT)
    series = replace(
        CT, series_instance_uid="1.1.2", sop_instance_uid="1.1.2.1", series_number="2", modality="SR"
    )
    stored(database, series)

    by_modality = database.read(lambda tx: tx.archive.find(Query(Level.SERIES, {"modality": Exact("SR")})))
    by_number = database.read(
        lambda tx: tx.archive.find(
            Query(Level.INSTANCE, {"series_number": Exact("1"), "instance_number": Exact("1")})
        )
    )

    assert [one.series.series_instance_uid for one in by_modality if one.series] == ["1.1.2"]
    assert [one.instance.sop_instance_uid for one in by_number if one.instance] == ["1.1.1.1"]


def test_a_person_without_studies_is_no_answer_of_the_archive(database: Database) -> None:
    stored(database, CT)
    statement = PatientStatement((Identifier("P9", "X"),), Demographics("Roe^Max"))
    database.write(lambda tx: patients.register(tx, OPERATOR, statement))

    found = database.read(lambda tx: tx.archive.find(Query(Level.PATIENT, {})))

    assert [one.patient.identifier.value for one in found] == ["P1"]


def test_instances_come_by_number_and_pages_are_stable(database: Database) -> None:
    for number in (10, 9, 1, 2, 11):
        header = replace(CT, sop_instance_uid=f"1.1.1.{number}", instance_number=f"{number}")
        stored(database, header, number)

    pages = [
        database.read(lambda tx, at=at: tx.archive.find(Query(Level.INSTANCE, {}, limit=2, offset=at)))
        for at in (0, 2, 4)
    ]

    numbers = [one.instance.instance_number for page in pages for one in page if one.instance]
    assert numbers == ["1", "2", "9", "10", "11"]


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.INSTANCE])
def test_pages_behind_a_bookmark_are_the_whole_list(database: Database, level: Level) -> None:
    for place in range(12):
        study, series = place // 4, place // 2
        header = replace(
            CT,
            study_instance_uid=f"1.{study}",
            study_date="20240101" if study else "",
            series_instance_uid=f"1.1.{series}",
            series_number=f"{9 - series}",
            sop_instance_uid=f"1.1.1.{place}",
            instance_number=f"{place % 2}",
        )
        stored(database, header, place)
    whole = database.read(lambda tx: tx.archive.find(Query(level, {})))

    paged: list[Found] = []
    while len(paged) < len(whole):
        after = bookmark_of(bookmark_text(paged[-1])) if paged else None
        query = Query(level, {}, limit=2, after=after)
        page = database.read(lambda tx, query=query: tx.archive.find(query))
        assert page
        paged += page

    assert paged == whole


@pytest.mark.parametrize("number", ["", "x", "99999999999999999999", "-1", "+3", "1.5", "--1", "٣"])
def test_any_instance_number_can_be_kept(database: Database, number: str) -> None:
    stored(database, replace(CT, instance_number=number, series_number=number, number_of_frames=10**11))

    kept = database.read(lambda tx: tx.archive.instance(CT.sop_instance_uid))

    assert kept is not None
    assert kept[0].instance_number == number


def test_select_gives_every_instance_below_in_series_order(database: Database) -> None:
    for series in (2, 1):
        for number in (2, 1):
            header = replace(
                CT,
                sop_instance_uid=f"1.1.{series}.{number}",
                series_instance_uid=f"1.1.{series}",
                series_number=f"{series}",
                instance_number=f"{number}",
            )
            stored(database, header)
    stored(database, MR)

    query = Query(Level.STUDY, {"study_instance_uid": Exact("1.1")}, limit=1)
    chosen = database.read(lambda tx: tx.archive.select(query))

    uids = [one.instance.sop_instance_uid for one in chosen if one.instance]
    assert uids == ["1.1.1.1", "1.1.1.2", "1.1.2.1", "1.1.2.2"]


def test_a_merged_patient_is_found_by_old_and_new_number_and_shown_as_the_survivor(
    database: Database,
) -> None:
    stored(database, CT)
    survivor = PatientStatement((Identifier("P7"),), Demographics("Roe^Jane", "19700101", "F"))
    retired = PatientStatement((Identifier("P1"),), Demographics())
    database.write(lambda tx: patients.merge(tx, OPERATOR, survivor, retired))

    found = [
        database.read(lambda tx, key=key: tx.archive.find(Query(Level.STUDY, key)))
        for key in (
            {"patient_id": Exact("P1")},
            {"patient_id": Exact("P7")},
            {"patient_name": Wildcard("ROE*")},
        )
    ]

    shown = [
        [(one.patient.identifier.value, one.patient.demographics.name) for one in page] for page in found
    ]
    assert shown == [[("P7", "Roe^Jane")]] * 3
    assert found_studies(database, patient_name=Wildcard("doe*")) == []
    root = found[0][0].patient.key
    by_person = database.read(lambda tx: tx.archive.find(Query(Level.STUDY, {}, patient_root_key=root)))
    assert len(by_person) == 1


def test_changes_are_found_by_their_moment(database: Database) -> None:
    stored(database, CT)

    def counted(**moments: datetime) -> int:
        return database.read(lambda tx: tx.archive.count(Query(Level.STUDY, {}, **moments)))

    assert counted(updated_since=LONG_AGO) == 1
    assert counted(updated_before=LONG_AGO) == 0


def test_a_list_beyond_all_measure_is_invalid(database: Database) -> None:
    endless = AnyOf(tuple(f"1.{number}" for number in range(20_000)))

    with pytest.raises(Invalid):
        found_studies(database, study_instance_uid=endless)


def test_a_conflict_is_kept_once_and_listed_newest_first(database: Database) -> None:
    def conflict(uid: str, kept: Blob | None) -> StoredConflict:
        return StoredConflict(0, "same-uid", "1.1", "1.1.1", uid, kept, "AET", "why", LONG_AGO)

    first = [database.write(lambda tx: tx.archive.add_conflict(conflict("1", blob(3)))) for _ in range(2)]
    database.write(lambda tx: tx.archive.add_conflict(conflict("1", blob(4))))
    database.write(lambda tx: tx.archive.add_conflict(conflict("2", None)))

    assert first == [True, False]
    listed = database.read(lambda tx: tx.archive.conflicts(10))
    assert [(one.sop_instance_uid, one.blob) for one in listed] == [
        ("2", None),
        ("1", blob(4)),
        ("1", blob(3)),
    ]
    assert database.read(lambda tx: tx.archive.conflicts(10, "9.9")) == []
    assert database.read(lambda tx: tx.archive.totals())["conflicts"] == 3


def test_commitments_are_replaced_and_wait_for_their_report(database: Database) -> None:
    requested = Commitment(
        transaction_uid="1.9",
        peer="ct",
        ae_title="CT1",
        committed=(ReferencedInstance("1.2", "1.3"),),
        failed=(ReferencedInstance("1.2", "1.4", 0x0112),),
        state=CommitmentState.REQUESTED,
        created=LONG_AGO,
    )
    database.write(lambda tx: tx.archive.put_commitment(requested))

    def waiting(before: datetime) -> list[str]:
        return database.read(lambda tx: tx.archive.commitments_requested(before))

    assert database.read(lambda tx: tx.archive.commitment("1.9")) == requested
    assert waiting(LONG_AGO + timedelta(seconds=1)) == ["1.9"]
    assert waiting(LONG_AGO) == []
    reported = replace(requested, state=CommitmentState.REPORTED)
    database.write(lambda tx: tx.archive.put_commitment(reported))
    assert database.read(lambda tx: tx.archive.commitment("1.9")) == reported
    assert waiting(LONG_AGO + timedelta(seconds=1)) == []


def test_classes_and_references_are_told_for_many_at_once(database: Database) -> None:
    stored(database, CT, 1)
    conflict = StoredConflict(0, "same-uid", "1.1", "1.1.1", "1", blob(2), "AET", "why", LONG_AGO)
    database.write(lambda tx: tx.archive.add_conflict(conflict))
    many = [f"9.{number}" for number in range(1500)]

    classes = database.read(lambda tx: tx.archive.stored_classes([*many, CT.sop_instance_uid]))
    digests = [f"{number:064x}" for number in range(1500)]

    assert classes == {CT.sop_instance_uid: (CT.sop_class_uid, blob(1).digest)}
    assert database.read(lambda tx: tx.archive.referenced(digests)) == {blob(1).digest, blob(2).digest}


def test_a_later_instance_of_a_known_series_takes_eight_statements_at_most(sqlite_url: str) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    statements: list[str] = []

    def listen(driver: sqlite3.Connection, _record: object) -> None:
        driver.set_trace_callback(statements.append)

    event.listen(Engine, "connect", listen)
    database = Database(sqlite_url)
    stored(database, CT)
    statements.clear()

    stored(database, replace(CT, sop_instance_uid="1.1.1.2"), 2)

    event.remove(Engine, "connect", listen)
    database.close()
    work = [one for one in statements if not one.startswith(("BEGIN", "COMMIT", "PRAGMA"))]
    assert 5 <= len(work) <= 8, work
