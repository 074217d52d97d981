"""Devices that write another character set than they declare, and answers in the character set of who asks."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from hilum.core.kernel.peer_options import PeerOptions
from hilum.wire.dicom.character_sets import character_set_of
from hilum.wire.dicom.data_sets import decoded, encoded
from hilum.wire.dicom.dimse.messages import CFindRequest

CT, EXPLICIT, STUDY_ROOT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.2.2.1"
JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"


def _object(numbered: Any, declared: str | None, name: bytes) -> bytes:

    octets = encoded(
        numbered(1, PatientName="N" * len(name), **({"SpecificCharacterSet": declared} if declared else {})),
        EXPLICIT,
    )
    return octets.replace(b"N" * len(name), name)


def _name(peer: Any, character_set: list[str], asked: str | bytes = "") -> tuple[str, bytes, bytes]:
    """Return the name that is found, its octets, and (0008,0005)."""
    identifier = Dataset()
    identifier.SpecificCharacterSet = character_set
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID, identifier.PatientName = "STUDY", "", asked
    peer.heard.clear()
    status = peer.ask(
        STUDY_ROOT, CFindRequest(AffectedSOPClassUID=STUDY_ROOT, MessageID=7), identifier
    ).Status
    assert status == 0xFF00
    answer = decoded(peer.heard[0], EXPLICIT)
    peer.hear()
    declared, name = answer[0x00080005].value, answer[0x00100010].value
    return character_set_of(declared).decode(name.rstrip(b" "), name=True), name, declared


@pytest.mark.parametrize(
    ("options", "declared", "codec", "name"),
    [
        ({"character_set": "ISO_IR 192"}, "ISO_IR 100", "utf-8", "Müller^Jörg "),
        ({"character_set": "GBK"}, "ISO_IR 100", "gbk", "王^小東"),
        ({"assumed_character_set": "ISO_IR 144"}, None, "iso8859_5", "Иван^Пётр"),
        ({"assumed_character_set": "ISO_IR 144"}, "ISO_IR 100", "latin-1", "Zoë^Anaïs "),
        ({}, None, "utf-8", "Zoë^Anaïs"),
    ],
)
def test_a_peer_is_read_by_the_character_set_that_it_really_writes(
    record: Any,
    port: int,
    dial: Any,
    numbered: Any,
    options: dict[str, str],
    declared: str | None,
    codec: str,
    name: str,
) -> None:
    record.put_peer("LIAR", 104, options=PeerOptions(**options))
    octets = name.encode(codec)
    sent = _object(numbered, declared, octets + b" " * (len(octets) % 2))
    with dial(port, [(CT, [EXPLICIT])], calling="LIAR") as peer:
        status = peer.store(sent, CT, "1.2.3.1.1.1").Status
    with dial(port, [(STUDY_ROOT, [EXPLICIT])]) as peer:
        found, _, _ = _name(peer, ["ISO_IR 192"])

    assert status == 0
    assert found == name.rstrip()
    assert record.data_set("1.2.3.1.1.1") == sent, "its bytes stay as they came"


@pytest.mark.parametrize("declared", ["ISO_IR 999", "KLINGON", "ISO 2022 IR 87\\NONSENSE"])
def test_an_unknown_or_wrong_character_set_keeps_nothing_from_being_stored(
    record: Any, port: int, dial: Any, numbered: Any, declared: str
) -> None:
    sent = _object(numbered, None, b"A\xff\x1b$B\xfe^\x1b\x80")
    value = declared.encode() + b" " * (len(declared) % 2)
    sent = b"\x08\0\5\0CS" + len(value).to_bytes(2, "little") + value + sent
    with dial(port, [(CT, [EXPLICIT]), (STUDY_ROOT, [EXPLICIT])]) as peer:
        status = peer.store(sent, CT, "1.2.3.1.1.1").Status
        found, _, _ = _name(peer, ["ISO_IR 192"])

    assert status == 0
    assert found, "shown as well as can be"
    assert record.data_set("1.2.3.1.1.1") == sent


@pytest.mark.parametrize(
    ("asked", "declared"),
    [
        (["", "ISO 2022 IR 87"], b"\\ISO 2022 IR 87 "),
        (["ISO_IR 192"], b"ISO_IR 192"),
        (["GB18030"], b"GB18030 "),
        (["ISO_IR 100"], b"ISO_IR 192"),
    ],
)
def test_an_answer_is_in_the_character_set_of_who_asks_or_in_utf_8(
    port: int, dial: Any, numbered: Any, asked: list[str], declared: bytes
) -> None:
    made = numbered(1, SpecificCharacterSet="ISO_IR 192", PatientName=JAPANESE)
    with dial(port, [(CT, [EXPLICIT]), (STUDY_ROOT, [EXPLICIT])]) as peer:
        assert peer.store(made).Status == 0
        found, _, said = _name(peer, asked)

    assert found == JAPANESE
    assert said == declared


def test_a_query_is_matched_in_the_character_set_that_its_sender_is_known_for(
    record: Any, port: int, dial: Any, numbered: Any
) -> None:
    record.put_peer("OLD", 104, options=PeerOptions(assumed_character_set="ISO_IR 144"))
    made = numbered(1, SpecificCharacterSet="ISO_IR 192", PatientName="Иван^Пётр")
    with dial(port, [(CT, [EXPLICIT])]) as peer:
        assert peer.store(made).Status == 0
    identifier = b"\x08\0\x52\0CS\6\0STUDY \x10\0\x10\0PN\x06\0" + "Иван^*".encode("iso8859_5")
    with dial(port, [(STUDY_ROOT, [EXPLICIT])], calling="OLD") as peer:
        answer = peer.ask(STUDY_ROOT, CFindRequest(AffectedSOPClassUID=STUDY_ROOT, MessageID=7), identifier)

    assert answer.Status == 0xFF00
    assert "Иван^Пётр".encode("iso8859_5") in peer.heard[0]
