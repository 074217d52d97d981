"""Roles are processes: one that dies comes back, all end together, and nothing is left behind."""

import socket
import time

import psutil
import pytest
from hospital import ehr as messages
from hospital import modality
from hospital.ehr import Person
from hospital.everybody import Hospital
from hospital.modality import Study
from hospital.server import Server, eventually

pytestmark = pytest.mark.needs("dcmtk")

ROLES = {"dicom", "web", "hl7", "engine"}
STOP_SECONDS = 10


def _ports(server: Server) -> dict[str, int]:
    return {"web": server.http, "dicom": server.dicom, "hl7": server.hl7}


def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("role", ["dicom", "hl7", "web"])
def test_the_port_of_a_role_that_died_never_refuses_and_is_soon_served_again(
    server: Server, role: str
) -> None:
    port, before = _ports(server)[role], server.roles()[role].pid
    server.kill_role(role)

    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()

    eventually(lambda: set(server.roles()) == ROLES, "the role does not come back")
    assert server.roles()[role].pid != before
    assert server.is_ready()
    assert messages.send(server.hl7, messages.registration(Person("1"))) == ["AA"]
    assert modality.find_study(server.dicom, server.folder.parent / "find") == []


def test_an_engine_that_died_comes_back_and_delivers(hospital: Hospital) -> None:
    hospital.route()
    hospital.server.kill_role("engine")

    study = Study("P1", "Doe^Anna", "", "", modality.new_uid())
    modality.storescu(hospital.server.dicom, modality.make_series(hospital.folder / "ct", study, 2))

    eventually(lambda: hospital.states("pacs2") == ["sent", "sent"], "nothing is delivered")


def test_sigterm_ends_everything_within_ten_seconds_even_with_idle_peers_connected(server: Server) -> None:
    family = [server.supervisor, *server.roles().values()]
    idle = [socket.create_connection(("127.0.0.1", port)) for port in _ports(server).values()]
    started = time.monotonic()

    code = server.stop()

    took = time.monotonic() - started
    for connection in idle:
        connection.close()
    assert code == 0
    assert took < STOP_SECONDS + 1
    assert [process for process in family if not _is_gone(process)] == []


def test_without_its_supervisor_no_role_stays_and_a_restart_on_the_same_ports_works(server: Server) -> None:
    assert messages.send(server.hl7, messages.registration(Person("1"))) == ["AA"]

    children = server.kill_supervisor()
    server.start()

    assert [child for child in children if not _is_gone(child)] == []
    assert set(server.roles()) == ROLES
    assert messages.send(server.hl7, messages.registration(Person("2"))) == ["AA"]


def test_a_second_server_on_the_same_ports_says_so_and_leaves_the_first_alone(server: Server) -> None:
    twin = Server(server.folder.parent / "twin", "", "--open", ports=iter(_ports(server).values()))

    code = twin.launch().wait(30)

    assert code != 0
    assert "cannot listen on" in twin.last_words()
    assert server.is_ready()
