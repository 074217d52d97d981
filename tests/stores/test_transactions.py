"""Transactions: all or nothing, many at once, across processes and crashes, on each database."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from hilum.core.access import policy
from hilum.core.access.model import User
from hilum.core.archive import usecases as archive
from hilum.core.archive.model import Blob, Header, StoreOutcome
from hilum.core.exchange.ports import ExchangeTransaction
from hilum.core.kernel.errors import Busy, Conflict
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients import usecases as patients
from hilum.core.patients.events import PatientUpdated
from hilum.core.patients.model import Demographics, PatientQuery, PatientStatement
from hilum.stores.sql import Database

OPERATOR = policy.local_operator("trace")
CT = Header(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="1.1.1.0",
    study_instance_uid="1.1",
    series_instance_uid="1.1.1",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    patient_id="P1",
    patient_name="Doe^Jane",
    modality="CT",
)
SCRIPT = """
import os, sys
from datetime import UTC, datetime
from hilum.core.access.model import User
from hilum.stores.sql import Database

database = Database(sys.argv[1])

def put(name):
    database.write(lambda tx: tx.access.put_user(User(name, "", (), datetime.now(UTC))))
"""


def put_user(database: Database, name: str) -> None:
    database.write(lambda tx: tx.access.put_user(User(name, "", (), tx.now)))


def user_names(database: Database) -> list[str]:
    return [user.name for user in database.read(lambda tx: tx.access.users())]


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Run so many calls on threads that start together; return values and errors in order."""
    start = threading.Barrier(count)

    def run(number: int) -> object:
        start.wait()
        try:
            return act(number)
        except (Busy, Conflict, LookupError) as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def script(body: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCRIPT + body, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_work_that_raises_leaves_nothing(database: Database) -> None:
    def broken(tx: ExchangeTransaction) -> None:
        tx.access.put_user(User("ada", "", (), tx.now))
        raise LookupError("why")

    with pytest.raises(LookupError, match="why"):
        database.write(broken)

    assert user_names(database) == []


def test_a_work_gives_its_value_and_one_moment(database: Database) -> None:
    first, second, keys = database.write(lambda tx: (tx.now, tx.now, {tx.fresh_key(), tx.fresh_uid()}))

    assert first is second
    assert first.tzinfo is not None
    assert len(keys) == 2


def test_a_read_sees_one_view_while_others_write(database: Database) -> None:
    def read(tx: ExchangeTransaction) -> tuple[int, int]:
        before = len(tx.access.users())
        writer = threading.Thread(target=put_user, args=(database, "ada"))
        writer.start()
        writer.join()
        return before, len(tx.access.users())

    assert database.read(read) == (0, 0)
    assert user_names(database) == ["ada"]


def test_one_failing_work_does_not_spoil_those_committed_with_it(database: Database) -> None:
    def act(number: int) -> str:
        def work(tx: ExchangeTransaction) -> str:
            tx.access.put_user(User(f"user{number:02}", "", (), tx.now))
            if number % 5 == 0:
                raise LookupError(number)
            return f"user{number:02}"

        return database.write(work)

    results = at_once(20, act)

    good = [f"user{number:02}" for number in range(20) if number % 5]
    assert [result for result in results if isinstance(result, str)] == good
    assert user_names(database) == good
    assert all(isinstance(results[number], LookupError) for number in (0, 5, 10, 15))


def test_a_conflict_among_works_committed_together_is_told_to_its_own_caller(database: Database) -> None:
    def act(number: int) -> object:
        identifier = Identifier("same" if number < 2 else f"{number}", "A")
        statement = PatientStatement((identifier,), Demographics())
        if number >= 2:
            return database.write(lambda tx: patients.register(tx, OPERATOR, statement))
        known = database.read(lambda tx: patients.root_of(tx, tx.patients.find(PatientQuery())[0]))
        return database.write(lambda tx: tx.patients.add(replace(known, public_id=tx.fresh_key())))

    database.write(
        lambda tx: patients.register(tx, OPERATOR, PatientStatement((Identifier("first"),), Demographics()))
    )
    results = at_once(8, act)

    assert [type(result) for result in results[:2]] == [Conflict, Conflict]
    assert database.read(lambda tx: tx.patients.count(PatientQuery())) == 7


def test_thirty_two_threads_registering_one_patient_make_one_record(database: Database) -> None:
    statement = PatientStatement((Identifier("P1", "A"),), Demographics("Doe^Jane", "19700101", "F"))

    results = at_once(32, lambda _: database.write(lambda tx: patients.register(tx, OPERATOR, statement)).key)

    assert len(set(results)) == 1
    assert database.read(lambda tx: tx.patients.count(PatientQuery())) == 1


def test_thirty_two_threads_storing_one_new_study_make_one_patient_study_and_series(
    database: Database,
) -> None:
    def act(number: int) -> StoreOutcome:
        header = replace(CT, sop_instance_uid=f"1.1.1.{number}")
        blob = Blob(f"{number:064x}", 10)
        return database.write(lambda tx: archive.store(tx, OPERATOR, header, blob)).outcome

    results = at_once(32, act)

    assert results == [StoreOutcome.STORED] * 32
    totals = database.read(lambda tx: tx.archive.totals())
    assert (totals["studies"], totals["series"], totals["instances"]) == (1, 1, 32)
    study = database.read(lambda tx: tx.archive.study("1.1"))
    assert study is not None
    assert (study.number_of_instances, study.number_of_series) == (32, 1)
    assert database.read(lambda tx: tx.patients.count(PatientQuery())) == 1


def test_thirty_two_threads_storing_series_of_one_study_are_all_counted(database: Database) -> None:
    def act(number: int) -> StoreOutcome:
        header = replace(
            CT,
            sop_instance_uid=f"1.1.{number}.1",
            series_instance_uid=f"1.1.{number}",
            modality=f"M{number % 4}",
        )
        blob = Blob(f"{number:064x}", 10)
        return database.write(lambda tx: archive.store(tx, OPERATOR, header, blob)).outcome

    results = at_once(32, act)

    study = database.read(lambda tx: tx.archive.study("1.1"))
    assert results == [StoreOutcome.STORED] * 32
    assert study is not None
    assert (study.number_of_series, study.number_of_instances) == (32, 32)
    assert study.modalities == ("M0", "M1", "M2", "M3")


def test_the_same_instance_from_many_threads_is_stored_once(database: Database) -> None:
    blob = Blob("a" * 64, 10)

    results = at_once(16, lambda _: database.write(lambda tx: archive.store(tx, OPERATOR, CT, blob)).outcome)

    assert sorted(results, key=str) == [StoreOutcome.DUPLICATE] * 15 + [StoreOutcome.STORED]


def test_several_processes_write_to_one_database(database: Database, database_url: str) -> None:
    body = "for number in range(40): put(f'{sys.argv[2]}{number:02}')"

    processes = [script(body, database_url, name) for name in "abcd"]
    ends = [process.wait() for process in processes]

    assert ends == [0] * 4
    assert user_names(database) == [f"{name}{number:02}" for name in "abcd" for number in range(40)]
    for process in processes:
        process.communicate()


def test_a_forked_child_opens_its_own_connections(database_url: str) -> None:
    body = """
put("parent")
child = os.fork()
if child == 0:
    put("child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
put("after")
print(*[user.name for user in database.read(lambda tx: tx.access.users())])
"""

    process = script(body, database_url)

    assert process.communicate()[0].split() == ["after", "child", "parent"]
    assert process.returncode == 0


def test_everything_acknowledged_before_a_kill_is_there(database_url: str) -> None:
    body = """
import threading
from itertools import count

def run(name):
    for number in count():
        put(f"{name}{number:05}")
        os.write(1, f"{name}{number:05}\\n".encode())

for name in "abcd":
    threading.Thread(target=run, args=(name,)).start()
"""
    process = script(body, database_url)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(60)]

    os.kill(process.pid, signal.SIGKILL)
    acknowledged += process.communicate()[0].split()

    database = Database(database_url)
    assert set(acknowledged) <= set(user_names(database))
    put_user(database, "after")
    database.close()


def test_a_wait_ends_soon_after_another_process_commits(database: Database, database_url: str) -> None:
    database.wait_for_change(5)
    while database.wait_for_change(0.2):
        """What came before is news too."""
    body = "from hilum.core.patients.events import PatientUpdated\n"
    body += "database.write(lambda tx: tx.events.append(PatientUpdated('x'), 't'))"

    process = script(body, database_url)

    assert database.wait_for_change(60)
    assert process.wait() == 0
    process.communicate()


def test_a_wait_ends_when_an_event_is_committed_and_not_before(database: Database) -> None:
    while database.wait_for_change(0.2):
        """What came before is news too."""

    quiet = database.wait_for_change(0.05)
    database.write(lambda tx: tx.events.append(PatientUpdated("x"), "trace"))

    assert not quiet
    assert database.wait_for_change(60)


def test_a_closed_database_opens_again_at_its_next_use(database: Database) -> None:
    put_user(database, "ada")

    database.close()

    assert user_names(database) == ["ada"]


def test_a_database_that_cannot_be_reached_is_busy_and_says_what_to_do(
    free_port: int, tmp_path: Path
) -> None:
    urls = [
        f"postgresql://postgres@127.0.0.1:{free_port}/hilum",
        f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}",
    ]

    for url in urls:
        database = Database(url)
        for act in (database.read, database.write):
            with pytest.raises(Busy) as refusal:
                act(lambda tx: tx.access.users())
            assert refusal.value.next_step
        database.close()


@pytest.mark.needs("postgresql")
def test_service_returns_by_itself_after_the_server_dropped_every_connection(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    put_user(database, "ada")
    name = postgresql_url.rsplit("/", maxsplit=1)[1]
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (name,),
        )

    put_user(database, "bob")

    assert user_names(database) == ["ada", "bob"]
    database.close()


def test_a_full_disk_is_busy_and_service_returns_when_there_is_room(sqlite_url: str) -> None:
    body = """
import resource
from hilum.core.kernel.errors import Busy

def limit(octets):
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))

put("before")
limit(200_000)
refused = 0
for number in range(200):
    try:
        put(f"user{number:03}" * 50)
    except Busy as error:
        assert error.next_step
        refused += 1
limit(resource.RLIM_INFINITY)
put("after")
names = [user.name for user in database.read(lambda tx: tx.access.users())]
print(refused > 0, "before" in names, "after" in names, len(names) == 202 - refused)
"""

    process = script(body, sqlite_url)

    assert process.communicate()[0].split() == ["True"] * 4
