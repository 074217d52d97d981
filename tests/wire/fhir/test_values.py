"""Primitive values, dates, names and systems."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.wire.fhir import dates, names, values

BERLIN = ZoneInfo("Europe/Berlin")
# The regular expressions of FHIR R4 2.24.0.1.
DATE_TIME = re.compile(
    r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1])"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00)))?)?)?"
)
STRING = re.compile(r"[ \r\n\t\S]+")
CODE = re.compile(r"[^\s]+(\s[^\s]+)*")

DIGITS = st.text(alphabet="0123456789.+-Z:", max_size=26)


def test_a_decimal_keeps_its_digits() -> None:
    written = values.dumps({"value": Decimal("1.50"), "text": "1.50"})

    assert written == b'{"value":1.50,"text":"1.50"}'


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_any_decimal_is_written_as_the_same_number(number: Decimal) -> None:
    read = json.loads(values.dumps({"value": number}), parse_float=Decimal, parse_int=Decimal)

    assert read["value"] == number


@given(st.text())
def test_any_text_becomes_a_string_that_fhir_allows_or_nothing(written: str) -> None:
    cleaned = values.text(written)

    assert cleaned == "" or STRING.fullmatch(cleaned)
    assert json.loads(values.dumps({"text": cleaned})) == {"text": cleaned}


@given(st.text())
def test_any_text_becomes_a_code_that_fhir_allows_or_nothing(written: str) -> None:
    cleaned = values.code(written)

    assert cleaned == "" or CODE.fullmatch(cleaned)


@pytest.mark.parametrize(
    ("written", "number"), [(" 7 ", 7), ("0", 0), ("-1", None), ("x", None), ("9" * 12, None)]
)
def test_an_integer_string_is_unsigned_or_left_out(written: str, number: int | None) -> None:
    assert values.unsigned(written) == number


@pytest.mark.parametrize(
    ("ts", "shown"),
    [
        ("2026", "2026"),
        ("202601", "2026-01"),
        ("20260102", "2026-01-02"),
        ("2026010210", "2026-01-02T10:00:00+01:00"),
        ("202607021011", "2026-07-02T10:11:00+02:00"),
        ("20260102101112.5", "2026-01-02T10:11:12.5+01:00"),
        ("20260102101112+0000", "2026-01-02T10:11:12Z"),
        ("20260102101112-0330", "2026-01-02T10:11:12-03:30"),
        ("20260102101112+1500", "2026-01-02T10:11:12+01:00"),
        ("20260230", ""),
        ("202613", ""),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_a_ts_is_as_precise_as_it_is_written(ts: str, shown: str) -> None:
    assert dates.date_time_of(ts, BERLIN) == shown


@given(DIGITS)
def test_any_ts_becomes_a_date_time_that_fhir_allows_or_nothing(ts: str) -> None:
    shown = dates.date_time_of(ts, BERLIN)

    assert shown == "" or DATE_TIME.fullmatch(shown)


@given(DIGITS, DIGITS, DIGITS)
def test_any_da_and_tm_become_a_date_time_that_fhir_allows_or_nothing(da: str, tm: str, offset: str) -> None:
    shown = dates.date_time(da, tm, offset, BERLIN)

    assert shown == "" or DATE_TIME.fullmatch(shown)


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=-5)))))
def test_an_instant_is_the_same_moment_to_the_millisecond(moment: datetime) -> None:
    if moment.year >= 9999:
        return
    read = datetime.fromisoformat(dates.instant(moment))

    assert timedelta() <= moment - read < timedelta(milliseconds=1)
    assert read.tzinfo == UTC


@pytest.mark.parametrize(
    ("issuer", "system"),
    [
        ("STMARY", "urn:hilum:issuer:STMARY"),
        ("St. Mary's & Co", "urn:hilum:issuer:St.%20Mary%27s%20%26%20Co"),
        ("1.2.276.0.76", "urn:oid:1.2.276.0.76"),
        ("http://hospital.example/mrn", "http://hospital.example/mrn"),
        ("urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7", "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"),
        ("", ""),
    ],
)
def test_the_system_of_an_issuer_follows_one_rule(issuer: str, system: str) -> None:
    assert names.system_of_issuer(issuer) == system
    assert names.issuer_of_system(system) == issuer


@given(st.text().map(values.line).filter(lambda issuer: not issuer.startswith(("urn:oid:", "urn:hilum:"))))
def test_any_issuer_comes_back_from_its_system(issuer: str) -> None:
    assert names.issuer_of_system(names.system_of_issuer(issuer)) == issuer


@pytest.mark.parametrize("scheme", ["SCT", "LN", "DCM", "HL70074", "99LOCAL", "1.2.3.4"])
def test_a_coding_scheme_comes_back_from_its_system(scheme: str) -> None:
    assert scheme in names.schemes_of_system(names.system_of_scheme(scheme))
