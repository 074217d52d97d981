"""The grammar of searches, and what they make of queries."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.archive.model import AnyBetween, AnyOf, Between, Exact, Level, Query
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import IdentifierMatch
from hilum.core.orders.model import OrderQuery, OrderStatus
from hilum.core.patients.model import PatientQuery
from hilum.core.reports.model import ReportQuery
from hilum.wire.fhir import (
    diagnostic_report,
    endpoint,
    imaging_study,
    observation_search,
    patient,
    service_request,
)
from hilum.wire.fhir.observation_search import ObservationQuery
from hilum.wire.fhir.parameters import SearchParameter, applied
from hilum.wire.fhir.search import Context, NotSupported, Parameter, Span, Token, parameters_of

BASE = Context("http://hilum.example/fhir", UTC)
PLUS_TWO = timezone(timedelta(hours=2))


def one(name: str, value: str, context: Context = BASE) -> Parameter:
    return parameters_of([(name, value)], context)[0]


def asked(*pairs: tuple[str, str], context: Context = BASE) -> list[Parameter]:
    return parameters_of(pairs, context)


def studies(*pairs: tuple[str, str], context: Context = BASE) -> Query | None:
    return applied(imaging_study.PARAMETERS, Query(Level.STUDY, {}), asked(*pairs, context=context)).query


def patients(*pairs: tuple[str, str]) -> PatientQuery | None:
    return applied(patient.PARAMETERS, PatientQuery(), asked(*pairs)).query


def orders(*pairs: tuple[str, str]) -> OrderQuery | None:
    return applied(service_request.PARAMETERS, OrderQuery(), asked(*pairs)).query


def reports(*pairs: tuple[str, str]) -> ReportQuery | None:
    return applied(diagnostic_report.PARAMETERS, ReportQuery(), asked(*pairs)).query


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("4711", Token(None, "4711")),
        ("urn:oid:1.2|4711", Token("urn:oid:1.2", "4711")),
        ("|4711", Token("", "4711")),
        ("urn:oid:1.2|", Token("urn:oid:1.2", "")),
        (r"a\|b", Token(None, "a|b")),
        (r"s|a\,b\\c\$", Token("s", "a,b\\c$")),
    ],
)
def test_a_token_is_code_or_system_and_code(written: str, token: Token) -> None:
    assert one("identifier", written).tokens() == (token,)


def test_values_are_joined_by_commas_that_no_backslash_hides() -> None:
    assert one("identifier", r"a,b\,c,d").texts() == ("a", "b,c", "d")


@pytest.mark.parametrize("written", ["a|b|c", "|", ""])
def test_what_is_no_token_is_refused(written: str) -> None:
    with pytest.raises(Invalid):
        one("identifier", written).tokens()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("patient", ("patient", "", "")),
        ("family:exact", ("family", "exact", "")),
        ("patient.identifier", ("patient", "", "identifier")),
        ("subject:Patient.name", ("subject", "Patient", "name")),
        ("based-on.patient.identifier", ("based-on", "", "patient.identifier")),
    ],
)
def test_a_name_has_code_modifier_and_chain(name: str, parts: tuple[str, str, str]) -> None:
    read = one(name, "x")

    assert (read.code, read.modifier, read.chain) == parts
    assert read.name == name


def day(year: int, month: int = 1, day_of_month: int = 1) -> datetime:
    return datetime(year, month, day_of_month, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "spans"),
    [
        ("2026", (Span(day(2026), day(2027)),)),
        ("2026-12", (Span(day(2026, 12), day(2027, 1)),)),
        ("eq2026-01-02", (Span(day(2026, 1, 2), day(2026, 1, 3)),)),
        ("ne2026-01-02", (Span(None, day(2026, 1, 2)), Span(day(2026, 1, 3), None))),
        ("lt2026", (Span(None, day(2026)),)),
        ("le2026", (Span(None, day(2027)),)),
        ("gt2026", (Span(day(2027), None),)),
        ("ge2026", (Span(day(2026), None),)),
        ("sa2026", (Span(day(2027), None),)),
        ("eb2026", (Span(None, day(2026)),)),
        ("ap2026-01-02", (Span(day(2026, 1, 1), day(2026, 1, 4)),)),
        ("2026,2024", (Span(day(2026), day(2027)), Span(day(2024), day(2025)))),
        ("9999", (Span(day(9999), None),)),
    ],
)
def test_a_date_means_a_stretch_of_time(written: str, spans: tuple[Span, ...]) -> None:
    assert one("started", written).spans() == spans


@pytest.mark.parametrize(
    ("written", "low"),
    [
        ("2026-01-02T10:11", datetime(2026, 1, 2, 10, 11, tzinfo=UTC)),
        ("2026-01-02T10:11:12Z", datetime(2026, 1, 2, 10, 11, 12, tzinfo=UTC)),
        ("2026-01-02T10:11:12.5+02:00", datetime(2026, 1, 2, 10, 11, 12, 500000, tzinfo=PLUS_TWO)),
        ("2026-01-02T10:11:12 02:00", datetime(2026, 1, 2, 10, 11, 12, tzinfo=PLUS_TWO)),
    ],
)
def test_a_time_is_read_with_its_zone(written: str, low: datetime) -> None:
    assert one("started", written).spans()[0].low == low


@pytest.mark.parametrize(
    "written",
    ["", "xx2026", "26", "2026-13", "2026-02-30", "2026-01-02T25:00", "2026-1-2", "0000", "ge", "20260102"],
)
def test_what_is_no_date_is_refused(written: str) -> None:
    with pytest.raises(Invalid):
        one("started", written).spans()


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ("Patient/a1", ("a1",)),
        ("a1", ("a1",)),
        ("http://hilum.example/fhir/Patient/a1", ("a1",)),
        ("http://other.example/fhir/Patient/a1", ()),
        ("Group/a1", ()),
        ("Patient/a1,Patient/b2", ("a1", "b2")),
        ("Patient/a b", ()),
    ],
)
def test_a_reference_names_an_id_here_or_none(written: str, ids: tuple[str, ...]) -> None:
    assert one("patient", written).ids("Patient") == ids


def test_an_identifier_finds_by_any_no_or_one_issuer() -> None:
    query = patients(("identifier", "1,|2,urn:oid:1.2.3|3,urn:hilum:issuer:STMARY|4,http://x/mrn|"))

    assert query is not None
    assert query.identified_by == (
        IdentifierMatch("1", None),
        IdentifierMatch("2", ""),
        IdentifierMatch("3", "1.2.3"),
        IdentifierMatch("4", "STMARY"),
        IdentifierMatch("", "http://x/mrn"),
    )


def test_a_birth_date_is_a_range_of_days() -> None:
    query = patients(("birthdate", "ge1970"), ("birthdate", "lt1970-03-01"))

    assert query is not None
    assert query.born == (("19700101", "19700228"),)


def test_two_dates_that_exclude_each_other_find_nothing() -> None:
    assert patients(("birthdate", "lt1970"), ("birthdate", "gt1980")) is None


def test_gender_and_activity_are_read_as_codes() -> None:
    query = patients(("gender", "female,other"), ("active", "false"))

    assert query is not None
    assert query.sexes == ("F", "O")
    assert query.only_merged
    assert patients(("gender", "nonsense")) is None


def test_a_study_is_found_by_its_uid_in_every_writing() -> None:
    writings = ("urn:dicom:uid|urn:oid:1.2.3", "urn:dicom:uid|1.2.3", "urn:oid:1.2.3")

    found = [studies(("identifier", written)) for written in writings]

    assert found == [Query(Level.STUDY, {"study_instance_uid": AnyOf(("1.2.3",))})] * 3


def test_a_study_is_found_by_accession_number_with_or_without_its_system() -> None:
    bare, typed = studies(("identifier", "A1")), studies(("identifier", "urn:hilum:issuer:RIS|A1"))

    assert bare == Query(Level.STUDY, {"accession_number": AnyOf(("A1",))})
    assert typed is not None
    assert typed.matches["issuer_of_accession_number"] == Exact("RIS")


def test_started_is_matched_on_the_clock_of_the_site() -> None:
    site = Context("", PLUS_TWO)

    query = studies(("started", "ge2026-01-01T22:30:00Z"), ("started", "le2026-01-03"), context=site)

    assert query is not None
    assert query.matches["study_date_time"] == AnyBetween(
        (Between("20260102003000", "20260103235959.999999"),)
    )


def test_a_patient_is_asked_by_id_or_by_chain() -> None:
    by_id = studies(("patient", "Patient/abc"))
    by_chain = studies(("subject:Patient.identifier", "urn:oid:1.2|4711"), ("patient.family", "Doe"))

    assert by_id is not None
    assert by_id.patients == (PatientQuery(include_merged=True, public_ids=("abc",)),)
    assert by_chain is not None
    assert by_chain.patients == (
        PatientQuery(include_merged=True, identified_by=(IdentifierMatch("4711", "1.2"),)),
        PatientQuery(include_merged=True, family="Doe"),
    )


def test_an_order_is_asked_by_id_or_by_chain() -> None:
    found = reports(("based-on", "ServiceRequest/abc"), ("based-on.identifier", "A1"))

    assert found is not None
    assert found.orders == (
        OrderQuery(public_ids=("abc",)),
        OrderQuery(identified_by=(IdentifierMatch("A1"),)),
    )


def test_a_reference_to_another_server_finds_nothing() -> None:
    assert studies(("patient", "http://other.example/Patient/1")) is None


def test_statuses_are_narrowed_and_those_that_nothing_has_find_nothing() -> None:
    assert orders(("status", "active,completed"), ("status", "active")) == OrderQuery(
        status=(OrderStatus.ACTIVE,)
    )
    assert studies(("status", "cancelled")) is None
    assert studies(("status", "available")) == Query(Level.STUDY, {})


def test_a_code_is_looked_for_under_each_name_of_its_scheme() -> None:
    found = orders(("code", "http://loinc.org|24725-4,X"))

    assert found is not None
    assert found.procedures == (
        IdentifierMatch("24725-4", "LN"),
        IdentifierMatch("24725-4", "LOINC"),
        IdentifierMatch("X"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("family:exact", "Doe"),
        ("identifier:of-type", "a|b"),
        ("patient:identifier", "4711"),
        ("_lastUpdated", "ne2026"),
        ("family", "Doe,Roe"),
        ("gender:not", "male"),
    ],
)
def test_what_is_not_supported_is_refused_not_left_out(name: str, value: str) -> None:
    known: Sequence[SearchParameter[Any]] = (
        imaging_study.PARAMETERS if name.startswith("patient") else patient.PARAMETERS
    )
    start: Any = Query(Level.STUDY, {}) if name.startswith("patient") else PatientQuery()

    with pytest.raises(NotSupported):
        applied(known, start, asked((name, value)))


def test_an_unknown_parameter_is_told() -> None:
    found = applied(
        imaging_study.PARAMETERS,
        Query(Level.STUDY, {}),
        asked(("foo", "1"), ("patient.nonsense", "2"), ("_has:Observation:patient:code", "3")),
    )

    assert found.unknown == ("foo", "patient.nonsense", "_has:Observation:patient:code")


def test_a_parameter_without_a_value_never_widens_a_search() -> None:
    with pytest.raises(Invalid):
        studies(("patient", ""))


@pytest.mark.parametrize(
    "pairs",
    [
        [("identifier", "x" * 5000)],
        [("identifier", "a," * 60)],
        [("identifier", "a")] * 51,
        [("identifier", "a\x00b")],
        [("name", "a " * 30)],
    ],
)
def test_a_search_has_limits(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid):
        applied(patient.PARAMETERS, PatientQuery(), parameters_of(pairs, BASE))


SERVED: list[tuple[Sequence[SearchParameter[Any]], Any]] = [
    (patient.PARAMETERS, PatientQuery()),
    (service_request.PARAMETERS, OrderQuery()),
    (imaging_study.PARAMETERS, Query(Level.STUDY, {})),
    (diagnostic_report.PARAMETERS, ReportQuery()),
    (observation_search.PARAMETERS, ObservationQuery()),
    (endpoint.PARAMETERS, endpoint.endpoint("http://h/dicom-web")),
]
PIECES = st.sampled_from(
    [
        ",",
        "|",
        "\\",
        "$",
        "/",
        "ge",
        "ne",
        "2026",
        "-02",
        "-30",
        "T10:00",
        "Z",
        "+14:00",
        "9999",
        "0001",
        "Patient",
        ":",
    ]
)
HOSTILE_VALUES = st.lists(PIECES | st.text(max_size=6), max_size=8).map("".join)


@pytest.mark.parametrize("served", SERVED, ids=lambda served: type(served[1]).__name__)
@settings(max_examples=150, deadline=None)
@given(
    picks=st.lists(
        st.tuples(
            st.integers(0, 30), st.sampled_from(["", ".identifier", ".birthdate", ":x"]), HOSTILE_VALUES
        ),
        max_size=4,
    )
)
def test_any_search_is_read_or_refused(
    served: tuple[Sequence[SearchParameter[Any]], Any], picks: list[tuple[int, str, str]]
) -> None:
    known, start = served
    pairs = [(known[at % len(known)].code + tail, value) for at, tail, value in picks]

    try:
        found = applied(known, start, parameters_of(pairs, BASE))
    except Invalid:
        return

    assert set(found.unknown) <= {name for name, _ in pairs}


@given(st.dates(), st.sampled_from(["eq", "ge", "le", "gt", "lt", "sa", "eb"]))
def test_a_day_is_in_what_its_prefix_says(birth: Any, prefix: str) -> None:
    if birth.year in (1, 9999):
        return
    query = patients(("birthdate", f"{prefix}{birth.isoformat()}"))

    assert query is not None
    ((low, high),) = query.born
    text = birth.strftime("%Y%m%d").rjust(8, "0")
    inside = (not low or low <= text) and (not high or text <= high)
    assert inside == (prefix in ("eq", "ge", "le"))
