"""C-MOVE and C-GET: counts, failures, cancel, and what arrives (PS3.4 C.4.2, C.4.3)."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt

from hilum.core.access import policy
from hilum.core.archive.model import Exact, Level, Query
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientStatement
from hilum.wire.dicom.data_sets import encoded
from hilum.wire.dicom.dimse.messages import CCancelRequest, CGetRequest, CMoveRequest
from hilum.wire.dicom.dimse.respond import respond
from hilum.wire.dicom.upper_layer.user_information import RoleSelection

CT, EXPLICIT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PATIENT_MOVE, STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.2.2"
PATIENT_GET, STUDY_GET = "1.2.840.10008.5.1.4.1.2.1.3", "1.2.840.10008.5.1.4.1.2.2.3"
OPERATOR = policy.local_operator("test")
STUDY = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.3.1"]


@pytest.fixture
def full(port: int, dial: Any, numbered: Any) -> int:
    """A port behind which a study of five instances in two series is kept, and another one."""
    with dial(port, [(CT, [EXPLICIT])]) as peer:
        for number in (1, 2, 3):
            assert peer.store(numbered(number)).Status == 0
        for number in (1, 2):
            assert peer.store(numbered(number, series=2)).Status == 0
        assert peer.store(numbered(1, study=2)).Status == 0
    return port


Receive = Callable[..., tuple[int, list[Dataset]]]


@pytest.fixture
def receive() -> Iterator[Receive]:
    """Return a function that starts a pynetdicom C-STORE SCP: its port, and what it gets."""
    servers = []

    def start(
        *, syntaxes: tuple[str, ...] = (EXPLICIT, IMPLICIT), status: Callable[[Any], int] = lambda _: 0
    ) -> tuple[int, list[Dataset]]:
        got: list[Dataset] = []

        def on_store(event: Any) -> int:
            answer = status(event)
            if answer in {0, 0xB000}:
                data_set = event.dataset
                data_set.file_meta = event.file_meta
                got.append(data_set)
                got[-1].request = event.request  # what came with it
            return answer

        entity = AE("DEST")
        for sop_class in (CT, "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"):
            entity.add_supported_context(sop_class, list(syntaxes))
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)]
        )
        servers.append(server)
        return server.server_address[1], got

    yield start
    for server in servers:
        server.shutdown()


Move = Callable[..., Any]


@pytest.fixture
def move(full: int) -> Move:
    """Return a function that moves by pynetdicom and gives (status, identifier) of every response."""

    def moving(level: str, *, model: str = STUDY_MOVE, to: str = "DEST", **keys: Any) -> list[Any]:
        association = AE("WS1").associate("127.0.0.1", full, contexts=[build_context(model)])
        answers = list(association.send_c_move(_identifier(level, **keys), to, model, msg_id=77))
        association.release()
        return answers

    return moving


def _identifier(level: str, **keys: Any) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _counts(status: Any) -> tuple[Any, ...]:
    return tuple(
        status.get(f"NumberOf{kind}Suboperations") for kind in ("Remaining", "Completed", "Failed", "Warning")
    )


@pytest.mark.parametrize(
    ("model", "level", "keys", "number"),
    [
        (PATIENT_MOVE, "PATIENT", {"PatientID": "P1"}, 6),
        (PATIENT_MOVE, "STUDY", {"PatientID": "P1", "StudyInstanceUID": "1.2.3.2"}, 1),
        (STUDY_MOVE, "STUDY", {"StudyInstanceUID": ["1.2.3.1", "1.2.3.2"]}, 6),
        (STUDY_MOVE, "SERIES", {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.1.2"}, 2),
        (STUDY_MOVE, "IMAGE", {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.1.1",
                               "SOPInstanceUID": ["1.2.3.1.1.1", "1.2.3.1.1.3", "1.2.3.9"]}, 2),
        (STUDY_MOVE, "STUDY", {"StudyInstanceUID": "1.2.3.99"}, 0),
    ],
)  # fmt: skip
def test_a_move_sends_what_it_names_and_counts_each(
    record: Any, move: Move, receive: Receive, model: str, level: str, keys: dict[str, Any], number: int
) -> None:
    port, got = receive()
    record.put_peer("DEST", port)

    answers = move(level, model=model, **keys)

    pending, (final, identifier) = answers[:-1], answers[-1]
    told = [(one.Status, _counts(one)) for one, _ in pending if _counts(one)[1]]
    assert told == [(0xFF00, (number - done, done, 0, 0)) for done in range(1, number)]
    assert (final.Status, _counts(final)) == (0, (None, number, 0, 0))
    assert identifier is None or not identifier
    assert len(got) == number
    assert {(one.request.MoveOriginatorApplicationEntityTitle, one.request.MoveOriginatorMessageID) for one in got} <= {("WS1", 77)}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "level", "keys"),
    [
        (PATIENT_MOVE, "STUDY", {"StudyInstanceUID": "1.2.3.1"}),
        (STUDY_MOVE, "STUDY", {"StudyInstanceUID": ""}),
        (STUDY_MOVE, "SERIES", {"SeriesInstanceUID": "1.2.3.1.1"}),
        (STUDY_MOVE, "PATIENT", {"PatientID": "P1"}),
    ],
)
def test_an_identifier_that_breaks_its_model_is_a900(
    record: Any, move: Move, model: str, level: str, keys: dict[str, str]
) -> None:
    record.put_peer("DEST", 1)

    [(status, _)] = move(level, model=model, **keys)

    assert (status.Status, _counts(status)) == (0xA900, (None,) * 4)


def test_an_unknown_destination_is_a801_and_says_which(move: Move) -> None:
    [(status, _)] = move("STUDY", to="NOWHERE", StudyInstanceUID="1.2.3.1")

    assert status.Status == 0xA801
    assert status.ErrorComment == "destination NOWHERE is not configured"


def test_a_dead_destination_fails_every_instance_after_one_attempt(record: Any, move: Move) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    record.put_peer("DEST", port)

    answers = move("STUDY", StudyInstanceUID="1.2.3.1")

    final, identifier = answers[-1]
    assert (final.Status, _counts(final)) == (0xA702, (None, 0, 5, 0))
    assert "Connection refused" in final.ErrorComment
    assert sorted(identifier.FailedSOPInstanceUIDList) == [
        "1.2.3.1.1.1", "1.2.3.1.1.2", "1.2.3.1.1.3", "1.2.3.1.2.1", "1.2.3.1.2.2"
    ]  # fmt: skip


def test_what_the_destination_refuses_is_listed_and_the_rest_arrives(
    record: Any, move: Move, receive: Receive
) -> None:
    refused = {"1.2.3.1.1.2": 0xA700, "1.2.3.1.2.1": 0x0111, "1.2.3.1.2.2": 0xB000}
    port, got = receive(status=lambda event: refused.get(event.request.AffectedSOPInstanceUID, 0))
    record.put_peer("DEST", port)

    final, identifier = move("STUDY", StudyInstanceUID="1.2.3.1")[-1]

    assert (final.Status, _counts(final)) == (0xB000, (None, 2, 2, 1))
    assert sorted(identifier.FailedSOPInstanceUIDList) == ["1.2.3.1.1.2", "1.2.3.1.2.1"]
    assert len(got) == 3


def test_warnings_alone_make_a_warning_without_a_list(record: Any, move: Move, receive: Receive) -> None:
    port, _ = receive(status=lambda _: 0xB000)
    record.put_peer("DEST", port)

    final, identifier = move("STUDY", StudyInstanceUID="1.2.3.2")[-1]

    assert (final.Status, _counts(final)) == (0xB000, (None, 0, 0, 1))
    assert not identifier


def test_an_instance_whose_bytes_are_gone_fails_and_the_rest_arrives(
    record: Any, move: Move, receive: Receive
) -> None:
    port, got = receive()
    record.put_peer("DEST", port)
    [lost] = record.hub.retrieve(OPERATOR, Query(Level.INSTANCE, {"sop_instance_uid": Exact("1.2.3.1.1.2")}))
    digest = lost.instance.blob.digest
    (record.objects / digest[:2] / digest).unlink()

    final, identifier = move("STUDY", StudyInstanceUID="1.2.3.1")[-1]

    assert (final.Status, _counts(final)) == (0xB000, (None, 4, 1, 0))
    assert identifier.FailedSOPInstanceUIDList == "1.2.3.1.1.2"
    assert len(got) == 4


def test_a_cancelled_move_stops_and_says_what_remains(
    full: int, record: Any, dial: Any, receive: Receive
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(_event: Any) -> int:
        begun.set()
        go_on.wait(10)
        return 0

    port, got = receive(status=slowly)
    record.put_peer("DEST", port)
    request = CMoveRequest(AffectedSOPClassUID=STUDY_MOVE, MessageID=5, MoveDestination="DEST")

    with dial(full, [(STUDY_MOVE, [EXPLICIT])]) as peer:
        peer.say(STUDY_MOVE, request, _identifier("STUDY", StudyInstanceUID="1.2.3.1"))
        begun.wait(10)
        peer.say(STUDY_MOVE, CCancelRequest(MessageIDBeingRespondedTo=5))
        time.sleep(0.1)
        go_on.set()
        answers = [peer.hear()]
        while answers[-1].Status == 0xFF00:
            answers.append(peer.hear())

    final = answers[-1]
    assert final.Status == 0xFE00
    assert final.NumberOfRemainingSuboperations + final.NumberOfCompletedSuboperations == 5
    assert final.NumberOfRemainingSuboperations >= 3
    assert len(got) == final.NumberOfCompletedSuboperations


def test_a_merged_patient_is_shown_to_the_destination_and_the_received_one_kept_beside(
    record: Any, move: Move, receive: Receive
) -> None:
    port, got = receive()
    record.put_peer("DEST", port)
    survivor = PatientStatement((Identifier("P9", ""),), Demographics("Smith^Jane", "19700101", "F"))
    retired = PatientStatement((Identifier("P1", ""),), Demographics("Doe^Jane", "19700101", "F"))
    record.hub.merge_patients(OPERATOR, survivor, retired)

    final, _ = move("STUDY", StudyInstanceUID="1.2.3.2")[-1]

    assert final.Status == 0
    assert (got[0].PatientID, got[0].PatientName) == ("P9", "Smith^Jane")
    [original] = got[0].OriginalAttributesSequence
    [attributes] = original.ModifiedAttributesSequence
    assert (attributes.PatientID, attributes.PatientName) == ("P1", "Doe^Jane")
    assert got[0].PixelData == bytes(range(128))


@pytest.mark.needs("dcmtk")
def test_movescu_moves_to_a_storescp(
    run: Any, full: int, record: Any, tmp_path: Path, free_port: int
) -> None:
    folder = tmp_path / "moved"
    folder.mkdir()
    record.put_peer("DCMTK", free_port)
    scp = subprocess.Popen(["storescp", "-od", str(folder), "+B", str(free_port)])
    try:
        _wait_for(free_port)
        said = run("movescu", "-v", "-S", "-aem", "DCMTK", *STUDY, "127.0.0.1", full).stdout
    finally:
        scp.terminate()
        scp.wait(10)

    assert "Received Final Move Response (Success)" in said
    assert len(list(folder.iterdir())) == 5
    assert all(dcmread(path).StudyInstanceUID == "1.2.3.1" for path in folder.iterdir())


@pytest.mark.needs("dcmtk")
def test_movescu_is_told_that_the_destination_is_unknown(run: Any, full: int) -> None:
    done = run("movescu", "-d", "-S", "-aem", "NOWHERE", *STUDY, "127.0.0.1", full, check=False)

    assert "0xa801" in done.stdout
    assert "[destination NOWHERE is not configured" in done.stdout


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize("option", ["+x=", "+xi", "+xe"])
def test_getscu_gets(run: Any, full: int, tmp_path: Path, option: str) -> None:
    folder = tmp_path / "got"
    folder.mkdir()

    said = run("getscu", "-v", "-S", option, "-od", folder, *STUDY, "127.0.0.1", full).stdout

    assert "Received C-GET Response (Success)" in said
    assert "Number of Completed Suboperations : 5" in said
    assert len(list(folder.iterdir())) == 5


def test_pynetdicom_gets_by_role_selection_and_the_rest_fails(full: int) -> None:
    got = []
    entity = AE("WS1")
    entity.add_requested_context(STUDY_GET)
    entity.add_requested_context(CT, EXPLICIT)
    association = entity.associate(
        "127.0.0.1", full, ext_neg=[build_role(CT, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, lambda event: got.append(event.dataset) or 0)],
    )  # fmt: skip

    answers = list(association.send_c_get(_identifier("STUDY", StudyInstanceUID="1.2.3.1"), STUDY_GET))
    association.release()

    final, _ = answers[-1]
    assert (final.Status, _counts(final)) == (0, (None, 5, 0, 0))
    assert min(one.SOPInstanceUID for one in got) == "1.2.3.1.1.1"


def test_without_a_role_for_its_sop_class_every_instance_of_a_get_fails(full: int, dial: Any) -> None:
    with dial(full, [(STUDY_GET, [EXPLICIT]), (CT, [EXPLICIT])]) as peer:
        answer = peer.ask(STUDY_GET, CGetRequest(AffectedSOPClassUID=STUDY_GET, MessageID=3), _identifier("STUDY", StudyInstanceUID="1.2.3.2"))  # fmt: skip

    assert (answer.Status, _counts(_as_data_set(answer))) == (0xA702, (None, 0, 1, 0))
    assert answer.ErrorComment == "the requester accepts no storage of this SOP class"
    assert b"1.2.3.2.1.1" in peer.heard[0]


def _as_data_set(answer: Any) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in type(answer).__dataclass_fields__}


def test_a_get_is_cancelled_between_two_instances(full: int, dial: Any, numbered: Any) -> None:
    roles = (RoleSelection(CT, scu_role=True, scp_role=True),)
    request = CGetRequest(AffectedSOPClassUID=STUDY_GET, MessageID=6)
    with dial(full, [(STUDY_GET, [EXPLICIT]), (CT, [EXPLICIT])], role_selections=roles) as peer:
        store = peer.ask(STUDY_GET, request, _identifier("STUDY", StudyInstanceUID="1.2.3.1"))
        peer.say(STUDY_GET, CCancelRequest(MessageIDBeingRespondedTo=6))
        peer.say(CT, respond(store, 0))
        answers = [peer.hear()]
        while answers[-1].Status == 0xFF00:
            answers.append(peer.hear())
        after = peer.store(numbered(9))

    assert peer.heard[0] == encoded(numbered(1), EXPLICIT)
    assert (answers[-1].Status, answers[-1].NumberOfRemainingSuboperations) == (0xFE00, 4)
    assert answers[-1].NumberOfCompletedSuboperations == 1
    assert after.Status == 0


def _wait_for(port: int) -> None:
    """Until a server that was just started listens."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server did not start")
