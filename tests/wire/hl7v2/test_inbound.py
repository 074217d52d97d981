"""Which messages are taken, and what is said of the others."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.kernel.errors import Invalid
from hilum.wire.hl7v2 import inbound
from hilum.wire.hl7v2.ack import header_of, salvaged_header
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.message import Message

_FOLDER = Path(__file__).parents[2] / "data" / "hl7"
_GOLDEN = sorted(path.read_bytes().replace(b"\n", b"\r") for path in _FOLDER.glob("*.hl7"))


def _message(
    kind: str = "ADT^A08", control_id: str = "7", processing: str = "P", version: str = "2.5.1"
) -> Message:
    header = f"MSH|^~\\&|EHR|STMARY|HILUM|RAD|20261124||{kind}|{control_id}|{processing}|{version}\r"
    return Message((header + "EVN|\rPID|1||1^^^A||Doe\r").encode())


@pytest.mark.parametrize("raw", _GOLDEN)
def test_every_golden_message_is_understood(raw: bytes) -> None:
    assert inbound.command(Message(raw))


@pytest.mark.parametrize(
    ("message", "location", "condition"),
    [
        (_message(kind=""), "MSH^1^9^1^1", Condition.REQUIRED_FIELD_MISSING),
        (_message(kind="ZZZ^Z01"), "MSH^1^9^1^1", Condition.UNSUPPORTED_MESSAGE_TYPE),
        (_message(kind="ADT"), "MSH^1^9^1^2", Condition.UNSUPPORTED_EVENT),
        (_message(kind="ADT^A99"), "MSH^1^9^1^2", Condition.UNSUPPORTED_EVENT),
        (_message(kind="ORU^R30"), "MSH^1^9^1^2", Condition.UNSUPPORTED_EVENT),
        (_message(processing="X"), "MSH^1^11", Condition.UNSUPPORTED_PROCESSING_ID),
        (_message(version="3.0"), "MSH^1^12", Condition.UNSUPPORTED_VERSION),
        (_message(control_id=""), "MSH^1^10", Condition.REQUIRED_FIELD_MISSING),
    ],
)
def test_what_is_not_supported_is_named_by_table_0357(
    message: Message, location: str, condition: Condition
) -> None:
    with pytest.raises(MessageInvalid) as caught:
        inbound.command(message)

    assert caught.value.location == location
    assert caught.value.condition is condition


@pytest.mark.parametrize("version", ["2.1", "2.3", "2.3.1", "2.5.1", "2.8.2", ""])
def test_every_version_2_is_read(version: str) -> None:
    assert inbound.command(_message(version=version))


def test_an_envelope_says_what_identifies_the_message() -> None:
    message = _message()

    found = inbound.envelope(message.raw, header_of(message))

    assert found.control_id == "7"
    assert found.message_type == "ADT^A08"
    assert (found.sending_application, found.sending_facility) == ("EHR", "STMARY")
    assert found.digest == hashlib.sha256(message.raw).hexdigest()
    assert found.raw is message.raw


@given(st.binary(max_size=120))
def test_an_envelope_can_be_made_of_anything(raw: bytes) -> None:
    for start in (b"", b"MSH|^~\\&|", b"MSH|^~\\&|A|B|||||ADT^A01|"):
        found = inbound.envelope(start + raw, salvaged_header(start + raw))

        assert found.control_id.isprintable()
        assert len(found.control_id) <= 200


@given(st.sampled_from(_GOLDEN), st.data())
def test_a_damaged_message_is_understood_or_refused_but_never_breaks_the_reader(
    raw: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(raw)))
    length = data.draw(st.integers(0, 30))
    patch = data.draw(
        st.binary(max_size=20) | st.sampled_from([b"|", b"^^^^", b"~", b"\r", b"&", b"\\", b'""'])
    )
    damaged = raw[:at] + patch + raw[at + length :]

    try:
        found = inbound.command(Message(damaged))
    except Invalid as error:
        found = error.what

    assert found
