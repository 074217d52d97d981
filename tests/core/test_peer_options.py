"""What a peer's options may say, and which peer a caller is."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.access.admission import Sender, by_sender, calls_from
from hilum.core.access.certificates import Line
from hilum.core.access.model import Peer, PeerKind
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.errors import Invalid, Refused
from hilum.core.kernel.peer_options import OPTIONS, PeerOptions, options_of, said, text_of

CT = Peer("ct", PeerKind.DICOM, "ct.hospital", 104, "CT1", roles=("modality",))
WORDS = st.text("ABCabc123. ", max_size=12).map(str.strip)


def test_options_say_nothing_at_first() -> None:
    assert said(PeerOptions()) == {}
    assert options_of({}) == PeerOptions()


@given(st.lists(WORDS.filter(bool)).map(tuple), WORDS, st.integers(0, 2**31))
def test_what_is_said_is_read_back(permissions: tuple[str, ...], application: str, most: int) -> None:
    options = PeerOptions(permissions=permissions, sending_application=application, maximum_associations=most)

    assert options_of(said(options)) == options
    assert options_of({name: text_of(value) for name, value in said(options).items()}) == options


@pytest.mark.parametrize(
    "values",
    [
        {"colour": "red"},
        {"maximum_associations": "-1"},
        {"maximum_associations": "many"},
        {"maximum_associations": True},
        {"transfer_syntaxes": "JPEG"},
        {"addresses": ["10.0.0.1; rm"]},
        {"sending_application": "a\nb"},
        {"sending_application": "x" * 2000},
        {"addresses": ["10.0.0.1"] * 200},
        {"addresses": 7},
    ],
)
def test_what_makes_no_sense_is_invalid_and_says_what_the_option_is(values: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as raised:
        options_of(values)

    assert raised.value.next_step


def test_every_option_has_a_sentence() -> None:
    assert all(one.metadata["sentence"].endswith(".") for one in OPTIONS.values())


@pytest.mark.parametrize(
    ("place", "address", "calls"),
    [
        ("10.0.0.7", "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.8", False),
        ("10.0.0.0/24", "10.0.0.8", True),
        ("10.0.0.0/24", "10.0.1.8", False),
        ("2001:db8::/32", "2001:db8::7", True),
        ("10.0.0.0/8", "2001:db8::7", False),
        ("ct.hospital", "192.0.2.9", True),
        ("other.hospital", "192.0.2.9", False),
    ],
)
def test_a_peer_calls_from_an_address_a_range_or_a_name(place: str, address: str, *, calls: bool) -> None:
    def resolve(host: str) -> frozenset[str]:
        return frozenset({"192.0.2.9"}) if host == "ct.hospital" else frozenset()

    assert calls_from(replace(CT, host=place), address, resolve) is calls
    elsewhere = replace(CT, host="203.0.113.1", options=PeerOptions(addresses=(place,)))
    assert calls_from(elsewhere, address, resolve) is calls


def test_peers_at_one_address_are_told_apart_by_what_their_messages_say() -> None:
    anyone = Peer("gateway", PeerKind.MLLP)
    ris = replace(anyone, name="ris", options=PeerOptions(sending_application="RIS"))
    east = replace(
        anyone, name="east", options=PeerOptions(sending_application="RIS", sending_facility="EAST")
    )

    peers = [anyone, ris, east]
    assert by_sender(peers, Sender("RIS", "EAST")) == east
    assert by_sender(peers, Sender("RIS", "WEST")) == ris
    assert by_sender(peers, Sender("EHR", "EAST")) == anyone
    assert by_sender([ris, east], Sender("EHR", "EAST")) is None


def test_permissions_of_a_peer_replace_those_of_its_roles(house: Any) -> None:
    only = PeerOptions(permissions=(Permission.ARCHIVE_STORE, Permission.VERIFY))
    house.hub.put_peer(house.operator, replace(CT, host="10.0.0.1", options=only))

    caller = house.hub.admit_association("CT1", Line("10.0.0.1"), "a-trace")

    assert caller.permissions == {Permission.ARCHIVE_STORE, Permission.VERIFY}
    assert caller.options == only


def test_an_unknown_permission_is_not_kept(house: Any) -> None:
    with pytest.raises(Invalid, match="emperor"):
        house.hub.put_peer(house.operator, replace(CT, options=PeerOptions(permissions=("emperor",))))


def test_a_sender_that_nobody_at_the_address_has_is_refused(house: Any) -> None:
    ris = Peer("ris", PeerKind.MLLP, "10.0.0.1", 2575, options=PeerOptions(sending_application="RIS"))
    house.hub.put_peer(house.operator, ris)

    assert house.hub.admit_address(PeerKind.MLLP, Line("10.0.0.1"), "t", Sender("RIS")).name == "ris"
    with pytest.raises(Refused, match="sending application"):
        house.hub.admit_address(PeerKind.MLLP, Line("10.0.0.1"), "t", Sender("EHR"))
