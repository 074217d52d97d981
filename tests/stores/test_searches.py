"""Searches that must not slow down with the archive: both ways that they may go give the same answers."""

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from hilum.core.access import policy
from hilum.core.archive import usecases as archive
from hilum.core.archive.model import AnyOf, Blob, Exact, Header, Level, Match, Query, Wildcard
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients import usecases as patients
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.stores.sql import Database, narrowing
from hilum.stores.sql.database import database_url as parsed_url

OPERATOR = policy.local_operator("trace")
NAMES = [
    'O"Neill^Sean',
    "Smith^Jane",
    "Schmidt^Jäne",
    "Goldsmith^Ann",
    "Ng^Al",
    "山田^太郎=Yamada^Taro",
    "100%_/^X",
]
MODALITIES = [("CT",), ("CT", "SR"), ("MR",), ("MR", "SR"), ("PT", "CT"), ("SR",), ("CTX",)]


@pytest.fixture(params=[0, 2000], ids=["many", "few"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let nothing count as few, then everything."""
    number: int = request.param
    monkeypatch.setattr(narrowing, "FEW", number)
    return number


@pytest.fixture
def filled(database: Database) -> Database:
    """Keep a study of each name, with a series of each of its modalities."""
    for study, (name, modalities) in enumerate(zip(NAMES, MODALITIES, strict=True), 1):
        for number, modality in enumerate(modalities, 1):
            header = Header(
                sop_class_uid="1.2",
                sop_instance_uid=f"1.{study}.{number}.1",
                study_instance_uid=f"1.{study}",
                series_instance_uid=f"1.{study}.{number}",
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                patient_id=f"P{study}",
                patient_name=name,
                study_date=f"2024010{study}",
                modality=modality,
            )
            blob = Blob(f"{study:032x}{number:032x}", 1)
            database.write(lambda tx, one=header, kept=blob: archive.store(tx, OPERATOR, one, kept))
    return database


def found(database: Database, *, fuzzy: bool = False, **matches: Match) -> list[str]:
    query = Query(Level.STUDY, matches, fuzzy=fuzzy)
    answers = [
        one.study.study_instance_uid for one in database.read(lambda tx: tx.archive.find(query)) if one.study
    ]
    assert database.read(lambda tx: tx.archive.count(query)) == len(answers)
    return sorted(answers)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("pattern", "studies"),
    [
        ("*smith*", ["1.2", "1.4"]),
        ("*MITH*", ["1.2", "1.4"]),
        ('*o"neill*', ["1.1"]),
        ("?mith*", ["1.2"]),
        ("*mi*j?ne*", ["1.2", "1.3"]),
        ("*ng*", ["1.5"]),
        ("*nobody*", []),
        ("*yamada*", ["1.6"]),
        ("*0%_/*", ["1.7"]),
        ("*%*", ["1.7"]),
        ('*smi" OR name_folded : "ann*', []),
    ],
)
def test_an_infix_of_a_name_finds_whoever_has_it(filled: Database, pattern: str, studies: list[str]) -> None:
    assert found(filled, patient_name=Wildcard(pattern)) == studies


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("asked", "studies"), [("smi ja", ["1.2"]), ("taro", ["1.6"]), ("J", ["1.2", "1.3"]), ("mith", [])]
)
def test_fuzzy_names_match_from_the_start_of_a_part(filled: Database, asked: str, studies: list[str]) -> None:
    assert found(filled, fuzzy=True, patient_name=Exact(asked)) == studies


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("match", "studies"),
    [
        (Exact("CT"), ["1.1", "1.2", "1.5"]),
        (Exact("SR"), ["1.2", "1.4", "1.6"]),
        (AnyOf(("MR", "PT")), ["1.3", "1.4", "1.5"]),
        (Wildcard("C?"), ["1.1", "1.2", "1.5"]),
        (Wildcard("CT*"), ["1.1", "1.2", "1.5", "1.7"]),
        (Exact("XX"), []),
    ],
)
def test_a_modality_is_found_among_those_of_a_study(
    filled: Database, match: Match, studies: list[str]
) -> None:
    assert found(filled, modalities_in_study=match) == studies
    assert found(filled, modalities_in_study=match, study_date=Exact("20240102")) == [
        one for one in studies if one == "1.2"
    ]


@pytest.mark.usefixtures("few")
def test_a_changed_name_is_found_and_the_old_one_no_more(filled: Database) -> None:
    married = PatientStatement((Identifier("P2"),), Demographics("Goldstein^Jane"))

    filled.write(lambda tx: patients.register(tx, replace(OPERATOR, default_issuer=""), married))

    assert found(filled, patient_name=Wildcard("*oldstei*")) == ["1.2"]
    assert found(filled, patient_name=Wildcard("*smith*")) == ["1.4"]


def test_an_infix_is_looked_up_in_an_index_of_trigrams(filled: Database) -> None:
    engine = create_engine(parsed_url(str(filled.url.render_as_string(hide_password=False))))
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            asked = "SELECT rowid FROM patient_names WHERE patient_names MATCH 'name_folded : \"mith\"'"
            plan = str(connection.execute(text(f"EXPLAIN QUERY PLAN {asked}")).all())
        else:
            connection.execute(text("SET enable_seqscan = off"))
            asked = "SELECT key FROM patient_records WHERE name_folded LIKE '%mith%'"
            plan = str(connection.execute(text(f"EXPLAIN {asked}")).all())
    engine.dispose()

    assert "VIRTUAL TABLE INDEX" in plan or "patient_names_folded" in plan
