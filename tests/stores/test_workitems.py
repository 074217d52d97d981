"""The contract of workitems, subscriptions and reports, on each database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.archive.model import AnyBetween, AnyOf, Between, Exact, Wildcard
from hilum.core.workitems.model import (
    Channel,
    EventType,
    Key,
    Subscriber,
    Workitem,
    WorkitemChange,
    WorkitemQuery,
    WorkitemState,
)
from hilum.stores.sql import Database
from hilum.stores.sql.workitem_keys import kept_keys, revived_keys

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def one(vr: str, value: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def workitem(uid: str, state: WorkitemState = WorkitemState.SCHEDULED, start: str = "20261201") -> Workitem:
    attributes = {
        "00080018": one("UI", uid),
        "00741000": one("CS", state.value),
        "00404005": one("DT", start),
        "00741202": one("LO", "Lesen Ä"),
    }
    return Workitem(uid, state, attributes, 1, MOMENT, MOMENT, "2.25.1")


@pytest.fixture
def filled(database: Database) -> Database:
    """A database with one workitem and one subscriber."""
    database.write(lambda tx: tx.workitems.add(workitem("1.2.3")))
    database.write(lambda tx: tx.workitems.put_subscriber(Subscriber("WATCH", Channel.WEB_SOCKET)))
    return database


def test_a_workitem_is_kept_as_it_is_and_counted_up(filled: Database) -> None:
    assert not filled.write(lambda tx: tx.workitems.add(workitem("1.2.3")))
    kept = filled.read(lambda tx: tx.workitems.workitem("1.2.3"))
    assert kept == workitem("1.2.3")

    filled.write(lambda tx: tx.workitems.put(workitem("1.2.3", WorkitemState.IN_PROGRESS)))

    changed = filled.read(lambda tx: tx.workitems.workitem("1.2.3"))
    assert changed is not None
    assert (changed.state, changed.version) == (WorkitemState.IN_PROGRESS, 2)
    assert filled.read(lambda tx: tx.workitems.workitem("9.9")) is None


def test_candidates_come_in_order_over_many_pages(database: Database) -> None:
    def fill(tx: Any) -> None:
        for number in range(450):
            tx.workitems.add(workitem(f"1.{number}", start=f"2026{number % 7 + 1:02}"))

    database.write(fill)

    every = database.read(
        lambda tx: [one_.sop_instance_uid for one_ in tx.workitems.candidates(WorkitemQuery())]
    )
    key = Key("00404005", "DT", Between("202603", "202603"))
    march = database.read(lambda tx: list(tx.workitems.candidates(WorkitemQuery((key,)))))
    assert len(set(every)) == len(every) == 450
    assert every == sorted(every, key=lambda uid: (int(uid[2:]) % 7, uid))
    assert {int(one_.sop_instance_uid[2:]) % 7 for one_ in march} == {2}


def test_subscriptions_and_reports(filled: Database) -> None:
    shelf: Any = lambda work: filled.write(lambda tx: work(tx.workitems))  # noqa: E731

    shelf(lambda it: it.subscribe("WATCH", "1.2.3", deletion_lock=False))
    shelf(lambda it: it.subscribe_if_not("WATCH", "1.2.3", deletion_lock=True))
    assert shelf(lambda it: it.subscribers_of("1.2.3")) == [("WATCH", Channel.WEB_SOCKET)]
    numbers = [
        shelf(
            lambda it: it.add_report("WATCH", "1.2.3", EventType.STATE_REPORT, {"00741000": one("CS", "X")})
        )
        for _ in range(3)
    ]
    assert numbers == [1, 2, 3]
    assert shelf(lambda it: it.last_report("WATCH")) == 3
    assert [report.number for report in shelf(lambda it: it.reports_after("WATCH", 1, 10))] == [2, 3]
    assert shelf(lambda it: it.report("WATCH", 4)) is None
    assert shelf(lambda it: it.report("WATCH", 2)).information == {"00741000": one("CS", "X")}
    shelf(lambda it: it.unsubscribe("WATCH"))
    assert shelf(lambda it: it.subscribers_of("1.2.3")) == []
    shelf(lambda it: it.remove_reports(datetime.now(UTC) + timedelta(days=1)))
    assert shelf(lambda it: it.reports_after("WATCH", 0, 10)) == []
    assert shelf(lambda it: it.last_report("WATCH")) == 3


def test_what_is_locked_or_open_does_not_expire(filled: Database) -> None:
    shelf: Any = lambda work: filled.write(lambda tx: work(tx.workitems))  # noqa: E731
    later = MOMENT + timedelta(days=1)
    change = WorkitemChange("1.2.3", WorkitemState.SCHEDULED, "operator", "created", MOMENT)

    assert shelf(lambda it: it.expired(later, 10)) == []
    shelf(lambda it: it.put(workitem("1.2.3", WorkitemState.COMPLETED)))
    shelf(lambda it: it.add_change(change))
    shelf(lambda it: it.subscribe("WATCH", "1.2.3", deletion_lock=True))
    assert shelf(lambda it: it.expired(later, 10)) == []
    shelf(lambda it: it.subscribe("WATCH", "1.2.3", deletion_lock=False))
    assert shelf(lambda it: it.expired(later, 10)) == ["1.2.3"]
    assert shelf(lambda it: it.history("1.2.3")) == [change]
    shelf(lambda it: it.remove("1.2.3"))
    assert shelf(lambda it: it.workitem("1.2.3")) is None
    assert shelf(lambda it: it.history("1.2.3")) == []


def test_a_global_subscriber_is_kept_with_its_filter(filled: Database) -> None:
    key = Key("00404018", "SQ", items=(Key("00080100", "SH", Exact("SEG")),))
    wanted = Subscriber("ALL", Channel.ASSOCIATION, globally=True, deletion_lock=True, keys=(key,))

    filled.write(lambda tx: tx.workitems.put_subscriber(wanted))

    assert filled.write(lambda tx: tx.workitems.global_subscribers()) == [wanted]
    assert filled.read(lambda tx: tx.workitems.all_subscribers()) == [("ALL", Channel.ASSOCIATION)]


TEXT = st.text(max_size=6)
MATCHES = st.one_of(
    st.none(),
    st.builds(Exact, TEXT),
    st.builds(Wildcard, TEXT),
    st.builds(Between, TEXT, TEXT),
    st.builds(AnyOf, st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(AnyBetween, st.lists(st.builds(Between, TEXT, TEXT), max_size=2).map(tuple)),
)
KEYS = st.recursive(
    st.builds(Key, TEXT, TEXT, MATCHES),
    lambda inner: st.builds(Key, TEXT, st.just("SQ"), st.none(), st.lists(inner, max_size=3).map(tuple)),
    max_leaves=6,
)


@given(keys=st.lists(KEYS, max_size=4).map(tuple))
def test_keys_come_back_as_they_were(keys: tuple[Key, ...]) -> None:
    import json

    assert revived_keys(json.loads(json.dumps(kept_keys(keys)))) == keys
