"""The contract of the patient index, on each database."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hilum.core.kernel.errors import Conflict, Invalid
from hilum.core.kernel.identifiers import Identifier, IdentifierMatch
from hilum.core.kernel.transaction import Transaction
from hilum.core.patients.model import Demographics, PatientQuery, PatientRecord
from hilum.core.patients.ports import PatientsTransaction
from hilum.stores.sql import Database

DOE = Demographics("Doe^Jane^Q", "19700101", "F", "1 High St", "555")


def record(tx: Transaction, value: str = "1", issuer: str = "A", shown: Demographics = DOE) -> PatientRecord:
    return PatientRecord(
        0, tx.fresh_key(), Identifier(value, issuer), shown, None, 0, True, 1, tx.now, tx.now
    )


def added(
    database: Database, value: str = "1", issuer: str = "A", shown: Demographics = DOE
) -> PatientRecord:
    return database.write(lambda tx: tx.patients.add(record(tx, value, issuer, shown)))


def test_a_record_reads_back_as_it_was_kept(database: Database) -> None:
    kept = added(database)

    reads: list[Callable[[PatientsTransaction], PatientRecord | None]] = [
        lambda tx: tx.patients.by_identifier(Identifier("1", "A")),
        lambda tx: tx.patients.by_key(kept.key),
        lambda tx: tx.patients.by_public_id(kept.public_id),
        lambda tx: tx.patients.by_value("1")[0],
    ]

    assert kept.root_key == kept.key > 0
    assert [database.read(read) for read in reads] == [kept] * 4
    read = database.read(lambda tx: tx.patients.by_key(kept.key))
    assert read is not None
    assert read.created.tzinfo is UTC


def test_the_same_value_and_issuer_is_kept_once(database: Database) -> None:
    added(database)

    with pytest.raises(Conflict) as refusal:
        added(database)

    assert "Doe" not in str(refusal.value)
    assert database.read(lambda tx: tx.patients.count(PatientQuery())) == 1


def test_the_same_value_of_another_issuer_is_another_record(database: Database) -> None:
    first, second = added(database, issuer="A"), added(database, issuer="")

    assert database.read(lambda tx: tx.patients.by_value("1")) == [first, second]
    assert database.read(lambda tx: tx.patients.by_identifier(Identifier("1"))) == second


def test_issuers_are_named_once_without_the_empty_one(database: Database) -> None:
    for value, issuer in (("1", "B"), ("2", ""), ("3", "A"), ("4", "B")):
        added(database, value, issuer)

    assert database.read(lambda tx: tx.patients.issuers()) == ["A", "B"]


def test_changes_raise_the_version_and_the_moment(database: Database) -> None:
    before = added(database, issuer="")
    married = Demographics("Roe^Jane", "19700101", "F")

    database.write(lambda tx: tx.patients.put_demographics(before, married, authoritative=False))
    database.write(lambda tx: tx.patients.put_issuer(before, "Z"))

    after = database.read(lambda tx: tx.patients.by_key(before.key))
    assert after is not None
    assert (after.version, after.identifier, after.demographics) == (3, Identifier("1", "Z"), married)
    assert after.updated > before.updated
    assert not after.authoritative
    assert database.read(lambda tx: tx.patients.find(PatientQuery(name="roe"))) == [after]


def test_an_issuer_that_is_taken_is_a_conflict(database: Database) -> None:
    added(database, issuer="A")
    other = added(database, issuer="")

    with pytest.raises(Conflict):
        database.write(lambda tx: tx.patients.put_issuer(other, "A"))


def test_pointers_are_set_followed_and_taken_back(database: Database) -> None:
    root, one, two = added(database, "1"), added(database, "2"), added(database, "3")

    def merge(tx: PatientsTransaction) -> None:
        tx.patients.point(one, root.key)
        tx.patients.point(two, one.key)
        tx.patients.put_root([one.key, two.key], root.key)

    database.write(merge)
    linked = database.read(lambda tx: [kept.key for kept in tx.patients.linked(root.key)])
    below = database.read(lambda tx: [kept.key for kept in tx.patients.pointing_at(one.key)])
    database.write(lambda tx: tx.patients.point(one, None))

    assert linked == [root.key, one.key, two.key]
    assert below == [two.key]
    restored = database.read(lambda tx: tx.patients.by_key(one.key))
    assert restored is not None
    assert (restored.survivor_key, restored.version) == (None, 3)


def test_merged_records_are_found_only_when_asked_for(database: Database) -> None:
    root, merged = added(database, "1"), added(database, "2")
    database.write(lambda tx: tx.patients.point(merged, root.key))

    plain = database.read(lambda tx: tx.patients.find(PatientQuery()))
    all_of_them = database.read(lambda tx: tx.patients.find(PatientQuery(include_merged=True)))

    assert [kept.key for kept in plain] == [root.key]
    assert [kept.key for kept in all_of_them] == [merged.key, root.key]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (PatientQuery(name="jan"), {"1"}),
        (PatientQuery(name="DOE JA"), {"1"}),
        (PatientQuery(name="ane"), set()),
        (PatientQuery(family="jane"), set()),
        (PatientQuery(family="straß"), {"2"}),
        (PatientQuery(family="STRASS"), {"2"}),
        (PatientQuery(given="q"), {"1"}),
        (PatientQuery(name="山田"), {"3"}),
        (PatientQuery(given="たろう"), {"3"}),
        (PatientQuery(name="%"), set()),
        (PatientQuery(name="_oe"), set()),
        (PatientQuery(birth_date="19700101"), {"1", "2", "3"}),
        (PatientQuery(sex="M"), {"2", "3"}),
        (PatientQuery(identified_by=(IdentifierMatch("2"),)), {"2"}),
        (PatientQuery(identified_by=(IdentifierMatch("2", "B"),)), set()),
        (PatientQuery(identified_by=(IdentifierMatch("2", "A"),)), {"2"}),
        (PatientQuery(public_id="none"), set()),
        (PatientQuery(updated_since=datetime(2020, 1, 1, tzinfo=UTC)), {"1", "2", "3"}),
        (PatientQuery(updated_before=datetime(2020, 1, 1, tzinfo=UTC)), set()),
    ],
)
def test_searches_find_what_they_describe(database: Database, query: PatientQuery, values: set[str]) -> None:
    added(database, "1", "A", DOE)
    added(database, "2", "A", Demographics("Straße^Jörg", "19700101", "M"))
    added(database, "3", "A", Demographics("Yamada^Tarou=山田^太郎=やまだ^たろう", "19700101", "M"))

    found = database.read(lambda tx: tx.patients.find(query))

    assert {kept.identifier.value for kept in found} == values
    assert database.read(lambda tx: tx.patients.count(query)) == len(values)


def test_pages_are_stable_and_newest_change_comes_first(database: Database) -> None:
    keys = [added(database, str(number)).key for number in range(7)]

    pages = [
        database.read(lambda tx, at=at: tx.patients.find(PatientQuery(limit=3, offset=at)))
        for at in (0, 3, 6)
    ]

    assert [kept.key for page in pages for kept in page] == keys[::-1]


def test_a_text_that_has_no_encoding_is_invalid(database: Database) -> None:
    with pytest.raises(Invalid) as refusal:
        added(database, shown=Demographics("a\udce4"))

    assert "dce4" not in str(refusal.value)


def test_a_text_with_a_nul_is_kept_whole_or_invalid(database: Database, database_url: str) -> None:
    shown = Demographics("a\x00b")
    if database_url.startswith("sqlite"):
        assert added(database, shown=shown).demographics == shown
        return

    with pytest.raises(Invalid):
        added(database, shown=shown)


@pytest.mark.parametrize("value", ["' OR 1=1 --", "a\\b", "100%", "a_b", "ä" * 64, "?*"])
def test_values_are_never_part_of_a_statement(database: Database, value: str) -> None:
    added(database, "other")
    kept = added(database, value)

    assert database.read(lambda tx: tx.patients.by_value(value)) == [kept]
    assert database.read(
        lambda tx: tx.patients.find(PatientQuery(identified_by=(IdentifierMatch(value),)))
    ) == [kept]
