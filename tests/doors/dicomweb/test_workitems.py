"""UPS-RS by plain HTTP and WebSockets (PS3.18 11), and the same workitem from either door."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynetdicom import AE
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from hilum.core.access import policy
from hilum.core.hub import Hub
from hilum.doors._http import bounded
from hilum.doors._http.app import http_app
from hilum.doors.dicomweb import dicomweb_doors, event_channel
from hilum.stores.objects import objects_from_url
from hilum.stores.sql import Database
from hilum.wire.dicom import ups

UID, CLAIM = "1.2.3.4", "2.25.77"
ALL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
DICOM_JSON = {"Content-Type": "application/dicom+json"}
OPERATOR = policy.local_operator("test")


def one(vr: str, value: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def code(value: str) -> dict[str, Any]:
    return one(
        "SQ", {"00080100": one("SH", value), "00080102": one("SH", "99H"), "00080104": one("LO", value)}
    )


def step(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "00741000": one("CS", "SCHEDULED"),
        "00741200": one("CS", "HIGH"),
        "00741202": one("LO", "Reading"),
        "00741204": one("LO", "Lunge prüfen"),
        "00404041": one("CS", "READY"),
        "00404005": one("DT", "20261201093000"),
        "00100010": one("PN", {"Alphabetic": "Müller^Jörg"}),
        "00100020": one("LO", "P1"),
        "00404018": code("SEG"),
    }
    made |= {tag.removeprefix("t"): value for tag, value in changes.items()}
    return {tag: value for tag, value in made.items() if value is not None}


PERFORMED = {
    "00741216": one(
        "SQ",
        {
            "00404028": code("AI1"),
            "00404050": one("DT", "20261201094000"),
            "00404051": one("DT", "20261201094500"),
            "00404019": code("SEG"),
            "00404033": {"vr": "SQ"},
        },
    )
}


class Client:
    """A user agent of UPS-RS."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def create(self, data_set: Any, uid: str = UID) -> httpx.Response:
        return self.http.post(f"/workitems?{uid}" if uid else "/workitems", **_body(data_set))

    def update(self, data_set: Any, query: str = "", uid: str = UID) -> httpx.Response:
        return self.http.post(f"/workitems/{uid}{query}", **_body(data_set))

    def state(self, wanted: str, transaction_uid: str = CLAIM, uid: str = UID) -> httpx.Response:
        asked = {"00741000": one("CS", wanted), "00081195": one("UI", transaction_uid)}
        if not transaction_uid:
            del asked["00081195"]
        return self.http.put(f"/workitems/{uid}/state", **_body(asked))

    def cancel(self, reason: Any = None, uid: str = UID) -> httpx.Response:
        return self.http.post(f"/workitems/{uid}/cancelrequest", **(_body(reason) if reason else {}))

    def get(self, uid: str = UID) -> Any:
        [data_set] = self.http.get(f"/workitems/{uid}").raise_for_status().json()
        return data_set

    def subscribe(self, target: str = UID, ae_title: str = "WATCH", query: str = "") -> httpx.Response:
        return self.http.post(f"/workitems/{target}/subscribers/{ae_title}{query}")


def _body(data_set: Any) -> dict[str, Any]:
    return {"content": json.dumps([data_set]).encode(), "headers": DICOM_JSON}


@pytest.fixture
def agent(http: httpx.Client) -> Client:
    return Client(http)


def said(response: httpx.Response) -> tuple[int, str]:
    """Return the status, and the Warning field after its service."""
    warning = response.headers.get("warning", "")
    assert not warning or warning.startswith("299 http://127.0.0.1:")
    return response.status_code, warning.partition("/dicom-web: ")[2]


def test_a_workitem_goes_from_created_to_completed(agent: Client, archive: Any) -> None:
    created = agent.create(step())
    claimed = agent.state("IN PROGRESS")
    updated = agent.update(PERFORMED, f"?transaction-uid={CLAIM}")
    completed = agent.state("COMPLETED")

    assert (created.status_code, created.headers["location"]) == (201, f"{archive.web}/workitems/{UID}")
    assert [one_.status_code for one_ in (claimed, updated, completed)] == [200, 200, 200]
    kept = agent.get()
    assert kept["00741000"]["Value"] == ["COMPLETED"]
    assert kept["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
    assert kept["00741204"]["Value"] == ["Lunge prüfen"]
    assert "00081195" not in kept


def test_create_answers_as_table_11_4_3_says(agent: Client) -> None:
    assert said(agent.create(step())) == (201, "The Workitem was created with modifications.")
    assert said(agent.create(step()))[0] == 409
    assert agent.create(step(t00741000=one("CS", "COMPLETED")), "1.2.5").status_code == 400
    assert agent.create(step(t00741204=None), "1.2.5").status_code == 400
    assert agent.create(step(), "nonsense").status_code == 201  # no UID in the query: one is given
    assert agent.create(step(t00080018=one("UI", "1.2.7")), "").headers["location"].endswith("/1.2.7")
    assert agent.create(step(t00080018=one("UI", "1.2.7")), "1.2.8").status_code == 400
    complete = {tag: value for tag, value in agent.get().items() if tag not in ("00404010", "00080018")}
    assert said(agent.create(complete, "1.2.9")) == (201, "")


def test_change_state_answers_as_table_11_7_3_says(agent: Client) -> None:
    inconsistent = (409, "The submitted request is inconsistent with the state of the UPS Instance.")
    incorrect = (400, "The Transaction UID is incorrect.")

    assert agent.state("IN PROGRESS").status_code == 404
    agent.create(step())
    assert said(agent.state("IN PROGRESS", "")) == (400, "The Transaction UID is missing.")
    assert said(agent.state("COMPLETED")) == inconsistent
    assert agent.state("PAUSED").status_code == 400
    assert said(agent.state("IN PROGRESS")) == (200, "")
    assert said(agent.state("IN PROGRESS")) == inconsistent
    assert said(agent.state("COMPLETED", "2.25.1")) == incorrect
    assert said(agent.state("COMPLETED")) == inconsistent
    assert said(agent.state("CANCELED")) == (200, "")
    assert said(agent.state("CANCELED")) == (200, "The UPS is already in the requested state of CANCELED.")
    agent.create(step(), "1.2.5")
    agent.state("IN PROGRESS", uid="1.2.5")
    agent.update(PERFORMED, f"?{CLAIM}", "1.2.5")
    agent.state("COMPLETED", uid="1.2.5")
    again = said(agent.state("COMPLETED", uid="1.2.5"))
    assert again == (200, "The UPS is already in the requested state of COMPLETED.")


def test_update_answers_as_table_11_6_3_says(agent: Client) -> None:
    label = {"00741204": one("LO", "Other")}
    inconsistent = "The submitted request is inconsistent with the current state of the Workitem."

    assert agent.update(label).status_code == 404
    agent.create(step())
    unclaimed = (409, "The target URI did not reference a claimed Workitem.")
    assert said(agent.update(label, f"?{CLAIM}")) == unclaimed
    assert said(agent.update(label)) == (200, "")
    agent.state("IN PROGRESS")
    assert said(agent.update(label)) == (400, inconsistent)
    assert said(agent.update(label, "?2.25.1")) == (400, inconsistent)
    assert said(agent.update(label | {"00081195": one("UI", CLAIM)})) == (200, "")
    assert agent.update({"00100020": one("LO", "P2")}, f"?{CLAIM}").status_code == 400
    agent.state("CANCELED")
    assert said(agent.update(label, f"?{CLAIM}")) == (400, inconsistent)


def test_a_request_to_cancel_answers_as_table_11_8_3_says(agent: Client) -> None:
    assert agent.cancel().status_code == 404
    agent.create(step())
    assert said(agent.cancel({"00741238": one("LT", "gone home")})) == (202, "")
    assert agent.get()["00741000"]["Value"] == ["CANCELED"]
    assert said(agent.cancel()) == (202, "The UPS is already in the requested state of CANCELED.")
    agent.create(step(), "1.2.5")
    agent.state("IN PROGRESS", uid="1.2.5")
    assert said(agent.cancel(uid="1.2.5")) == (409, "The performer cannot be contacted.")
    agent.subscribe("1.2.5")
    assert said(agent.cancel(uid="1.2.5")) == (202, "")
    agent.update(PERFORMED, f"?{CLAIM}", "1.2.5")
    agent.state("COMPLETED", uid="1.2.5")
    assert said(agent.cancel(uid="1.2.5")) == (409, "The UPS is already COMPLETED.")


def test_a_search_matches_pages_and_returns_what_is_asked_for(agent: Client) -> None:
    for number in range(7):
        agent.create(step(t00404005=one("DT", f"2026120{number + 1}")), f"1.2.{number}")
    agent.create(step(t00404018=code("QA"), t00741202=one("LO", "Other")), "1.2.9")

    def uids(query: str) -> list[str]:
        found = agent.http.get(f"/workitems?{query}").raise_for_status().json()
        return [item["00080018"]["Value"][0] for item in found]

    assert uids("WorklistLabel=Other") == ["1.2.9"]
    assert uids("ScheduledWorkitemCodeSequence.CodeValue=QA") == ["1.2.9"]
    assert uids("00404005=20261202-20261203") == ["1.2.1", "1.2.2"]
    assert uids("PatientName=m%C3%BCller*&WorklistLabel=Reading&limit=2&offset=1") == ["1.2.1", "1.2.2"]
    assert uids("ProcedureStepState=COMPLETED") == []
    capped = agent.http.get("/workitems")
    assert len(capped.json()) == 5
    assert said(capped)[1].startswith("The number of results exceeded the maximum")
    odd = agent.http.get("/workitems?Nonsense=1&fuzzymatching=true&WorklistLabel=Other")
    warnings = odd.headers.get_list("warning")
    assert "parameter Nonsense is no attribute" in warnings[0]
    assert "Only literal matching" in odd.headers["warning"]
    assert "00081195" not in agent.http.get("/workitems?includefield=all&TransactionUID=").text
    assert agent.http.get("/workitems?00404005=yesterday").status_code == 400
    assert agent.http.get("/workitems?limit=x").status_code == 400


def test_subscriptions_answer_with_the_address_of_the_channel(agent: Client, archive: Any) -> None:
    assert agent.subscribe().status_code == 404
    agent.create(step())
    created = agent.subscribe()

    assert created.status_code == 201
    assert created.headers["content-location"] == f"ws{archive.web.removeprefix('http')}/subscribers/WATCH"
    assert agent.subscribe(query="?deletionlock=perhaps").status_code == 400
    assert agent.subscribe(FILTERED).status_code == 400
    assert agent.subscribe(FILTERED, query="?filter=WorklistLabel=Reading").status_code == 201
    assert agent.subscribe(ae_title="A" * 17).status_code == 400
    assert agent.http.post(f"/workitems/{ALL}/subscribers/WATCH/suspend").status_code == 200
    assert agent.http.post(f"/workitems/{UID}/subscribers/WATCH/suspend").status_code == 400
    assert agent.http.delete(f"/workitems/{UID}/subscribers/WATCH").status_code == 200
    assert agent.http.delete("/workitems/9.9/subscribers/WATCH").status_code == 404


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"[", "application/dicom+json", 400),
        (b"[1]", "application/dicom+json", 400),
        (b"[{},{}]", "application/dicom+json", 400),
        (b'{"00741000": {"vr": "ZZ"}}', "application/dicom+json", 400),
        (b'{"00741006": {"vr": "ST", "Value": ["' + b"x" * 70_000 + b'"]}}', "application/dicom+json", 400),
        (b'{"00280010": {"vr": "US", "Value": ["many"]}}', "application/dicom+json", 400),
        (b"[" * 100_000, "application/dicom+json", 400),
        (b"<NativeDicomModel/>", "text/html", 415),
        (b" " * (ups.MOST_OCTETS + 1), "application/dicom+json", 413),
    ],
)
def test_bodies_that_are_none_are_refused(
    agent: Client, content: bytes, content_type: str, status: int
) -> None:
    answer = agent.http.post("/workitems?1.2", content=content, headers={"Content-Type": content_type})

    assert answer.status_code == status
    assert agent.http.get("/workitems/1.2").status_code == 404


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["vr", "Value", "00741000", "00404018", "BulkDataURI", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON, vr=st.sampled_from(["CS", "SQ", "US", "PN", "DT", "OB", "AT", "FD"]))
def test_whatever_json_comes_is_read_or_refused(body: Any, vr: str) -> None:
    from hilum.core.kernel.errors import Invalid

    for given_ in (
        body,
        {"00741000": {"vr": vr, "Value": [body]}},
        {"00741000": {"vr": vr, "InlineBinary": body}},
    ):
        try:
            kept = ups.attributes_of_json(json.dumps(given_).encode())
        except Invalid:
            continue
        assert ups.attributes_of_json(json.dumps(kept).encode()) == kept


def test_methods_are_named_and_strangers_are_not_let_in(agent: Client, archive: Any) -> None:
    allowed = agent.http.options(f"/workitems/{UID}/subscribers/WATCH").headers["allow"]
    assert allowed == "OPTIONS, POST, DELETE"
    assert agent.http.get(f"/workitems/{UID}/state").status_code == 405

    archive.hub.open_to_all = False
    assert agent.http.get("/workitems").status_code == 401
    reader = archive.hub.create_token(OPERATOR, "reader", ("workitems.read",), None)
    bearer = {"Authorization": f"Bearer {reader}"}
    assert agent.http.get("/workitems", headers=bearer).status_code == 200
    refused = agent.http.post("/workitems?1.2", headers=bearer | DICOM_JSON, content=json.dumps(step()))
    assert refused.status_code == 403


@contextmanager
def listening(archive: Any, ae_title: str = "WATCH", **more: Any) -> Iterator[ClientConnection]:
    url = f"ws{archive.web.removeprefix('http')}/subscribers/{ae_title}"
    with connect(url, proxy=None, open_timeout=20, **more) as channel:
        yield channel


def events(channel: ClientConnection, number: int) -> list[tuple[int, str, str]]:
    """Return so many events: message ID, type and state."""
    heard = [json.loads(channel.recv(timeout=20)) for _ in range(number)]
    assert all(event["00000002"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"] for event in heard)
    return [
        (event["00000110"]["Value"][0], event["00001002"]["Value"][0], event.get("00741000", {}).get("Value", [""])[0])
        for event in heard
    ]  # fmt: skip


def test_a_subscriber_hears_by_web_socket(agent: Client, archive: Any) -> None:
    with listening(archive) as channel, listening(archive, "OTHER") as other:
        agent.subscribe(ALL)
        agent.create(step(t00404025=code("AI1")))
        agent.state("IN PROGRESS")
        agent.update({"00741002": one("SQ", {"00741004": one("DS", 50)})}, f"?{CLAIM}")
        agent.cancel({"00741238": one("LT", "gone")})
        agent.state("CANCELED")

        heard = events(channel, 6)
        with pytest.raises(TimeoutError):
            other.recv(timeout=0.2)

    assert heard == [
        (1, 1, "SCHEDULED"), (2, 5, ""), (3, 1, "IN PROGRESS"), (4, 3, ""), (5, 2, ""), (6, 1, "CANCELED")
    ]  # fmt: skip


def test_the_channel_admits_like_any_resource(archive: Any) -> None:
    def status(ae_title: str = "WATCH", **more: Any) -> int:
        with pytest.raises(InvalidStatus) as refused, listening(archive, ae_title, **more):
            pass
        return refused.value.response.status_code

    assert status("A" * 17) == 400
    assert status(origin="http://elsewhere.example") == 403
    archive.hub.open_to_all = False
    assert status() == 401
    assert status(additional_headers={"Authorization": "Bearer wrong"}) == 401
    reader = archive.hub.create_token(OPERATOR, "reader", ("workitems.read",), None)
    assert status(additional_headers={"Authorization": f"Bearer {reader}"}) == 403
    watcher = archive.hub.create_token(OPERATOR, "watcher", ("workitems.subscribe",), None)
    with listening(archive, additional_headers={"Authorization": f"Bearer {watcher}"}) as channel:
        assert channel.ping().wait(20)


def test_an_own_page_listens_with_its_session_and_another_sites_page_does_not(archive: Any) -> None:
    archive.hub.open_to_all = False
    link = archive.hub.issue_link(OPERATOR, "admin")
    secret, _ = archive.hub.sign_in_by_link(link, "127.0.0.1", "trace")
    cookie = {"Cookie": f"hilum={secret}"}

    with listening(archive, origin=archive.url, additional_headers=cookie) as channel:
        assert channel.ping().wait(20)
    with (
        pytest.raises(InvalidStatus) as refused,
        listening(archive, origin="http://elsewhere.example", additional_headers=cookie),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_client_that_takes_nothing_is_dropped_and_holds_nothing_in_memory(
    agent: Client, archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_channel, "SEND_TIME", 0.3)
    monkeypatch.setattr(event_channel, "CLOSE_TIME", 0.3)
    monkeypatch.setattr(bounded, "DEAF_TIME", 3.0)
    monkeypatch.setattr(event_channel, "MOST_WAITING", 4)
    held: list[int] = []
    take = event_channel.Channel.take
    monkeypatch.setattr(
        event_channel.Channel,
        "take",
        lambda channel, reports: (take(channel, reports), held.append(channel.waiting.qsize()))[0],
    )
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, port = archive.url.removeprefix("http://").split(":")
    raw.connect((host, int(port)))
    url = f"ws{archive.web.removeprefix('http')}/subscribers/WATCH"
    agent.subscribe(ALL)
    with connect(url, sock=raw, proxy=None, max_queue=1, close_timeout=1, compression=None) as channel:
        fat = one("SQ", {"0040A160": one("UT", "x" * 700_000)})
        agent.create(step())
        agent.state("IN PROGRESS")
        for number in range(12):
            item = fat["Value"][0] | {"00741004": one("DS", number)}
            agent.update({"00741002": one("SQ", item)}, f"?{CLAIM}").raise_for_status()
        gone = threading.Event()
        for _ in range(200):
            if not _is_read_for():
                break
            gone.wait(0.05)
        with pytest.raises((ConnectionClosed, OSError)):
            events(channel, 20)

    assert not _is_read_for()
    assert max(held) <= 4


def _is_read_for() -> bool:
    """Tell whether the thread still runs that reads while there are channels."""
    return any(thread.name == "event-channels" for thread in threading.enumerate())


def test_what_another_process_writes_is_heard_here(
    database_url: str, tmp_path: Any, served: Callable[..., str]
) -> None:
    """The dicom role and the web role share a database and nothing else."""
    from hilum.doors.dimse.server import DimseServer
    from hilum.transport.dicom import Timers
    from hilum.wire.dicom.upper_layer.limits import Limits

    objects = objects_from_url(tmp_path / "objects", tmp_path / "spool")
    of_web, of_dicom = Database(database_url), Database(database_url)

    def hub_on(database: Database) -> Hub:
        return Hub(database, objects, None, lambda *_: {}, open_to_all=True)  # type: ignore[arg-type]

    web = served(http_app(hub_on(of_web), dicomweb_doors(hub_on(of_web), wait=of_web.wait_for_change)))
    server = DimseServer(
        hub_on(of_dicom), ae_title="HILUM", any_called_ae_title=True, open_destination=lambda *_: None,  # type: ignore[arg-type,return-value]
        maximum_associations=4, most_answers=100, longest_instance=1 << 20, limits=Limits(),
        timers=Timers(artim=0.5, acse=5, idle=5),
    )  # fmt: skip
    listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()
    thread = threading.Thread(target=server.serve, args=(listener, stop))
    thread.start()
    try:
        with httpx.Client(base_url=f"{web}/dicom-web", trust_env=False) as http:
            agent = Client(http)
            url = f"ws{web.removeprefix('http')}/dicom-web/subscribers/WATCH"
            with connect(url, proxy=None) as channel:
                assert agent.subscribe(ALL).status_code == 201
                _push(listener.getsockname()[1])
                heard = events(channel, 2)
            assert agent.get()["00741000"]["Value"] == ["CANCELED"]
    finally:
        stop.set()
        thread.join()
        listener.close()
        of_web.close()
        of_dicom.close()

    assert [(number, state) for _, number, state in heard] == [(1, "SCHEDULED"), (2, "")]


def _push(port: int) -> None:
    """Create a workitem by DIMSE, and ask to cancel it."""
    push = "1.2.840.10008.5.1.4.34.6.1"
    entity = AE("RIS")
    entity.add_requested_context(push)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    created, _ = association.send_n_create(ups.data_set_of(step()), push, UID)
    asked = ups.data_set_of({"00741238": one("LT", "gone home")})
    canceled, _ = association.send_n_action(asked, 2, push, UID)
    association.release()
    assert (created.Status, canceled.Status) == (0xB300, 0)
