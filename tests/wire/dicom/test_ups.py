"""Data sets of Unified Procedure Steps: hostile ones are refused, keys mean what PS3.4 C.2.2.2 says."""

import json
import re
import struct
import time
from fnmatch import translate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from hilum.core.archive.model import AnyOf, Between, Exact, Wildcard
from hilum.core.kernel.errors import Invalid
from hilum.core.workitems.matching import _like, moment_in
from hilum.core.workitems.model import Key
from hilum.wire.dicom import ups
from hilum.wire.dicom.data_sets import decoded, encoded
from hilum.wire.dicom.ups_query import filter_keys, find_request, search_answer, search_request

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


@given(octets=st.binary(max_size=300), transfer_syntax=st.sampled_from([EXPLICIT, IMPLICIT]))
def test_any_bytes_are_read_or_refused(octets: bytes, transfer_syntax: str) -> None:
    for read in (
        lambda: ups.attributes_of(octets, transfer_syntax),
        lambda: find_request(decoded(octets, transfer_syntax)),
    ):
        try:
            read()
        except Invalid:
            continue


VALUES = st.tuples(
    st.sampled_from([b"CS", b"PN", b"US", b"DS", b"LO", b"DT", b"UI", b"AT", b"FL"]), st.binary(max_size=12)
)
TAGS = st.sampled_from([0x00741000, 0x00100010, 0x00280010, 0x00080005, 0x00404005, 0x00741004, 0x00091010])


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(attributes=st.dictionaries(TAGS, VALUES, max_size=5))
def test_whatever_is_kept_can_be_sent_again(attributes: dict[int, tuple[bytes, bytes]]) -> None:
    octets = b""
    for tag, (vr, value) in sorted(attributes.items()):
        padded = value + b" " * (len(value) % 2)
        octets += struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(padded)) + padded
    try:
        kept = ups.attributes_of(octets, EXPLICIT)
    except Invalid:
        return

    sent = encoded(ups.data_set_of(kept), IMPLICIT)
    assert ups.attributes_of_json(json.dumps(kept).encode()) == kept
    assert ups.attributes_of(sent, IMPLICIT).keys() == kept.keys()


@given(
    parameters=st.dictionaries(st.text(max_size=12), st.lists(st.text(max_size=12), min_size=1, max_size=2))
)
def test_any_parameters_are_read_or_refused(parameters: dict[str, list[str]]) -> None:
    for read in (search_request, filter_keys):
        try:
            read(parameters)
        except Invalid:
            continue


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("2026", Between("2026", "2026")),
        ("20261201093000", Between("20261201093000", "20261201093000")),
        ("20261201093000-0500", Between("20261201093000-0500", "20261201093000-0500")),
        ("2026-2027", Between("2026", "2027")),
        ("20261201-", Between("20261201", "")),
        ("-20261201", Between("", "20261201")),
        ("2026120109-0500-2026120110-0500", Between("2026120109-0500", "2026120110-0500")),
    ],
)
def test_a_key_of_moments_is_a_range(text: str, match: Between) -> None:
    search = search_request({"ScheduledProcedureStepStartDateTime": [text]})

    assert search.query.keys == (Key("00404005", "DT", match),)


@pytest.mark.parametrize("text", ["yesterday", "-", "2026-2027-2028", "20261201 0930"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        search_request({"00404005": [text]})


def test_parameters_below_one_sequence_are_one_key() -> None:
    search = search_request(
        {
            "ScheduledStationNameCodeSequence.CodeValue": ["AI1"],
            "00404025.00080102": ["99H"],
            "ProcedureStepState": ["SCHEDULED,IN PROGRESS"],
            "PatientName": ["Doe*"],
        }
    )

    inner = (Key("00080100", "SH", Exact("AI1")), Key("00080102", "SH", Exact("99H")))
    assert search.query.keys == (
        Key("00404025", "SQ", items=inner),
        Key("00741000", "CS", AnyOf(("SCHEDULED", "IN PROGRESS"))),
        Key("00100010", "PN", Wildcard("Doe*")),
    )


def test_a_filter_may_be_listed_and_must_say_something() -> None:
    listed = filter_keys({"filter": ["WorklistLabel=Reading,PatientID=P1"], "deletionlock": ["true"]})

    assert [key.tag for key in listed] == ["00741202", "00100020"]
    for nothing in ({}, {"filter": ["WorklistLabel="]}, {"filter": ["Nonsense=1"]}):
        with pytest.raises(Invalid):
            filter_keys(nothing)


def test_an_answer_holds_what_was_asked_for_and_its_identity() -> None:
    attributes: dict[str, Any] = {
        "00080018": {"vr": "UI", "Value": ["1.2"]},
        "00400400": {"vr": "LT", "Value": ["note"]},
        "00404052": {"vr": "DT"},
        "00091001": {"vr": "LO", "Value": ["private"]},
    }

    few, every = search_request({}), search_request({"includefield": ["all"]})
    named = search_request({"includefield": ["00091001,00404052"]})

    assert list(search_answer(attributes, few)) == ["00080018", "00400400"]
    assert search_answer(attributes, every) == attributes
    assert "00404052" in search_answer(attributes, named)


def test_keys_nested_too_deeply_are_refused() -> None:
    inner = Dataset()
    inner.CodeValue = "X"
    for _ in range(12):
        around = Dataset()
        around.ScheduledWorkitemCodeSequence = [inner]
        inner = around

    with pytest.raises(Invalid):
        find_request(decoded(encoded(inner, EXPLICIT), EXPLICIT))
    deep: dict[str, Any] = {"00080100": {"vr": "SH", "Value": ["X"]}}
    for _ in range(80):
        deep = {"00404018": {"vr": "SQ", "Value": [deep]}}
    with pytest.raises(Invalid):
        ups.attributes_of_json(json.dumps(deep).encode())


@given(text=st.text("ab*?", max_size=10), pattern=st.text("ab*?", max_size=8))
def test_wild_cards_match_as_everywhere(text: str, pattern: str) -> None:
    plain = text.replace("*", "c").replace("?", "d")

    assert _like(plain, pattern) == bool(re.match(translate(pattern), plain, re.DOTALL))


def test_many_stars_cost_little() -> None:
    started = time.process_time()

    assert not _like("a" * 1000, "*a" * 200 + "b")

    assert time.process_time() - started < 1


def test_a_moment_with_an_offset_is_shown_by_one_clock() -> None:
    from datetime import timedelta, timezone

    zone = timezone(timedelta(hours=1))

    assert moment_in(zone, "20261201093000+0300") == "20261201073000"
    assert moment_in(zone, "2026120100-0500") == "2026120106"
    assert moment_in(zone, "20261201093000") == "20261201093000"
    assert moment_in(zone, "99991231235959-1200") == "99991231235959"
