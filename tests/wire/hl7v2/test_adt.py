"""ADT: what a message says of a patient, and which records it merges."""

from collections.abc import Callable

import pytest

from hilum.core.exchange.model import MergePatients, RegisterPatient
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.wire.hl7v2 import adt, inbound
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.message import Message

Golden = Callable[[str], Message]

_HEADER = "MSH|^~\\&|EHR|STMARY|HILUM|RAD|20261124||ADT^{event}|7|P|2.5.1||||||UNICODE UTF-8\r"


def _read(pid: str, event: str = "A08", *rest: str) -> RegisterPatient | MergePatients:
    raw = "\r".join([_HEADER.format(event=event) + pid, *rest]) + "\r"
    found = inbound.command(Message(raw.encode()))
    assert isinstance(found, RegisterPatient | MergePatients)
    return found


def _statement(pid: str) -> PatientStatement:
    found = _read(pid)
    assert isinstance(found, RegisterPatient)
    return found.statement


def test_a_registration_names_the_patient(golden: Golden) -> None:
    found = inbound.command(golden("adt_a04"))

    assert found == RegisterPatient(
        PatientStatement(
            identifiers=(Identifier("4711", "STMARY"), Identifier("999887777", "SSA")),
            demographics=Demographics(
                name="Öztürk-Doe^Anna^Maria^Dr.^Jr.",
                birth_date="19700131",
                sex="F",
                address="12 Sample Road, Apt 4, Exampletown, TX 77001, USA",
                telephone="+1 555 5550100",
            ),
        )
    )


def test_hl7_nulls_delete_and_empty_fields_say_nothing(golden: Golden) -> None:
    found = inbound.command(golden("adt_a08_nulls"))

    assert isinstance(found, RegisterPatient)
    assert found.statement.demographics == Demographics(name="Doe^Anna")
    assert found.statement.deleted == {"birth_date", "sex", "address", "telephone"}


def test_a_japanese_name_has_its_three_forms(golden: Golden) -> None:
    found = inbound.command(golden("adt_a08_iso_2022_jp"))

    assert isinstance(found, RegisterPatient)
    assert found.statement.demographics.name == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_a40_merges_mrg_1_into_pid_3(golden: Golden) -> None:
    found = inbound.command(golden("adt_a40"))

    assert isinstance(found, MergePatients)
    ((survivor, retired),) = found.pairs
    assert survivor.identifiers == (Identifier("4711", "STMARY"),)
    assert survivor.demographics.birth_date == "19700131"
    assert retired.identifiers == (Identifier("4712", "STMARY"),)
    assert retired.demographics == Demographics(name="Do^Ana")


def test_a40_with_several_patient_groups_is_several_merges(golden: Golden) -> None:
    found = inbound.command(golden("adt_a40_two_groups"))

    assert isinstance(found, MergePatients)
    assert [
        ([each.value for each in survivor.identifiers], [each.value for each in retired.identifiers])
        for survivor, retired in found.pairs
    ] == [(["1"], ["2"]), (["3"], ["4", "5"])]


@pytest.mark.parametrize("event", sorted(adt.DEMOGRAPHIC_EVENTS))
def test_every_demographic_event_registers(event: str) -> None:
    found = _read("PID|1||1^^^A||Doe", event)

    assert isinstance(found, RegisterPatient)


@pytest.mark.parametrize("event", sorted(adt.MERGE_EVENTS))
def test_every_merge_event_merges(event: str) -> None:
    found = _read("PID|1||1^^^A||Doe", event, "MRG|2^^^A")

    assert isinstance(found, MergePatients)


@pytest.mark.parametrize(
    ("pid_3", "expected"),
    [
        ("1^^^A", [("1", "A")]),
        ("1^^^A&1.2.3&ISO", [("1", "A")]),
        ("1^^^&1.2.3&ISO", [("1", "1.2.3")]),
        ("1", [("1", "")]),
        ("9^^^SSA^SS~1^^^A^MR", [("1", "A"), ("9", "SSA")]),
        ("^^^A~1^^^A~1^^^A", [("1", "A")]),
        ('""~ 1 ^^^ A ', [("1", "A")]),
        ("a\\T\\b^^^A", [("a&b", "A")]),
        ("a\\X00\\b^^^A", [("a b", "A")]),
    ],
)
def test_identifiers_carry_their_assigning_authority_best_first(
    pid_3: str, expected: list[tuple[str, str]]
) -> None:
    found = _statement(f"PID|1||{pid_3}||Doe")

    assert [(each.value, each.issuer) for each in found.identifiers] == expected


@pytest.mark.parametrize(
    ("pid_5", "expected"),
    [
        ("Doe^John^Q^III^Sir", "Doe^John^Q^Sir^III"),
        ("van der Berg&van der&Berg^Jan", "van der Berg^Jan"),
        ("Doe", "Doe"),
        ("^John", "^John"),
        ("Alias^A^^^^^A~Legal^L^^^^^L", "Legal^L"),
        ("Evil\\S\\x=y\\E\\z^J\\.br\\ohn", "Evil x y z^J ohn"),
        ("山田^太郎^^^^^L^I", "=山田^太郎"),
        ('""', ""),
    ],
)
def test_a_name_becomes_a_dicom_pn(pid_5: str, expected: str) -> None:
    found = _statement(f"PID|1||1^^^A||{pid_5}")

    assert found.demographics.name == expected


@pytest.mark.parametrize(
    ("pid_7", "expected"),
    [
        ("19700131", "19700131"),
        ("19700131235959.1234+0100", "19700131"),
        ("1970", ""),
        ("197001", ""),
        ("", ""),
    ],
)
def test_a_birth_date_is_a_day_or_nothing(pid_7: str, expected: str) -> None:
    found = _statement(f"PID|1||1^^^A||Doe||{pid_7}")

    assert found.demographics.birth_date == expected


@pytest.mark.parametrize("pid_7", ["19701341", "31.01.1970", "1970-01-31", "x", "197001310"])
def test_a_birth_date_that_is_none_is_a_data_type_error(pid_7: str) -> None:
    with pytest.raises(MessageInvalid, match="is not a date") as caught:
        _statement(f"PID|1||1^^^A||Doe||{pid_7}")

    assert caught.value.location == "PID^1^7^1^1"
    assert caught.value.condition is Condition.DATA_TYPE


@pytest.mark.parametrize(
    ("pid_8", "expected"),
    [("M", "M"), ("f", "F"), ("A", "O"), ("U", ""), ("F^Female^HL70001", "F"), ("9", "")],
)
def test_the_sex_is_a_dicom_word(pid_8: str, expected: str) -> None:
    found = _statement(f"PID|1||1^^^A||Doe|||{pid_8}")

    assert found.demographics.sex == expected


@pytest.mark.parametrize(
    ("segments", "event", "complaint", "location", "condition"),
    [
        (["PID|1||||Doe"], "A08", "holds no identifier", "PID^1^3", Condition.REQUIRED_FIELD_MISSING),
        (["PV1|1"], "A08", "no PID", "PID^1^3", Condition.SEGMENT_SEQUENCE),
        (["PID|1||1"], "A40", "no MRG", "MRG^1^1", Condition.SEGMENT_SEQUENCE),
        (["PID|1||1", "MRG|"], "A40", "holds no identifier", "MRG^1^1", Condition.REQUIRED_FIELD_MISSING),
        (
            ["PID|1||1", "MRG|2", "PID|2||"],
            "A40",
            "no identifier",
            "PID^2^3",
            Condition.REQUIRED_FIELD_MISSING,
        ),
        (["PID|1||" + "1" * 65], "A08", "longer than 64", "PID^1^3", Condition.DATA_TYPE),
        (["PID|1||1^^^" + "A" * 200], "A08", "longer than 199", "PID^1^3", Condition.DATA_TYPE),
        (["PID|1||1||" + "n" * 300], "A08", "PID-5 is longer than", "PID^1^5", Condition.DATA_TYPE),
        (["PID|1||1||" + "n" * 70_000], "A08", "longer than 65536", "PID", Condition.APPLICATION_INTERNAL),
    ],
)
def test_what_is_missing_is_named_with_its_place(
    segments: list[str], event: str, complaint: str, location: str, condition: Condition
) -> None:
    with pytest.raises(MessageInvalid, match=complaint) as caught:
        _read(segments[0], event, *segments[1:])

    assert caught.value.location == location
    assert caught.value.condition is condition


@pytest.mark.parametrize(
    ("segments", "event", "complaint"),
    [
        (["PID|1||" + "~".join(f"{number}^^^A" for number in range(65))], "A08", "more than 64 identifiers"),
        (
            ["PID|1||1^^^A", *(f"MRG|{number}^^^A" for number in range(2, 260))],
            "A40",
            "more than 256 patients",
        ),
    ],
)
def test_one_message_may_not_ask_for_endless_work(segments: list[str], event: str, complaint: str) -> None:
    with pytest.raises(MessageInvalid, match=complaint):
        _read(segments[0], event, *segments[1:])
