"""C-FIND by DCMTK and pynetdicom: both information models at all levels (PS3.4 C.4.1)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from hilum.wire.dicom.dimse.messages import CCancelRequest, CFindRequest, CStoreRequest
from hilum.wire.dicom.upper_layer.user_information import SOPClassExtendedNegotiation as Negotiation

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
PATIENT_ROOT, STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1"
PENDING, PENDING_WITH_UNSUPPORTED_KEYS, SUCCESS, CANCELLED = 0xFF00, 0xFF01, 0, 0xFE00

Find = Callable[..., tuple[list[Dataset], list[int]]]


@pytest.fixture
def full(port: int, dial: Any, numbered: Any) -> int:
    """A port behind which two patients, three studies, four series and seven instances are kept."""
    with dial(port, [(CT, [EXPLICIT])]) as peer:
        for number in (1, 2, 3):
            assert peer.store(numbered(number)).Status == 0
        peer.store(numbered(1, series=2, Modality="SR"))
        peer.store(numbered(1, study=2, StudyDescription="Knee"))
        peer.store(numbered(2, study=2, StudyDescription="Knee"))
        peer.store(numbered(1, study=3, patient_id="P2", PatientName="Roe^Richard"))
    return port


@pytest.fixture
def find(full: int) -> Find:
    """Return a function that asks by pynetdicom and gives identifiers and statuses."""

    def asking(model: str, level: str, *, extended: bytes = b"", **keys: str) -> Any:
        entity = AE("WS1")
        negotiation = []
        if extended:
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid, item.service_class_application_information = model, extended
            negotiation = [item]
        association = entity.associate(
            "127.0.0.1", full, contexts=[build_context(model)], ext_neg=negotiation
        )
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        answers = list(association.send_c_find(identifier, model))
        association.release()
        return [one for _, one in answers if one is not None], [status.Status for status, _ in answers]

    return asking


@pytest.mark.parametrize(
    ("model", "level", "keys", "unique_key", "found"),
    [
        (PATIENT_ROOT, "PATIENT", {}, "PatientID", ["P1", "P2"]),
        (PATIENT_ROOT, "PATIENT", {"PatientName": "doe*"}, "PatientID", ["P1"]),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P1"}, "StudyInstanceUID", ["1.2.3.1", "1.2.3.2"]),
        (STUDY_ROOT, "STUDY", {}, "StudyInstanceUID", ["1.2.3.1", "1.2.3.2", "1.2.3.3"]),
        (STUDY_ROOT, "STUDY", {"PatientName": "*oe*"}, "StudyInstanceUID", ["1.2.3.1", "1.2.3.2", "1.2.3.3"]),
        (STUDY_ROOT, "STUDY", {"PatientName": "DOE^J?NE"}, "StudyInstanceUID", ["1.2.3.1", "1.2.3.2"]),
        (STUDY_ROOT, "STUDY", {"StudyDate": "20260102-"}, "StudyInstanceUID", ["1.2.3.2", "1.2.3.3"]),
        (STUDY_ROOT, "STUDY", {"StudyDate": "20260101-20260102"}, "StudyInstanceUID", ["1.2.3.1", "1.2.3.2"]),
        (STUDY_ROOT, "STUDY", {"StudyDate": "-20260101"}, "StudyInstanceUID", ["1.2.3.1"]),
        (STUDY_ROOT, "STUDY", {"StudyTime": "1000-1100"}, "StudyInstanceUID", ["1.2.3.1", "1.2.3.2", "1.2.3.3"]),
        (STUDY_ROOT, "STUDY", {"AccessionNumber": "ACC3"}, "StudyInstanceUID", ["1.2.3.3"]),
        (STUDY_ROOT, "STUDY", {"ModalitiesInStudy": "SR"}, "StudyInstanceUID", ["1.2.3.1"]),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1.2.3.1\\1.2.3.3"}, "StudyInstanceUID", ["1.2.3.1", "1.2.3.3"]),
        (STUDY_ROOT, "STUDY", {"StudyDescription": "Nothing"}, "StudyInstanceUID", []),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2.3.1"}, "SeriesInstanceUID", ["1.2.3.1.1", "1.2.3.1.2"]),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2.3.1", "Modality": "SR"}, "SeriesInstanceUID", ["1.2.3.1.2"]),
        (
            PATIENT_ROOT,
            "IMAGE",
            {"PatientID": "P1", "StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.1.1"},
            "SOPInstanceUID",
            ["1.2.3.1.1.1", "1.2.3.1.1.2", "1.2.3.1.1.3"],
        ),
        (
            STUDY_ROOT,
            "IMAGE",
            {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.1.1", "InstanceNumber": "2"},
            "SOPInstanceUID",
            ["1.2.3.1.1.2"],
        ),
    ],
)  # fmt: skip
def test_a_query_finds_what_matches(
    find: Find, model: str, level: str, keys: dict[str, str], unique_key: str, found: list[str]
) -> None:
    identifiers, statuses = find(model, level, **{unique_key: "", **keys})

    assert sorted(one[unique_key].value for one in identifiers) == found
    assert statuses == [*[PENDING] * len(found), SUCCESS]
    assert {one.QueryRetrieveLevel for one in identifiers} <= {level}
    assert {one.RetrieveAETitle for one in identifiers} <= {"HILUM"}


@pytest.mark.parametrize(
    ("model", "level", "keys"),
    [
        (PATIENT_ROOT, "STUDY", {"StudyInstanceUID": ""}),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P*"}),
        (STUDY_ROOT, "SERIES", {"SeriesInstanceUID": ""}),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2.3.1\\1.2.3.2"}),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1.2.3.1"}),
        (STUDY_ROOT, "PATIENT", {"PatientID": "P1"}),
        (STUDY_ROOT, "FRAME", {}),
        (STUDY_ROOT, "", {}),
    ],
)
def test_an_identifier_that_breaks_its_model_is_a900(
    find: Find, model: str, level: str, keys: dict[str, str]
) -> None:
    identifiers, statuses = find(model, level, **keys)

    assert identifiers == []
    assert statuses == [0xA900]


def test_a_key_that_is_not_supported_is_told_by_ff01(find: Find) -> None:
    identifiers, statuses = find(STUDY_ROOT, "STUDY", StudyInstanceUID="1.2.3.3", PatientComments="")

    assert statuses == [PENDING_WITH_UNSUPPORTED_KEYS, SUCCESS]
    assert identifiers[0].PatientComments == ""


def test_relational_queries_are_off_until_they_are_negotiated(find: Find) -> None:
    keys = {"SOPInstanceUID": "", "PatientID": "P2"}

    _, without = find(STUDY_ROOT, "IMAGE", **keys)
    identifiers, with_it = find(STUDY_ROOT, "IMAGE", extended=b"\1\0\0", **keys)

    assert without == [0xA900]
    assert with_it == [PENDING, SUCCESS]
    assert identifiers[0].SOPInstanceUID == "1.2.3.3.1.1"


def test_fuzzy_names_and_combined_moments_are_matched_where_negotiated(find: Find) -> None:
    moment = {"StudyDate": "20260101-20260103", "StudyTime": "120000-090000", "StudyInstanceUID": ""}

    fuzzy, _ = find(STUDY_ROOT, "STUDY", extended=b"\0\0\1", PatientName="jane", StudyInstanceUID="")
    combined, _ = find(STUDY_ROOT, "STUDY", extended=b"\0\1\0", **moment)
    literal, _ = find(STUDY_ROOT, "STUDY", PatientName="jane", StudyInstanceUID="")

    assert sorted(one.StudyInstanceUID for one in fuzzy) == ["1.2.3.1", "1.2.3.2"]
    assert [one.StudyInstanceUID for one in combined] == ["1.2.3.2"], "the 2nd at 10:15 only"
    assert literal == []


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize(
    ("options", "keys", "found"),
    [
        (["-P"], ["QueryRetrieveLevel=PATIENT", "PatientID", "PatientName"], ["P1", "P2"]),
        (["-P"], ["QueryRetrieveLevel=STUDY", "PatientID=P2", "StudyInstanceUID"], ["1.2.3.3"]),
        (["-S"], ["QueryRetrieveLevel=STUDY", "PatientName=DOE*", "StudyInstanceUID"], ["1.2.3.1", "1.2.3.2"]),
        (["-S"], ["QueryRetrieveLevel=STUDY", "StudyDate=20260102-20260103", "StudyInstanceUID"], ["1.2.3.2", "1.2.3.3"]),
        (["-S"], ["QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2.3.1", "SeriesInstanceUID"], ["1.2.3.1.1", "1.2.3.1.2"]),
        (["-S"], ["QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2.3.1", "SeriesInstanceUID=1.2.3.1.2", "SOPInstanceUID"], ["1.2.3.1.2.1"]),
    ],
)  # fmt: skip
def test_findscu_finds(run: Any, full: int, options: list[str], keys: list[str], found: list[str]) -> None:
    words = [word for key in keys for word in ("-k", key)]

    said = run("findscu", "-v", *options, *words, "127.0.0.1", full).stdout

    unique = "PatientID" if found[0].startswith("P") else keys[-1].partition("=")[0]
    values = re.findall(rf"\[(\S+?)[\0 ]*\] *# +\d+, 1 {unique}", said.split("Find Response: 1", 1)[1])
    assert sorted(values) == found


@pytest.mark.needs("dcmtk")
def test_findscu_is_told_what_is_wrong_with_its_identifier(run: Any, full: int) -> None:
    said = run("findscu", "-d", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyDate=2026-13-77", "127.0.0.1", full).stdout  # fmt: skip

    assert "0xa900" in said
    assert "[StudyDate is neither a value nor a range]" in said


@pytest.mark.needs("dcmtk")
def test_findscu_cancels_and_releases(run: Any, full: int) -> None:
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]

    said = run("findscu", "-v", "-S", "--cancel", 1, *keys, "127.0.0.1", full).stdout

    assert "Sending Cancel Request" in said
    assert re.search(r"Received Final Find Response \((Success|Cancel)", said)
    assert "Releasing Association" in said


def test_a_cancelled_query_ends_with_fe00_and_the_association_goes_on(
    serve: Any, record: Any, dial: Any, numbered: Any
) -> None:
    port = serve(record.hub)
    with dial(port, [(CT, [EXPLICIT]), (STUDY_ROOT, [EXPLICIT])]) as peer:
        for number in range(1, 100):
            peer.store(numbered(number))
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.SOPInstanceUID = "IMAGE", ""
        identifier.StudyInstanceUID, identifier.SeriesInstanceUID = "1.2.3.1", "1.2.3.1.1"
        request = CFindRequest(AffectedSOPClassUID=STUDY_ROOT, MessageID=500)
        peer.say(STUDY_ROOT, request, identifier)
        peer.say(STUDY_ROOT, CCancelRequest(MessageIDBeingRespondedTo=499))
        peer.say(STUDY_ROOT, CCancelRequest(MessageIDBeingRespondedTo=500))
        statuses = [peer.hear().Status]
        while statuses[-1] == PENDING:
            statuses.append(peer.hear().Status)
        after = peer.store(numbered(100))

    assert statuses[-1] == CANCELLED
    assert len(statuses) < 99
    assert after.Status == 0


def test_what_is_said_in_the_middle_of_a_query_is_answered_after_it(
    full: int, dial: Any, numbered: Any
) -> None:
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", ""
    new = numbered(50)
    store = CStoreRequest(AffectedSOPClassUID=CT, MessageID=8, AffectedSOPInstanceUID=new.SOPInstanceUID)
    with dial(full, [(CT, [EXPLICIT]), (STUDY_ROOT, [EXPLICIT])]) as peer:
        peer.say(STUDY_ROOT, CFindRequest(AffectedSOPClassUID=STUDY_ROOT, MessageID=7), identifier)
        peer.say(CT, store, new)
        answers = [peer.hear() for _ in range(5)]

    assert [(one.MessageIDBeingRespondedTo, one.Status) for one in answers] == [
        *[(7, PENDING)] * 3,
        (7, SUCCESS),
        (8, SUCCESS),
    ]


def test_more_matches_than_the_limit_are_refused_rather_than_cut(
    serve: Any, record: Any, dial: Any, numbered: Any
) -> None:
    port = serve(record.hub, most_answers=2)
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", ""
    with dial(port, [(CT, [EXPLICIT]), (STUDY_ROOT, [EXPLICIT])]) as peer:
        for study in (1, 2, 3):
            peer.store(numbered(1, study=study))
        answer = peer.ask(STUDY_ROOT, CFindRequest(AffectedSOPClassUID=STUDY_ROOT, MessageID=9), identifier)

    assert answer.Status == 0xA700
    assert answer.ErrorComment == "narrow the query: more than 2 matches"


def test_a_request_that_a_context_has_no_service_for_is_0211(full: int, dial: Any) -> None:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    with dial(full, [(CT, [EXPLICIT])]) as peer:
        answer = peer.ask(CT, CFindRequest(AffectedSOPClassUID=STUDY_ROOT, MessageID=3), identifier)

    assert (answer.Status, answer.MessageIDBeingRespondedTo) == (0x0211, 3)


PATIENT_STUDY_ONLY = "1.2.840.10008.5.1.4.1.2.3.1"


def test_the_retired_patient_study_only_model_has_two_levels(find: Find) -> None:
    patients, _ = find(PATIENT_STUDY_ONLY, "PATIENT", PatientID="")
    studies, _ = find(PATIENT_STUDY_ONLY, "STUDY", PatientID="P1", StudyInstanceUID="")
    _, series = find(PATIENT_STUDY_ONLY, "SERIES", PatientID="P1", StudyInstanceUID="1.2.3.1")

    assert sorted(one.PatientID for one in patients) == ["P1", "P2"]
    assert sorted(one.StudyInstanceUID for one in studies) == ["1.2.3.1", "1.2.3.2"]
    assert series == [0xA900]


def test_of_the_options_of_a_query_those_are_granted_that_are_kept(full: int, dial: Any) -> None:
    """Relational, date-time and fuzzy matching; no adjustment of time zones, no conversion of multi-frames."""
    asked = Negotiation(STUDY_ROOT, b"\1\1\1\1\1")
    with dial(full, [(STUDY_ROOT, [EXPLICIT])], extended_negotiations=(asked,)) as peer:
        granted = peer.accept.user_information.extended_negotiations

    assert granted == (Negotiation(STUDY_ROOT, b"\1\1\1\0\0"),)


def test_counts_availability_and_where_to_retrieve_from_are_answered(find: Find) -> None:
    [study], _ = find(
        STUDY_ROOT, "STUDY", StudyInstanceUID="1.2.3.1", NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="", ModalitiesInStudy="", SOPClassesInStudy="",
    )  # fmt: skip

    assert (int(study.NumberOfStudyRelatedSeries), int(study.NumberOfStudyRelatedInstances)) == (2, 4)
    assert sorted(study.ModalitiesInStudy) == ["CT", "SR"]
    assert (study.InstanceAvailability, study.RetrieveAETitle) == ("ONLINE", "HILUM")
    assert study.SpecificCharacterSet
