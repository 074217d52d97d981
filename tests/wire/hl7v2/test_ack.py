"""Acknowledgements: what goes back, in both modes and versions, and what a peer's answer means."""

from datetime import UTC, datetime, timedelta, timezone

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.wire.hl7v2.ack import (
    Acknowledgement,
    Complaint,
    Outcome,
    acknowledge,
    acknowledgement,
    header_of,
    salvaged_header,
)
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.message import Message
from hilum.wire.hl7v2.mllp import frame

_AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
_HEADER = "MSH|^~\\&|RIS|STMARY|HILUM|RAD|20261124093000||{type}|MSG-7|P|{version}|||{accept}|{application}||{charset}\r"


def _answer(
    outcome: Outcome = Outcome.ACCEPTED,
    *complaints: Complaint,
    version: str = "2.5.1",
    kind: str = "ADT^A08^ADT_A01",
    accept: str = "",
    application: str = "",
    charset: str = "",
) -> Message | None:
    raw = _HEADER.format(version=version, type=kind, accept=accept, application=application, charset=charset)
    header = header_of(Message(raw.encode()))
    answer = acknowledge(header, outcome, control_id="H1", at=_AT, complaints=complaints)
    return None if answer is None else Message(answer)


def test_an_acceptance_names_the_message_and_swaps_sender_and_receiver() -> None:
    answer = _answer()

    assert answer is not None
    assert answer.raw == (
        b"MSH|^~\\&|HILUM|RAD|RIS|STMARY|20261124093000+0000||ACK^A08^ACK|H1|P|2.5.1\rMSA|AA|MSG-7\r"
    )


@pytest.mark.parametrize(
    ("accept", "application", "outcome", "code"),
    [
        ("", "", Outcome.ACCEPTED, "AA"),
        ("", "", Outcome.ERROR, "AE"),
        ("", "", Outcome.REJECTED, "AR"),
        ("AL", "NE", Outcome.ACCEPTED, "CA"),
        ("AL", "NE", Outcome.ERROR, "CE"),
        ("AL", "NE", Outcome.REJECTED, "CR"),
        ("AL", "AL", Outcome.ACCEPTED, "CA"),
        ("NE", "AL", Outcome.ACCEPTED, "AA"),
        ("NE", "AL", Outcome.ERROR, "AE"),
        ("", "AL", Outcome.ACCEPTED, "AA"),
        ("ER", "NE", Outcome.ACCEPTED, ""),
        ("ER", "NE", Outcome.ERROR, "CE"),
        ("SU", "NE", Outcome.ACCEPTED, "CA"),
        ("SU", "NE", Outcome.ERROR, ""),
        ("NE", "ER", Outcome.REJECTED, "AR"),
        ("NE", "NE", Outcome.ERROR, ""),
    ],
)
def test_msh_15_and_16_choose_the_acknowledgement(
    accept: str, application: str, outcome: Outcome, code: str
) -> None:
    answer = _answer(outcome, accept=accept, application=application)

    assert (answer["MSA-1"] if answer else "") == code


@pytest.mark.parametrize("version", ["2.5", "2.5.1", "2.8", ""])
def test_from_2_5_on_err_says_where_what_and_how_bad(version: str) -> None:
    complaint = Complaint(
        "PID-3 is empty", "PID^1^3", Condition.REQUIRED_FIELD_MISSING, "send PID-3.1 | PID-3.4"
    )

    answer = _answer(Outcome.ERROR, complaint, version=version)

    assert answer is not None
    assert answer["MSA-3"] == "PID-3 is empty"
    assert answer["ERR-1"] == ""
    assert answer["ERR-2"] == "PID^1^3"
    assert answer["ERR-3"] == "101^Required field missing^HL70357"
    assert answer["ERR-4"] == "E"
    assert answer["ERR-7"] == "send PID-3.1 | PID-3.4"
    assert answer["ERR-8"] == "PID-3 is empty"


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.3.1", "2.4"])
def test_before_2_5_err_1_says_where_and_what(version: str) -> None:
    answer = _answer(
        Outcome.ERROR,
        Complaint("PID-3 is empty", "PID^1^3", Condition.REQUIRED_FIELD_MISSING),
        version=version,
    )

    assert answer is not None
    assert answer.octets("ERR-1") == b"PID^1^3^101&Required field missing"
    assert answer["ERR-2"] == ""
    assert answer["MSA-3"] == "PID-3 is empty"


def test_each_complaint_has_an_err_segment() -> None:
    answer = _answer(Outcome.ERROR, Complaint("one", "PID^1^3"), Complaint("two", "OBR^2^4"))

    assert answer is not None
    assert [error["ERR-8"] for error in answer.segments("ERR")] == ["one", "two"]


@pytest.mark.parametrize(
    ("version", "kind", "expected"),
    [
        ("2.5.1", "ADT^A40^ADT_A39", "ACK^A40^ACK"),
        ("2.3.1", "ORM^O01", "ACK^O01^ACK"),
        ("2.3", "ORM^O01", "ACK^O01"),
        ("2.5.1", "ORU", "ACK"),
    ],
)
def test_the_type_of_the_answer_follows_the_version(version: str, kind: str, expected: str) -> None:
    answer = _answer(version=version, kind=kind)

    assert answer is not None
    assert answer["MSH-9"] == expected


def test_the_character_set_and_the_bytes_of_names_go_back_unchanged() -> None:
    raw = _HEADER.format(version="2.5.1", type="ADT^A08", accept="", application="", charset="8859/1")
    header = header_of(Message(raw.replace("RIS", "RÄD").encode("latin-1")))

    answer = acknowledge(header, Outcome.ACCEPTED, control_id="H1", at=_AT)

    assert answer is not None
    assert Message(answer)["MSH-18"] == "8859/1"
    assert Message(answer)["MSH-5"] == "RÄD"


def test_other_delimiters_are_answered_in_kind() -> None:
    header = header_of(Message(b"MSH#*+!:#A#B#C#D###ADT*A08#77#P#2.5.1\r"))

    answer = acknowledge(
        header, Outcome.ERROR, control_id="H1", at=_AT, complaints=[Complaint("a#b", "PID^1^3")]
    )

    assert answer is not None
    assert Message(answer)["ERR-2"] == "PID*1*3"
    assert Message(answer)["MSA-3"] == "a#b"
    assert Message(answer)["MSA-2"] == "77"


@pytest.mark.parametrize(
    ("raw", "control_id"),
    [
        (b"", b""),
        (b"not HL7 at all", b""),
        (b"MSH", b""),
        (b"MSH|^^\\&|RIS||||||ADT^A08|7|P|2.3", b""),
        (b"\r\nMSH|^~\\&|RIS||||||ADT^A08|7|P|2.3\rpid|broken", b"7"),
        (b"MSH|^~\\&|RIS||||||ADT^A08|7|P|2.3||||||KLINGON\rPID|1", b"7"),
        (b"MSH|^~\\&|RIS||||||ADT^A08|7|P|2.3\rPID|\0", b"7"),
        (b"MSH|^~\\&|RIS||||||ADT^A08|7", b"7"),
    ],
)
def test_what_cannot_be_read_is_still_answered(raw: bytes, control_id: bytes) -> None:
    header = salvaged_header(raw)

    answer = acknowledge(
        header, Outcome.REJECTED, control_id="H1", at=_AT, complaints=[Complaint("unreadable")]
    )

    assert answer is not None
    assert Message(answer)["MSA-1"] == "AR"
    assert Message(answer).octets("MSA-2") == control_id
    assert Message(answer)["MSA-3"] == "unreadable"


@given(st.binary(max_size=200), st.text(max_size=40), st.text(max_size=20))
def test_whatever_comes_in_the_answer_is_one_clean_acknowledgement(
    raw: bytes, text: str, location: str
) -> None:
    for start in (b"", b"MSH|^~\\&|", b"MSH|^~\\&|A|B|C|D|||ADT^A01|", b"MSH#*+!:#"):
        header = salvaged_header(start + raw)

        answer = acknowledge(
            header,
            Outcome.ERROR,
            control_id="H1",
            at=_AT,
            complaints=[Complaint(text, location)],
        )

        if answer is not None:
            assert Message(answer).names == ["MSH", "MSA", "ERR"]
            assert frame(answer)


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (_AT, "20261124093000+0000"),
        (_AT.replace(tzinfo=None), "20261124093000"),
        (_AT.replace(tzinfo=timezone(timedelta(hours=-5))), "20261124093000-0500"),
    ],
)
def test_the_moment_is_written_with_its_offset(at: datetime, written: str) -> None:
    answer = acknowledge(salvaged_header(b""), Outcome.ACCEPTED, control_id="H1", at=at)

    assert answer is not None
    assert Message(answer)["MSH-7"] == written


def test_an_outside_reader_reads_the_answer() -> None:
    answer = _answer(Outcome.ERROR, Complaint("what | where", "PID^1^3"))

    assert answer is not None
    read = hl7.parse(answer.raw.decode())
    assert str(read.segment("MSA")[1]) == "AE"
    assert str(read.segment("MSA")[2]) == "MSG-7"
    assert str(read.segment("ERR")[2]) == "PID^1^3"


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ("MSA|AA|9", Acknowledgement("AA", "9", "")),
        ("MSA|CA|9", Acknowledgement("CA", "9", "")),
        ("MSA|AE|9|bad patient", Acknowledgement("AE", "9", "bad patient")),
        (
            "MSA|AE|9\rERR||PID^1^3|101^Required field missing^HL70357|E|||more|user text",
            Acknowledgement("AE", "9", "user text; more; Required field missing; PID^1^3", ("101",)),
        ),
        (
            "MSA|AR|9|x\rERR|PID^1^3^101&Required",
            Acknowledgement("AR", "9", "x; PID^1^3^101&Required", ("101",)),
        ),
    ],
)
def test_a_peers_answer_is_read_with_its_reasons(segments: str, expected: Acknowledgement) -> None:
    message = Message(f"MSH|^~\\&|EHR||HILUM||||ACK|1|P|2.5.1\r{segments}\r".encode())

    found = acknowledgement(message)

    assert found == expected
    assert found.accepted == (expected.code in {"AA", "CA"})


@pytest.mark.parametrize(
    ("segments", "complaint"), [("PID|1", "no MSA"), ("MSA||9", "empty"), ("MSA|OK|9", "0008")]
)
def test_an_answer_that_is_none_is_an_error(segments: str, complaint: str) -> None:
    message = Message(f"MSH|^~\\&|EHR||HILUM||||ACK|1|P|2.5.1\r{segments}\r".encode())

    with pytest.raises(MessageInvalid, match=complaint):
        acknowledgement(message)
