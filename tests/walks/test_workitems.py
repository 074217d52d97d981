"""A workitem across processes: pushed by DIMSE, watched on a WebSocket and by N-EVENT-REPORT, kept over a kill."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hospital.server import Server, eventually
from pynetdicom import AE, evt
from websockets.sync.client import connect

from hilum.core.access.model import Peer, PeerKind
from hilum.wire.dicom import ups

PUSH, PULL, EVENT = (f"1.2.840.10008.5.1.4.34.6.{number}" for number in (1, 3, 4))
ALL, UID, CLAIM = "1.2.840.10008.5.1.4.34.5", "1.2.3.4", "2.25.7"
WATCH = "1.2.840.10008.5.1.4.34.6.2"


def one(vr: str, value: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


STEP = {
    "00741000": one("CS", "SCHEDULED"),
    "00741200": one("CS", "HIGH"),
    "00741204": one("LO", "Segment the lung"),
    "00404041": one("CS", "READY"),
    "00404005": one("DT", "20261201093000"),
}


@pytest.fixture
def station() -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """A pynetdicom AE that takes events: its port, and type and state of what it hears."""
    heard: list[tuple[int, str]] = []

    def on_event(event: Any) -> tuple[int, None]:
        heard.append((event.event_type, event.event_information.get("ProcedureStepState", "")))
        return 0, None

    entity = AE("STATION")
    entity.add_supported_context(EVENT, scu_role=False, scp_role=True)
    listening = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_event)]
    )
    yield listening.server_address[1], heard
    listening.shutdown()


def act(server: Server, sop_class: str, number: int, asked: dict[str, Any], uid: str) -> int:
    """N-ACTION on an association of its own; returns the status."""
    entity = AE("RIS")
    entity.add_requested_context(sop_class)
    association = entity.associate("127.0.0.1", server.dicom)
    assert association.is_established
    status, _ = association.send_n_action(ups.data_set_of(asked), number, PUSH, uid, meta_uid=sop_class)
    association.release()
    return int(status.Status)


def push(server: Server) -> int:
    """N-CREATE; returns the status."""
    entity = AE("RIS")
    entity.add_requested_context(PUSH)
    association = entity.associate("127.0.0.1", server.dicom)
    assert association.is_established
    status, _ = association.send_n_create(ups.data_set_of(STEP), PUSH, UID)
    association.release()
    return int(status.Status)


def test_every_watcher_hears_of_it_in_order_and_a_kill_forgets_nothing(
    server: Server, station: tuple[int, list[tuple[int, str]]]
) -> None:
    port, heard = station
    server.add_peers(Peer("station", PeerKind.DICOM, "127.0.0.1", port, "STATION", roles=("modality",)))
    receiver = {"00741234": one("AE", "STATION"), "00741230": one("LO", "TRUE")}
    web = httpx.Client(base_url=f"{server.url}/dicom-web", timeout=20)
    channel_url = web.post(f"/workitems/{ALL}/subscribers/BROWSER").headers["content-location"]
    assert act(server, WATCH, 3, receiver, ALL) == 0

    with connect(channel_url, proxy=None) as channel:
        assert push(server) == 0xB300
        claim = {"00741000": one("CS", "IN PROGRESS"), "00081195": one("UI", CLAIM)}
        body = {"content": json.dumps(claim), "headers": {"Content-Type": "application/dicom+json"}}
        assert web.put(f"/workitems/{UID}/state", **body).status_code == 200  # type: ignore[arg-type]
        states = [json.loads(channel.recv(timeout=20))["00741000"]["Value"][0] for _ in range(2)]
    eventually(lambda: len(heard) == 2, "the station is not told")
    server.kill()
    server.start()
    eventually(lambda: len(heard) == 3, "the station is not told of the restart")
    canceled = {"00741000": one("CS", "CANCELED"), "00081195": one("UI", CLAIM)}
    assert act(server, PULL, 1, canceled, UID) == 0
    eventually(lambda: len(heard) == 4, "the station is not told of the end")

    assert states == ["SCHEDULED", "IN PROGRESS"]
    assert heard == [(1, "SCHEDULED"), (1, "IN PROGRESS"), (4, ""), (1, "CANCELED")]
    [kept] = web.get(f"/workitems/{UID}").json()
    assert kept["00741000"]["Value"] == ["CANCELED"]
    web.close()
