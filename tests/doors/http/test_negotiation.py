"""Content negotiation as pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.kernel.errors import Invalid
from hilum.doors._http.negotiation import accepted_of, choose, parse_accept, parse_media_type

JSON = parse_media_type("application/dicom+json")
MULTIPART = parse_media_type(
    'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'
)
JPEG = parse_media_type("image/jpeg")
PNG = parse_media_type("image/png")


def test_a_quoted_parameter_may_hold_what_separates() -> None:
    accept = 'multipart/related; type="application/dicom;x, y"; q=0.5, image/png'

    ranges = parse_accept([accept])

    assert [one.essence for one in ranges] == ["multipart/related", "image/png"]
    assert ranges[0].parameters == {"type": "application/dicom;x, y"}
    assert ranges[0].quality == 0.5


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JPEG),
        ("*/*", JPEG),
        ("image/*", JPEG),
        ("image/png, image/jpeg;q=0.9", PNG),
        ("image/jpeg;q=0, image/*", PNG),
        ("text/html, */*;q=0.1", JPEG),
        ("IMAGE/PNG", PNG),
    ],
)
def test_the_best_quality_wins_and_our_order_breaks_ties(accept: str, chosen: object) -> None:
    ranges = parse_accept([accept])

    found = choose(ranges, [JPEG, PNG])

    assert found is not None
    assert found[0] == chosen


def test_nothing_acceptable_is_none() -> None:
    ranges = parse_accept(["text/html"])

    assert choose(ranges, [JPEG, PNG]) is None


@pytest.mark.parametrize(
    ("accept", "admitted"),
    [
        ("multipart/related", True),
        ('multipart/related; type="application/dicom"', True),
        ("multipart/related; type=application/dicom", True),
        ('multipart/related; type="application/dicom"; transfer-syntax=*', True),
        ('multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1', True),
        ('multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50', False),
        ('multipart/related; type="image/jpeg"', False),
        ('multipart/related; type="application/dicom"; boundary=abc', True),
    ],
)
def test_parameters_of_a_range_restrict_the_offer(accept: str, admitted: bool) -> None:
    ranges = parse_accept([accept])

    found = choose(ranges, [MULTIPART])

    assert (found is not None) is admitted


def test_the_query_parameter_stands_before_the_header() -> None:
    ranges = accepted_of(["text/html, */*"], ["application/dicom+json"])

    assert [one.essence for one in ranges] == ["application/dicom+json"]


@pytest.mark.parametrize(
    "accept", ["json", "a/b; q=2", "a/b; q=0.12345", 'a/b; x="', "a/b; =1", "a b/c", "a/b," * 70]
)
def test_what_is_no_media_type_is_invalid(accept: str) -> None:
    with pytest.raises(Invalid):
        parse_accept([accept])


@given(st.text(max_size=200))
def test_any_text_is_read_or_invalid(text: str) -> None:
    try:
        ranges = parse_accept([text])
    except Invalid:
        return

    assert all(0 <= one.quality <= 1 for one in ranges)


@given(
    st.dictionaries(
        st.from_regex(r"[a-pr-z]{1,8}", fullmatch=True), st.text('ab\\"; ,=/', max_size=8), max_size=4
    )
)
def test_a_media_type_comes_back_as_it_was_written(parameters: dict[str, str]) -> None:
    written = str(type(JSON)("multipart", "related", parameters))

    assert parse_media_type(written).parameters == parameters
