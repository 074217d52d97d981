"""Workitems: the state table, the requirements, who is told what (PS3.4 CC)."""

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilum.core.access.model import Peer, PeerKind
from hilum.core.access.policy import ROLES
from hilum.core.archive.model import Between, Exact, Wildcard
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller, CallerKind, Permission
from hilum.core.kernel.errors import Invalid, Refused
from hilum.core.reactions import react
from hilum.core.routing.model import DeliveryQuery
from hilum.core.workitems.events import WorkitemReported
from hilum.core.workitems.model import (
    ALL_WORKITEMS,
    FILTERED_WORKITEMS,
    AttributeFault,
    Cancellation,
    Channel,
    EventType,
    Fault,
    Key,
    Reason,
    Remark,
    Subscriber,
    WorkitemConflict,
    WorkitemQuery,
    WorkitemState,
    WorkitemUnknown,
)
from hilum.stores.objects.local import LocalObjects
from hilum.stores.sql import Database

UID, CLAIM = "1.2.3.4", "2.25.7"
SCHEDULED, IN_PROGRESS = WorkitemState.SCHEDULED, WorkitemState.IN_PROGRESS
COMPLETED, CANCELED = WorkitemState.COMPLETED, WorkitemState.CANCELED


def one(vr: str, value: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def code(value: str) -> dict[str, Any]:
    return one(
        "SQ", {"00080100": one("SH", value), "00080102": one("SH", "99H"), "00080104": one("LO", value)}
    )


def requested(**changes: Any) -> dict[str, Any]:
    """Return what a scheduler sends: all of type 1, by tag; None leaves out."""
    made: dict[str, Any] = {
        "00741000": one("CS", "SCHEDULED"),
        "00741200": one("CS", "MEDIUM"),
        "00741202": one("LO", "Reading"),
        "00741204": one("LO", "Segment the lung"),
        "00404041": one("CS", "READY"),
        "00404005": one("DT", "20261201093000"),
        "00100010": one("PN", {"Alphabetic": "Doe^Jane"}),
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


def subscribe(house: Any, uid: str = UID, ae_title: str = "WATCH", **more: Any) -> None:
    wanted = Subscriber(ae_title, Channel.WEB_SOCKET, **more)
    house.hub.subscribe_to_workitems(house.operator, uid, wanted)


def told(house: Any, ae_title: str = "WATCH") -> list[tuple[EventType, str]]:
    """Return the events of a subscriber: type, and state or readiness."""
    reports, _ = house.hub.workitem_reports(house.operator, ae_title, 0)
    assert [report.number for report in reports] == list(range(1, len(reports) + 1))
    return [(one.event_type, one.information.get("00741000", {}).get("Value", [""])[0]) for one in reports]


@pytest.fixture
def made(house: Any) -> Any:
    """A house with one scheduled workitem."""
    house.hub.create_workitem(house.operator, UID, requested())
    return house


def state_of(house: Any, uid: str = UID) -> WorkitemState:
    state: WorkitemState = house.hub.read_workitem(house.operator, uid).state
    return state


def move(house: Any, *states: WorkitemState, transaction_uid: str = CLAIM) -> Remark:
    remark = Remark.NOTHING
    for state in states:
        remark = house.hub.change_workitem_state(house.operator, UID, state, transaction_uid)
    return remark


def refused(call: Callable[[], Any]) -> Reason:
    with pytest.raises((WorkitemConflict, WorkitemUnknown)) as failure:
        call()
    return failure.value.reason


def test_a_workitem_begins_scheduled_and_never_tells_its_transaction_uid(made: Any) -> None:
    move(made, IN_PROGRESS)

    kept = made.hub.read_workitem(made.operator, UID)
    assert kept.state is IN_PROGRESS
    assert "00081195" not in kept.attributes
    assert CLAIM not in repr(kept)
    secret = WorkitemQuery((Key("00081195", "UI", Exact(CLAIM)),))
    assert made.hub.find_workitems(made.operator, secret) == []


@pytest.mark.parametrize(
    ("changes", "tag", "fault"),
    [
        ({"t00741200": None}, "00741200", Fault.MISSING),
        ({"t00741204": {"vr": "LO"}}, "00741204", Fault.EMPTY),
        ({"t00741000": None}, "00741000", Fault.MISSING),
        ({"t00741216": code("X")}, "00741216", Fault.WRONG),
        ({"t00741002": code("X")}, "00741002", Fault.WRONG),
        ({"t00081195": one("UI", "1.2")}, "00081195", Fault.WRONG),
        ({"t00404041": one("CS", "SOON")}, "00404041", Fault.WRONG),
        ({"t00741200": one("CS", "STAT")}, "00741200", Fault.WRONG),
    ],
)
def test_what_breaks_the_requirements_is_not_created(
    house: Any, changes: dict[str, Any], tag: str, fault: Fault
) -> None:
    with pytest.raises(AttributeFault) as failure:
        house.hub.create_workitem(house.operator, UID, requested(**changes))

    assert (failure.value.tag, failure.value.fault) == (tag, fault)


def test_only_scheduled_workitems_are_created_and_each_once(house: Any) -> None:
    create = house.hub.create_workitem
    wrong = requested(t00741000=one("CS", "IN PROGRESS"))

    assert refused(lambda: create(house.operator, UID, wrong)) is Reason.NOT_SCHEDULED
    create(house.operator, UID, requested())
    assert refused(lambda: create(house.operator, UID, requested())) is Reason.DUPLICATE
    with pytest.raises(Invalid):
        create(house.operator, "not-a-uid", requested())


def test_type_2_attributes_that_are_missing_are_filled_in_and_that_is_said(house: Any) -> None:
    kept, remark = house.hub.create_workitem(house.operator, "", requested(t00741202=None))

    assert remark is Remark.CREATED_WITH_MODIFICATIONS
    assert kept.sop_instance_uid.startswith("2.25.")
    assert kept.attributes["00400400"] == {"vr": "LT"}
    assert kept.attributes["00741202"]["Value"] == ["HILUM"]
    again = {tag: value for tag, value in kept.attributes.items() if tag != "00404010"}
    assert house.hub.create_workitem(house.operator, UID, again)[1] is Remark.NOTHING


CELLS = [
    # state, wanted, transaction UID, what the table of CC.1.1-2 says
    (SCHEDULED, IN_PROGRESS, CLAIM, "moves"),
    (SCHEDULED, IN_PROGRESS, "", Reason.NO_TRANSACTION_UID),
    (SCHEDULED, SCHEDULED, CLAIM, Reason.ONLY_CREATED_SCHEDULED),
    (SCHEDULED, COMPLETED, CLAIM, Reason.NOT_IN_PROGRESS),
    (SCHEDULED, CANCELED, CLAIM, Reason.NOT_IN_PROGRESS),
    (SCHEDULED, COMPLETED, "", Reason.NO_TRANSACTION_UID),
    (IN_PROGRESS, IN_PROGRESS, CLAIM, Reason.ALREADY_IN_PROGRESS),
    (IN_PROGRESS, IN_PROGRESS, "2.25.8", Reason.WRONG_TRANSACTION_UID),
    (IN_PROGRESS, SCHEDULED, CLAIM, Reason.ONLY_CREATED_SCHEDULED),
    (IN_PROGRESS, COMPLETED, CLAIM, "moves"),
    (IN_PROGRESS, COMPLETED, "2.25.8", Reason.WRONG_TRANSACTION_UID),
    (IN_PROGRESS, CANCELED, CLAIM, "moves"),
    (IN_PROGRESS, CANCELED, "", Reason.NO_TRANSACTION_UID),
    (COMPLETED, IN_PROGRESS, CLAIM, Reason.MAY_NO_LONGER_BE_UPDATED),
    (COMPLETED, IN_PROGRESS, "2.25.8", Reason.WRONG_TRANSACTION_UID),
    (COMPLETED, SCHEDULED, CLAIM, Reason.ONLY_CREATED_SCHEDULED),
    (COMPLETED, COMPLETED, CLAIM, Remark.ALREADY_COMPLETED),
    (COMPLETED, COMPLETED, "2.25.8", Reason.WRONG_TRANSACTION_UID),
    (COMPLETED, CANCELED, CLAIM, Reason.MAY_NO_LONGER_BE_UPDATED),
    (CANCELED, IN_PROGRESS, CLAIM, Reason.MAY_NO_LONGER_BE_UPDATED),
    (CANCELED, SCHEDULED, CLAIM, Reason.ONLY_CREATED_SCHEDULED),
    (CANCELED, COMPLETED, CLAIM, Reason.MAY_NO_LONGER_BE_UPDATED),
    (CANCELED, CANCELED, CLAIM, Remark.ALREADY_CANCELED),
    (CANCELED, CANCELED, "2.25.8", Reason.WRONG_TRANSACTION_UID),
]
TO_REACH = {SCHEDULED: (), IN_PROGRESS: (IN_PROGRESS,), COMPLETED: (IN_PROGRESS, COMPLETED),
            CANCELED: (IN_PROGRESS, CANCELED)}  # fmt: skip


@pytest.mark.parametrize(("state", "wanted", "transaction_uid", "said"), CELLS)
def test_the_state_table(
    made: Any, state: WorkitemState, wanted: WorkitemState, transaction_uid: str, said: Any
) -> None:
    made.hub.change_workitem(made.operator, UID, PERFORMED, "")
    move(made, *TO_REACH[state])
    change = made.hub.change_workitem_state

    if isinstance(said, Reason):
        assert refused(lambda: change(made.operator, UID, wanted, transaction_uid)) is said
        assert state_of(made) is state
    else:
        remark = change(made.operator, UID, wanted, transaction_uid)
        assert remark is (Remark.NOTHING if said == "moves" else said)
        assert state_of(made) is wanted


def test_nothing_is_known_of_a_workitem_that_is_not_there(house: Any) -> None:
    hub, who = house.hub, house.operator

    calls = [
        lambda: hub.read_workitem(who, UID),
        lambda: hub.change_workitem(who, UID, {}, ""),
        lambda: hub.change_workitem_state(who, UID, IN_PROGRESS, CLAIM),
        lambda: hub.request_workitem_cancel(who, UID, Cancellation("A", {})),
        lambda: subscribe(house),
        lambda: hub.unsubscribe_from_workitems(who, UID, "WATCH"),
    ]
    assert [refused(call) for call in calls] == [Reason.UNKNOWN] * len(calls)


def test_it_is_completed_only_with_all_that_the_final_state_requires(made: Any) -> None:
    move(made, IN_PROGRESS)
    [item] = PERFORMED["00741216"]["Value"]
    for tag in item:
        lacking = {"00741216": one("SQ", {other: item[other] for other in item if other != tag})}
        made.hub.change_workitem(made.operator, UID, lacking, CLAIM)
        assert refused(lambda: move(made, COMPLETED)) is Reason.FINAL_STATE_REQUIREMENTS

    made.hub.change_workitem(made.operator, UID, PERFORMED, CLAIM)

    assert move(made, COMPLETED) is Remark.NOTHING


def test_it_is_canceled_with_two_actions_and_the_rest_is_filled_in(made: Any) -> None:
    move(made, IN_PROGRESS, CANCELED)

    [progress] = made.hub.read_workitem(made.operator, UID).attributes["00741002"]["Value"]
    assert len(progress["00404052"]["Value"][0]) == 19
    assert progress["0074100E"]["Value"][0]["00080100"]["Value"] == ["110513"]


@pytest.mark.parametrize(
    ("states", "transaction_uid", "said"),
    [
        ((), "", None),
        ((), CLAIM, Reason.NOT_IN_PROGRESS),
        ((IN_PROGRESS,), CLAIM, None),
        ((IN_PROGRESS,), "", Reason.NO_TRANSACTION_UID),
        ((IN_PROGRESS,), "2.25.8", Reason.WRONG_TRANSACTION_UID),
        ((IN_PROGRESS, CANCELED), CLAIM, Reason.MAY_NO_LONGER_BE_UPDATED),
    ],
)
def test_who_may_set_attributes_and_when(
    made: Any, states: tuple[WorkitemState, ...], transaction_uid: str, said: Reason | None
) -> None:
    move(made, *states)
    given_ = {"00741204": one("LO", "Another label"), "00081195": one("UI", transaction_uid)}
    change = made.hub.change_workitem

    if said:
        assert refused(lambda: change(made.operator, UID, given_, transaction_uid)) is said
    else:
        change(made.operator, UID, given_, transaction_uid)
    kept = made.hub.read_workitem(made.operator, UID).attributes
    assert kept["00741204"]["Value"] == (["Segment the lung"] if said else ["Another label"])
    assert "00081195" not in kept


@pytest.mark.parametrize(
    ("given_", "fault"),
    [
        ({"00100020": one("LO", "P2")}, Fault.NOT_ALLOWED),
        ({"00741000": one("CS", "COMPLETED")}, Fault.NOT_ALLOWED),
        ({"00080018": one("UI", "1.2")}, Fault.NOT_ALLOWED),
        ({"00741204": {"vr": "LO"}}, Fault.EMPTY),
        ({"00404041": one("CS", "MAYBE")}, Fault.WRONG),
    ],
)
def test_what_may_not_be_set_is_refused_whole(made: Any, given_: dict[str, Any], fault: Fault) -> None:
    before = made.hub.read_workitem(made.operator, UID)

    with pytest.raises(AttributeFault) as failure:
        made.hub.change_workitem(made.operator, UID, given_ | {"00741202": one("LO", "new")}, "")

    assert failure.value.fault is fault
    assert made.hub.read_workitem(made.operator, UID) == before


class Model:
    """What PS3.4 Table CC.1.1-2 says, told a second time: state and lock of one workitem."""

    def __init__(self) -> None:
        self.state, self.lock = "", ""

    def create(self) -> str:
        if self.state:
            return "0111"
        self.state = "SCHEDULED"
        return "ok"

    def change_state(self, wanted: str, uid: str) -> str:
        if not self.state:
            return "C307"
        if wanted == "SCHEDULED":
            return "C303"
        if not uid or (self.lock and uid != self.lock):
            return "C301"
        row = {
            "IN PROGRESS": {
                "SCHEDULED": "ok",
                "IN PROGRESS": "C302",
                "COMPLETED": "C300",
                "CANCELED": "C300",
            },
            "COMPLETED": {"SCHEDULED": "C310", "IN PROGRESS": "ok", "COMPLETED": "B306", "CANCELED": "C300"},
            "CANCELED": {"SCHEDULED": "C310", "IN PROGRESS": "ok", "COMPLETED": "C300", "CANCELED": "B304"},
        }[wanted]
        said = row[self.state]
        if said == "ok":
            self.state, self.lock = wanted, uid
        return said

    def cancel(self) -> str:
        said = {"": "C307", "SCHEDULED": "ok", "IN PROGRESS": "ok", "COMPLETED": "C311", "CANCELED": "B304"}
        answer = said[self.state]
        if self.state == "SCHEDULED":
            self.state, self.lock = "CANCELED", "somebody else's"
        return answer


CODES = {
    Reason.DUPLICATE: "0111", Reason.UNKNOWN: "C307", Reason.ONLY_CREATED_SCHEDULED: "C303",
    Reason.NO_TRANSACTION_UID: "C301", Reason.WRONG_TRANSACTION_UID: "C301",
    Reason.ALREADY_IN_PROGRESS: "C302", Reason.MAY_NO_LONGER_BE_UPDATED: "C300",
    Reason.NOT_IN_PROGRESS: "C310", Reason.ALREADY_COMPLETED: "C311",
    Remark.ALREADY_CANCELED: "B304", Remark.ALREADY_COMPLETED: "B306", Remark.NOTHING: "ok",
}  # fmt: skip
OPERATIONS = st.one_of(
    st.tuples(st.just("create")),
    st.tuples(st.just("cancel")),
    st.tuples(
        st.just("state"), st.sampled_from(list(WorkitemState)), st.sampled_from(["", "2.25.1", "2.25.2"])
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, min_size=1, max_size=8))
def test_any_sequence_of_operations_agrees_with_the_state_table(
    house: Any, operations: list[tuple[Any, ...]]
) -> None:
    uid, model = f"2.25.{uuid.uuid4().int}", Model()
    house.hub.unsubscribe_from_workitems(house.operator, ALL_WORKITEMS, "WATCH")
    subscribe(house, ALL_WORKITEMS)

    for operation in operations:
        expected = _on_model(model, operation)
        assert _on_hub(house, uid, operation) == expected
        if model.state:
            assert state_of(house, uid).value == model.state


def _on_model(model: Model, operation: tuple[Any, ...]) -> str:
    match operation:
        case ("create",):
            return model.create()
        case ("cancel",):
            return model.cancel()
        case _:
            return model.change_state(operation[1].value, operation[2])


def _on_hub(house: Any, uid: str, operation: tuple[Any, ...]) -> str:
    hub, who = house.hub, house.operator
    try:
        match operation:
            case ("create",):
                hub.create_workitem(who, uid, requested())
                hub.change_workitem(who, uid, PERFORMED, "")
                return "ok"
            case ("cancel",):
                return CODES[hub.request_workitem_cancel(who, uid, Cancellation("A", {}))]
            case _:
                return CODES[hub.change_workitem_state(who, uid, operation[1], operation[2])]
    except (WorkitemConflict, WorkitemUnknown) as error:
        return CODES[error.reason]


def test_a_subscriber_hears_the_present_state_and_then_every_change(made: Any) -> None:
    subscribe(made)
    move(made, IN_PROGRESS)
    hub, who = made.hub, made.operator
    hub.change_workitem(who, UID, {"00404041": one("CS", "INCOMPLETE")}, CLAIM)
    hub.change_workitem(who, UID, {"00404025": code("AI1")}, CLAIM)
    progress = one("SQ", {"00741004": one("DS", 50), "00741006": one("ST", "half")})
    hub.change_workitem(who, UID, {"00741002": progress}, CLAIM)
    hub.change_workitem(who, UID, {"00741002": progress}, CLAIM)
    hub.change_workitem(who, UID, {"00741204": one("LO", "no news")}, CLAIM)
    move(made, CANCELED)

    assert told(made) == [
        (EventType.STATE_REPORT, "SCHEDULED"),
        (EventType.STATE_REPORT, "IN PROGRESS"),
        (EventType.STATE_REPORT, "IN PROGRESS"),
        (EventType.ASSIGNED, ""),
        (EventType.PROGRESS_REPORT, ""),
        (EventType.STATE_REPORT, "CANCELED"),
    ]
    reports, _ = hub.workitem_reports(who, "WATCH", 3)
    assert reports[0].information == {"00404025": code("AI1")}
    assert reports[1].information == {"00741002": progress}


def test_cancelling_what_nobody_performs_ends_it_and_what_somebody_performs_asks_them(made: Any) -> None:
    hub, who = made.hub, made.operator
    reason = {"00741238": one("LT", "patient went home"), "0074100A": one("UR", "tel:1")}
    subscribe(made)

    assert hub.request_workitem_cancel(who, UID, Cancellation("RIS", reason)) is Remark.NOTHING
    assert told(made)[1:] == [
        (EventType.CANCEL_REQUESTED, ""),
        (EventType.STATE_REPORT, "IN PROGRESS"),
        (EventType.STATE_REPORT, "CANCELED"),
    ]
    asked = hub.workitem_reports(who, "WATCH", 1)[0][0].information
    assert asked == {"00741236": one("AE", "RIS"), **reason}
    [progress] = hub.read_workitem(who, UID).attributes["00741002"]["Value"]
    assert progress["00741238"] == reason["00741238"]

    hub.create_workitem(who, "1.2.9", requested())
    hub.change_workitem_state(who, "1.2.9", IN_PROGRESS, CLAIM)
    alone = refused(lambda: hub.request_workitem_cancel(who, "1.2.9", Cancellation("RIS", {})))
    assert alone is Reason.PERFORMER_OUT_OF_REACH
    subscribe(made, "1.2.9", "AI")
    assert hub.request_workitem_cancel(who, "1.2.9", Cancellation("RIS", {})) is Remark.NOTHING
    assert state_of(made, "1.2.9") is IN_PROGRESS
    assert told(made, "AI")[-1] == (EventType.CANCEL_REQUESTED, "")


def test_a_global_subscription_covers_what_is_there_and_what_comes(made: Any) -> None:
    hub, who = made.hub, made.operator

    subscribe(made, ALL_WORKITEMS)
    assert told(made) == []
    subscribe(made, ALL_WORKITEMS, "LOCKED", deletion_lock=True)
    assert told(made, "LOCKED") == [(EventType.STATE_REPORT, "SCHEDULED")]
    hub.create_workitem(who, "1.2.9", requested(t00404025=code("AI1")))
    assert told(made) == [(EventType.STATE_REPORT, "SCHEDULED"), (EventType.ASSIGNED, "")]

    hub.suspend_workitem_subscription(who, ALL_WORKITEMS, "WATCH")
    hub.create_workitem(who, "1.2.10", requested())
    move(made, IN_PROGRESS)
    assert told(made)[2:] == [(EventType.STATE_REPORT, "IN PROGRESS")]
    hub.unsubscribe_from_workitems(who, ALL_WORKITEMS, "WATCH")
    move(made, CANCELED)
    assert len(told(made)) == 3


def test_a_filtered_subscription_covers_what_matches_only(made: Any) -> None:
    key = Key("00404018", "SQ", items=(Key("00080100", "SH", Exact("SEG")),))

    subscribe(made, FILTERED_WORKITEMS, keys=(key,), deletion_lock=True)
    made.hub.create_workitem(made.operator, "1.2.9", requested(t00404018=code("QA")))
    made.hub.create_workitem(made.operator, "1.2.10", requested())

    reports, _ = made.hub.workitem_reports(made.operator, "WATCH", 0)
    assert [report.sop_instance_uid for report in reports] == [UID, "1.2.10"]


def test_subscription_states_change_as_the_table_says(made: Any) -> None:
    hub, who = made.hub, made.operator
    locks = lambda: [row[2] for row in made.rows()["workitem_subscriptions"]]  # noqa: E731

    subscribe(made, deletion_lock=True)
    subscribe(made, ALL_WORKITEMS)
    assert locks() == [True]  # what is subscribed already keeps its lock
    subscribe(made)
    assert locks() == [False]
    hub.unsubscribe_from_workitems(who, UID, "WATCH")
    assert locks() == []
    hub.create_workitem(who, "1.2.9", requested())
    assert locks() == [False]  # still subscribed globally
    assert refused(lambda: hub.suspend_workitem_subscription(who, UID, "WATCH")) is Reason.NOT_APPROPRIATE


def test_a_receiver_by_association_must_be_a_known_peer(made: Any) -> None:
    wanted = Subscriber("NOBODY", Channel.ASSOCIATION)
    call = lambda: made.hub.subscribe_to_workitems(made.operator, UID, wanted)  # noqa: E731

    assert refused(call) is Reason.RECEIVER_UNKNOWN
    made.hub.put_peer(made.operator, Peer("station", PeerKind.DICOM, "127.0.0.1", 104, "NOBODY"))
    call()
    assert WorkitemReported("NOBODY", 1, 1, by_association=True) in made.news()
    react(made.hub, 100)
    [delivery] = made.hub.deliveries(made.operator, DeliveryQuery(destination="station"))
    assert (delivery.reference, delivery.trace) == ("1/NOBODY", made.operator.trace)


def test_a_restart_is_told_to_all_subscribers_and_to_the_fallback_list(made: Any) -> None:
    subscribe(made)

    made.hub.announce_restart(("CONSOLE",))

    for ae_title in ("WATCH", "CONSOLE"):
        reports, _ = made.hub.workitem_reports(made.operator, ae_title, 0)
        assert reports[-1].event_type is EventType.SCP_STATUS_CHANGE
        assert [value["Value"][0] for value in reports[-1].information.values()] == [
            "RESTARTED",
            "WARM START",
            "WARM START",
        ]


def test_what_ended_long_ago_goes_unless_somebody_holds_it(made: Any) -> None:
    move(made, IN_PROGRESS, CANCELED)
    subscribe(made, deletion_lock=True)
    made.hub.create_workitem(made.operator, "1.2.9", requested())
    made.later(timedelta(days=31))

    assert made.hub.expire_workitems(timedelta(days=30)) == 0
    subscribe(made)
    assert made.hub.expire_workitems(timedelta(days=32)) == 0
    assert made.hub.expire_workitems(timedelta(days=30)) == 1
    assert refused(lambda: made.hub.read_workitem(made.operator, UID)) is Reason.UNKNOWN
    assert state_of(made, "1.2.9") is SCHEDULED


def test_the_history_says_who_moved_it(made: Any) -> None:
    move(made, IN_PROGRESS, CANCELED)

    history = made.hub.workitem_history(made.operator, UID)

    assert [(change.state, change.caller) for change in history] == [
        (SCHEDULED, "operator"),
        (IN_PROGRESS, "operator"),
        (CANCELED, "operator"),
    ]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (Key("00741000", "CS", Exact("SCHEDULED")), True),
        (Key("00741000", "CS", Exact("COMPLETED")), False),
        (Key("00404005", "DT", Between("20261201", "20261202")), True),
        (Key("00404005", "DT", Between("20261201", "20261201")), True),
        (Key("00404005", "DT", Between("20261202", "")), False),
        (Key("00100010", "PN", Wildcard("doe*")), True),
        (Key("00100010", "PN", Exact("DOE^JANE")), True),
        (Key("00100010", "PN", Wildcard("*john*")), False),
        (Key("00741204", "LO", Wildcard("*the ?ung")), True),
        (Key("00404018", "SQ", items=(Key("00080100", "SH", Exact("SEG")),)), True),
        (Key("00404018", "SQ", items=(Key("00080100", "SH", Exact("SEG")), Key("00080102", "SH", Exact("X")))), False),
    ],
)  # fmt: skip
def test_a_search_matches_any_attribute(made: Any, key: Key, found: bool) -> None:
    answers = made.hub.find_workitems(made.operator, WorkitemQuery((key,)))

    assert [one.sop_instance_uid for one in answers] == ([UID] if found else [])


def test_moments_are_compared_as_one_clock_shows_them(made: Any) -> None:
    local = made.hub.read_workitem(made.operator, UID).updated.astimezone()
    offset = local.strftime("%z")
    early = "20261201093000" + offset
    key = Key("00404005", "DT", Between(early, early))

    assert len(made.hub.find_workitems(made.operator, WorkitemQuery((key,)))) == 1
    other = Key("00404005", "DT", Between("20261201093000-1200", "20261201093000-1200"))
    assert made.hub.find_workitems(made.operator, WorkitemQuery((other,))) == []


def test_pages_of_a_search_are_in_the_order_of_their_start(house: Any) -> None:
    for number in range(5):
        start = one("DT", f"2026120{5 - number}")
        house.hub.create_workitem(house.operator, f"1.2.{number}", requested(t00404005=start))

    page = house.hub.find_workitems(house.operator, WorkitemQuery(limit=2, offset=1))

    assert [workitem.sop_instance_uid for workitem in page] == ["1.2.3", "1.2.2"]


@pytest.mark.parametrize(
    ("permission", "call"),
    [
        (Permission.WORKITEMS_CREATE, lambda hub, who: hub.create_workitem(who, "1.9", requested())),
        (Permission.WORKITEMS_READ, lambda hub, who: hub.read_workitem(who, UID)),
        (Permission.WORKITEMS_READ, lambda hub, who: hub.find_workitems(who, WorkitemQuery())),
        (Permission.WORKITEMS_READ, lambda hub, who: hub.workitem_history(who, UID)),
        (Permission.WORKITEMS_PERFORM, lambda hub, who: hub.change_workitem(who, UID, {}, "")),
        (Permission.WORKITEMS_PERFORM, lambda hub, who: hub.change_workitem_state(who, UID, IN_PROGRESS, CLAIM)),
        (Permission.WORKITEMS_CANCEL, lambda hub, who: hub.request_workitem_cancel(who, UID, Cancellation("A", {}))),
        (Permission.WORKITEMS_SUBSCRIBE,
         lambda hub, who: hub.subscribe_to_workitems(who, UID, Subscriber("A", Channel.WEB_SOCKET))),
        (Permission.WORKITEMS_SUBSCRIBE, lambda hub, who: hub.unsubscribe_from_workitems(who, UID, "A")),
        (Permission.WORKITEMS_SUBSCRIBE, lambda hub, who: hub.suspend_workitem_subscription(who, ALL_WORKITEMS, "A")),
        (Permission.WORKITEMS_SUBSCRIBE, lambda hub, who: hub.workitem_reports(who, "A", None)),
    ],
)  # fmt: skip
def test_every_operation_asks_for_its_own_permission(
    made: Any, permission: Permission, call: Callable[[Any, Caller], Any]
) -> None:
    everything_else = frozenset(Permission) - {permission}
    with pytest.raises(Refused):
        call(made.hub, made.caller(*everything_else))

    call(made.hub, made.caller(permission))


def test_every_operation_is_on_the_trail(made: Any) -> None:
    hub, who, already = made.hub, made.operator, len(made.trail())

    hub.read_workitem(who, UID)
    hub.find_workitems(who, WorkitemQuery())
    subscribe(made)
    hub.change_workitem(who, UID, {}, "")
    hub.request_workitem_cancel(who, UID, Cancellation("A", {}))
    hub.unsubscribe_from_workitems(who, UID, "WATCH")
    hub.suspend_workitem_subscription(who, ALL_WORKITEMS, "WATCH")

    assert [action.removeprefix("workitems.") for action in made.actions()[already:]] == [
        "read", "query", "subscribe", "change", "cancel", "state", "state", "unsubscribe", "suspend"
    ]  # fmt: skip
    assert CLAIM not in repr(made.trail())


def test_a_viewer_reads_workitems_and_changes_none() -> None:
    assert {one for one in ROLES["viewer"] if one.startswith("workitems.")} == {Permission.WORKITEMS_READ}
    assert Permission.WORKITEMS_PERFORM in ROLES["modality"]


@pytest.fixture
def two_hubs(database_url: str, tmp_path: Any) -> Iterator[list[Hub]]:
    """Two processes' worth of hub on one database of each kind."""
    databases = [Database(database_url) for _ in range(2)]
    objects = LocalObjects(tmp_path / "objects")
    yield [Hub(one_, objects, None, lambda *_: {}) for one_ in databases]  # type: ignore[arg-type]  # nobody signs in
    for one_ in databases:
        one_.close()


def test_of_many_who_claim_at_once_exactly_one_wins(two_hubs: list[Hub]) -> None:
    who = Caller(CallerKind.LOCAL, "operator", frozenset(Permission))
    two_hubs[0].create_workitem(who, UID, requested())
    barrier, outcomes, losses = threading.Barrier(6), [], []

    def claim(number: int) -> None:
        caller = replace(who, name=f"worker-{number}")
        barrier.wait()
        try:
            two_hubs[number % 2].change_workitem_state(caller, UID, IN_PROGRESS, f"2.25.{number}")
            outcomes.append(number)
        except WorkitemConflict as lost:
            losses.append(lost.reason)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 1
    assert losses == [Reason.WRONG_TRANSACTION_UID] * 5
    history = two_hubs[1].workitem_history(who, UID)
    assert [change.caller for change in history[1:]] == [f"worker-{outcomes[0]}"]


def test_reports_to_one_subscriber_are_numbered_in_the_order_of_their_commits(two_hubs: list[Hub]) -> None:
    who = Caller(CallerKind.LOCAL, "operator", frozenset(Permission))
    two_hubs[0].subscribe_to_workitems(who, ALL_WORKITEMS, Subscriber("WATCH", Channel.WEB_SOCKET))

    def create(number: int) -> None:
        for place in range(10):
            two_hubs[number % 2].create_workitem(who, f"1.2.{number}.{place}", requested())

    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    reports, last = two_hubs[0].workitem_reports(who, "WATCH", 0)
    assert [report.number for report in reports] == list(range(1, 41))
    assert (last, len({report.sop_instance_uid for report in reports})) == (40, 40)
