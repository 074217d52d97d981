"""Messages: read by path, in every character set, hostile or not; edited without touching other bytes."""

import contextlib

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.wire.hl7v2.body import Limits
from hilum.wire.hl7v2.compose import write_header, write_message, write_segment
from hilum.wire.hl7v2.delimiters import Delimiters
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.message import Message

_HEADER = b"MSH|^~\\&|RIS|STMARY|HILUM|RAD|20261124093000||ADT^A08^ADT_A01|0001|P|2.5.1"
_RAW = (
    _HEADER + b"\rEVN|A08|20261124093000\r"
    b"PID|1||4711^^^STMARY&1.2.3&ISO^MR~999^^^NHS^NH||DOE\\T\\CO^JOHN||19700131|M\r"
    b"ZXX|one|two\r"
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def _with_charset(name: bytes, tail: bytes) -> bytes:
    return _HEADER + b"||||||" + name + b"\r" + tail


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-9.2", "A08"),
        ("MSH-10", "0001"),
        ("PID-3.1", "4711"),
        ("PID-3.4", "STMARY&1.2.3&ISO"),
        ("PID-3.4.2", "1.2.3"),
        ("PID-3[2].4.1", "NHS"),
        ("PID-3[3].1", ""),
        ("PID-5.1", "DOE&CO"),
        ("PID-5", "DOE&CO^JOHN"),
        ("PID-40", ""),
        ("ZXX-2", "two"),
        ("PID[2]-3", ""),
        ("NK1-2", ""),
    ],
)
def test_a_path_reads_decoded_text(place: str, text: str) -> None:
    message = Message(_RAW)

    found = message[place]

    assert found == text


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n"])
def test_segments_may_end_in_cr_crlf_or_lf(end: bytes) -> None:
    message = Message(_RAW.replace(b"\r", end))

    assert message.names == ["MSH", "EVN", "PID", "ZXX"]
    assert message["PID-8"] == "M"
    assert message["ZXX-2"] == "two"


def test_a_lone_line_feed_among_cr_ends_is_text() -> None:
    message = Message(_HEADER + b"\rOBX|1|TX|||first\nsecond\r")

    assert message["OBX-5"] == "first\nsecond"


def test_other_delimiters_are_taken_from_the_header() -> None:
    message = Message(b"MSH#*+!:#APP#\rPID###1*2+3*4:5#a!F!b\r")

    assert message["PID-3[2].2.2"] == "5"
    assert message["PID-4"] == "a#b"


def test_the_truncation_character_of_2_7_is_a_delimiter() -> None:
    message = Message(b"MSH|^~\\&#|APP\rPID|1||a\\P\\b\r")

    assert message["PID-3"] == "a#b"
    assert message.with_value("PID-3", "#1").octets("PID-3") == b"\\P\\1"


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (rb"\F\\S\\T\\R\\E\ ", "|^&~\\ "),
        (rb"one\.br\two", "one\ntwo"),
        (rb"one\.sp2\two\.sk3\x", "one\n\ntwo   x"),
        (rb"\H\bold\N\\.in+4\\.ti-2\\.ce\c", "bold\nc"),
        (rb"\X0D0A\end", "\r\nend"),
        (rb"\X41\\XZZ\\X4\ ", r"A\XZZ\\X4\ "),
        (rb"C:\temp\F\T\x", "C:\\temp|T\\x"),
        (rb"\Zlocal\\C2842\ ", r"\Zlocal\\C2842\ "),
        (rb"\.sp999\ ", "\n" * 9 + " "),
    ],
)
def test_escape_sequences_are_read_and_unknown_ones_kept(escaped: bytes, text: str) -> None:
    message = Message(_HEADER + b"\rNTE|1||" + escaped + b"\r")

    assert message["NTE-3"] == text


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        (b"", "utf-8", "MÜLLER"),
        (b"", "cp1252", "MÜLLER€"),
        (b"ASCII", "cp1252", "MÜLLER"),
        (b"8859/1", "iso8859_1", "MÜLLER"),
        (b"8859/2", "iso8859_2", "ŁÓDŹ"),
        (b"8859/5", "iso8859_5", "Люк"),
        (b"8859/15", "iso8859_15", "MÜLLER€"),
        (b"ISO-8859-1", "iso8859_1", "MÜLLER"),
        (b"ISO_IR 100", "iso8859_1", "MÜLLER"),
        (b"UNICODE UTF-8", "utf-8", "山田😀"),
        (b"UTF-8", "utf-8", "山田"),
        (b"UNICODE", "utf-8", "山田"),
        (b"~ISO IR87", "iso2022_jp", "山田^太郎"),
        (b"ASCII~ISO IR87~ISO IR159", "iso2022_jp", "表\\"),
        (b"KS X 1001", "euc_kr", "김희중"),
        (b"GB 18030-2000", "gb18030", "王小东𠀀"),
        (b"BIG-5", "big5", "功蓋許"),
    ],
)
def test_the_character_set_of_msh_18_decodes_names(declared: bytes, codec: str, text: str) -> None:
    written = text.replace("\\", "\\E\\").encode(codec)
    message = Message(_with_charset(declared, b"PID|1||1||" + written + b"||19700131\r"))

    assert message["PID-5"] == text
    assert message["PID-7"] == "19700131"


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        (b"~ISO IR87", "iso2022_jp", "山田|太郎"),
        (b"GB 18030-2000", "gb18030", "王|小东"),
        (b"BIG-5", "big5", "功蓋許"),
        (b"8859/2", "iso8859_2", "ŁÓDŹ|"),
    ],
)
def test_an_edit_is_written_in_the_character_set_of_the_message(
    declared: bytes, codec: str, text: str
) -> None:
    message = Message(_with_charset(declared, b"PID|1||1||A^" + "".encode(codec) + b"B\rNTE|1||x\r"))

    after = message.with_value("PID-5.1", text)

    assert after["PID-5.1"] == text
    assert after["PID-5.2"] == "B"
    assert after["NTE-3"] == "x"


def test_an_unknown_character_set_is_an_error_that_names_msh_18() -> None:
    with pytest.raises(MessageInvalid, match="MSH-18 names the character set 'KLINGON'") as caught:
        Message(_with_charset(b"KLINGON", b"PID|1\r"))

    assert caught.value.location == "MSH^1^18"
    assert caught.value.condition is Condition.TABLE_VALUE_NOT_FOUND


def test_declared_utf_8_that_is_none_is_an_error_when_the_text_is_read() -> None:
    message = Message(_with_charset(b"UNICODE UTF-8", b"PID|1||1||M\xdcLLER\r"))

    with pytest.raises(MessageInvalid, match="not in the character set"):
        _ = message["PID-5"]


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "empty"),
        (b"\r\n\r\n", "empty"),
        (b"hello", "does not start with MSH"),
        (b"PID|1||2\rMSH|^~\\&|", "does not start with MSH"),
        (b"FHS|^~\\&|\r", "does not start with MSH"),
        (b"MSH", "four or five"),
        (b"MSH|", "four or five"),
        (b"MSH|^~|x", "four or five"),
        (b"MSH|^~\\&#$|x", "four or five"),
        (b"MSH ^~\\& x", "four or five"),
        (b"MSHA^~\\&Ax", "four or five"),
        (b"MSH|^^\\&|x", "twice"),
        (b"MSH|^~|&|x", "four or five"),
        (_HEADER + b"\r\0PID|", "NUL"),
        (_RAW.decode().encode("utf-16"), "UTF-16"),
        (_RAW.decode().encode("utf-16-le"), "UTF-16"),
        (_HEADER + b"\rPI", "segment name"),
        (_HEADER + b"\rPID^1", "segment name"),
        (_HEADER + b"\rpid|1", "segment name"),
        (_HEADER + b"\rOBX|1|TX|||line\rsecond line\r", "segment name"),
    ],
)
def test_what_is_no_message_gives_a_clear_error(raw: bytes, complaint: str) -> None:
    with pytest.raises(MessageInvalid, match=complaint) as caught:
        Message(raw)

    assert caught.value.location


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (_HEADER + b"|" * 100 + b"\r", "more than 50 fields"),
        (_HEADER + b"\rNTE|1" * 20, "more than 10 segments"),
        (_HEADER + b"|" + b"x" * 600, "more than 500 bytes"),
        (_HEADER + b"\rNTE|" + b"x" * 2000, "more than 1000 bytes"),
    ],
)
def test_limits_are_errors_that_name_the_limit(raw: bytes, complaint: str) -> None:
    with pytest.raises(MessageInvalid, match=complaint):
        Message(raw, Limits(length=1000, segments=10, fields=50, header=500))


def test_too_many_repetitions_are_an_error_not_a_list() -> None:
    message = Message(_HEADER + b"\rPID|1||" + b"~" * 500, Limits(repetitions=100))

    with pytest.raises(MessageInvalid, match="more than 100 repetitions"):
        message.repetitions("PID-3")


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_message_error(tail: bytes) -> None:
    for raw in (tail, _HEADER + b"\r" + tail, b"MSH" + tail, _with_charset(b"~ISO IR87", b"PID|" + tail)):
        with contextlib.suppress(MessageInvalid):
            message = Message(raw)
            assert isinstance(message["PID-5.1"] + message["MSH-10"] + message["PID-3[2].4.2"], str)


@given(
    _TEXT,
    st.sampled_from(
        ["PID-3.1", "PID-3[4].4.2", "PID-5", "PID-30.2", "MSH-5", "MSH-40", "ZXX-1", "EVN-2.1.3"]
    ),
)
def test_no_value_adds_a_segment_or_a_field_and_every_value_reads_back(text: str, place: str) -> None:
    message = Message(_RAW)
    filled = message.with_value(place, "x")

    after = message.with_value(place, text)

    assert after[place] == text
    assert after.names == message.names
    assert [segment.count(b"|") for segment in after.body.segments] == [
        segment.count(b"|") for segment in filled.body.segments
    ]
    assert [segment.count(b"^") for segment in after.body.segments] == [
        segment.count(b"^") for segment in filled.body.segments
    ]


@given(_TEXT)
def test_a_value_cannot_inject_for_an_outside_reader_either(text: str) -> None:
    before = hl7.parse(_RAW.decode())

    after = hl7.parse(Message(_RAW).with_value("PID-5.1", text).raw.decode())

    assert [str(segment[0]) for segment in after] == [str(segment[0]) for segment in before]
    assert len(after.segment("PID")) == len(before.segment("PID"))


@given(st.text(st.characters(codec="cp1252")))
def test_an_edit_of_an_undeclared_cp1252_message_reads_back_beside_what_was_there(text: str) -> None:
    message = Message(_HEADER + b"\rPID|1||1||M\xdcLLER^X\r")

    after = message.with_value("PID-5.2", text)

    assert (after["PID-5.1"], after["PID-5.2"]) == ("MÜLLER", text)


def test_an_edit_that_would_change_how_other_text_is_read_is_refused() -> None:
    message = Message(_HEADER + b"\rPID|1||1||M\xdcLLER^\xc2\x8c\r")

    with pytest.raises(MessageInvalid, match="cannot be written"):
        message.with_value("PID-5.1", "MULLER")


def test_an_edit_leaves_every_other_byte_alone() -> None:
    raw = b"\r\n" + _RAW.replace(b"\r", b"\r\n").replace(b"ZXX|one", b"ZXX|\\X41\\|\\odd\\ \xff")

    after = Message(raw).with_value("MSH-5", "A|B").with_value("PID-5.2", "JANE")

    assert after.raw == raw.replace(b"HILUM", b"A\\F\\B").replace(b"^JOHN", b"^JANE")


def test_a_list_replaces_all_repetitions_and_a_tuple_writes_components() -> None:
    message = Message(_RAW)

    after = message.with_value("PID-3", [("1", "", "", ("A", "1.2", "ISO")), ("2", "", "", "B")])

    assert after.octets("PID-3") == b"1^^^A&1.2&ISO"
    assert after.raw.count(b"~2^^^B|") == 1


def test_what_cannot_be_written_in_the_message_is_refused() -> None:
    message = Message(_with_charset(b"8859/1", b"PID|1||1||A\r"))

    with pytest.raises(MessageInvalid, match="character set") as caught:
        message.with_value("PID-5", "山田")

    assert caught.value.location == "PID^1^5"


@pytest.mark.parametrize("place", ["MSH-1", "MSH-2", "MSH-18"])
def test_what_says_how_to_read_the_message_is_not_edited_alone(place: str) -> None:
    with pytest.raises(ValueError, match="cannot be changed alone"):
        Message(_RAW).with_value(place, "x")


@pytest.mark.parametrize(("place", "value"), [("PID-5.1", [("A", "B")]), ("PID-5.1.1", ("A", "B"))])
def test_a_value_may_not_reach_above_its_place(place: str, value: object) -> None:
    with pytest.raises(ValueError, match="depth"):
        Message(_RAW).with_value(place, value)  # type: ignore[arg-type]


def test_a_path_that_is_none_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="is not a path"):
        _ = Message(_RAW)["PID.3"]


def test_orders_are_grouped_with_what_follows_them() -> None:
    message = Message(
        _HEADER + b"\rPID|1\rORC|NW\rOBR|1\rNTE|1\rOBR|2\rORC|CA\rTQ1|1\rOBR|3\rIPC|1\rIPC|2\rORC|NW\rOBR|4\r"
    )

    orders = message.groups("ORC", "OBR")

    assert [order.names for order in orders] == [
        ["ORC", "OBR", "NTE"],
        ["OBR"],
        ["ORC", "TQ1", "OBR", "IPC", "IPC"],
        ["ORC", "OBR"],
    ]
    assert [order["OBR-1"] for order in orders] == ["1", "2", "3", "4"]
    assert [step["IPC-1"] for step in orders[2].segments("IPC")] == ["1", "2"]
    assert orders[2].location("OBR-4.1") == "OBR^3^4^1^1"


def test_a_missing_value_is_reported_with_its_place_in_the_whole_message() -> None:
    message = Message(_HEADER + b"\rOBX|1\rOBX|2|TX\r")

    with pytest.raises(MessageInvalid, match="OBX-5 is empty") as caught:
        message.segments("OBX")[1].require("OBX-5")

    assert caught.value.location == "OBX^2^5"
    assert caught.value.condition is Condition.REQUIRED_FIELD_MISSING


def test_repetitions_read_components_and_subcomponents() -> None:
    message = Message(_RAW)

    identifiers = [(each[1], each.subcomponent(4, 2), each[5]) for each in message.repetitions("PID-3")]

    assert identifiers == [("4711", "1.2.3", "MR"), ("999", "", "NH")]
    assert message.repetitions("PID-13") == []


_component = st.one_of(_TEXT, st.lists(_TEXT, min_size=1, max_size=3).map(tuple))
_value = st.one_of(_TEXT, st.lists(_component, min_size=1, max_size=4).map(tuple))


@given(
    st.dictionaries(
        st.integers(1, 12), st.one_of(_value, st.lists(_value, min_size=1, max_size=3)), max_size=5
    )
)
def test_a_written_segment_reads_back_and_holds_no_more_than_was_given(fields: dict) -> None:
    raw = write_message([write_header({10: "1", 18: "UNICODE UTF-8"}), write_segment("ZZZ", fields)])

    message = Message(raw)

    assert message.names == ["MSH", "ZZZ"]
    assert len(message.body.fields(1)) <= max(fields, default=0) + 1
    for number, value in fields.items():
        expected = value if isinstance(value, str) else ""
        if expected:
            assert message[f"ZZZ-{number}"] == expected


def test_a_segment_is_written_with_repetitions_components_and_subcomponents() -> None:
    written = write_segment(
        "PID", {3: [("1", "", "", ("A", "1.2", "ISO"), "MR"), "2"], 5: ("O'N|L", ""), 8: ""}
    )

    assert written == "PID|||1^^^A&1.2&ISO^MR~2||O'N\\F\\L"


def test_a_segment_name_is_not_taken_from_outside_unchecked() -> None:
    with pytest.raises(ValueError, match="is not the name"):
        write_segment("PID|x", {})


def test_delimiters_of_the_message_are_used_for_writing() -> None:
    other = Delimiters("#", "*", "+", "!", ":")

    assert write_segment("PID", {1: "a#b|c", 2: ("x", "*")}, other) == "PID#a!F!b|c#x*!S!"
