"""Searches over many studies: `python -m benchmarks.searches [studies ...] [--postgresql URL]`.

The tables are filled directly; searches go through the hub, as QIDO-RS and C-FIND do. Prints the 95th percentile of each
search at each size, in milliseconds: what matters is that it does not grow.
"""

import argparse
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, create_engine, text

from hilum.core.access import policy
from hilum.core.archive.model import Between, Exact, Level, Match, Query, Wildcard
from hilum.core.hub import Hub
from hilum.stores.objects import objects_from_url
from hilum.stores.passwords import Argon2Passwords
from hilum.stores.sql import Database, migrate
from hilum.stores.sql.database import database_url
from hilum.stores.sql.folding import family_words, folded_name, given_words, name_words
from hilum.stores.sql.schema import patient_records, series, studies

Row = dict[str, Any]
_FIRST_DAY = date(2014, 1, 1)
_DAYS = 4000
_SYLLABLES = [
    "ba",
    "be",
    "bi",
    "bo",
    "bu",
    "da",
    "de",
    "di",
    "do",
    "du",
    "ka",
    "ke",
    "ki",
    "ko",
    "ku",
    "la",
    "le",
    "li",
    "lo",
    "lu",
    "ma",
    "me",
    "mi",
    "mo",
    "mu",
    "ra",
    "re",
    "ri",
    "ro",
    "ru",
    "sa",
    "se",
    "si",
    "so",
    "su",
]
_MODALITIES = ("CT", "MR", "US", "DX", "CR", "MG", "XA", "NM", "PT", "SR")
_NOW = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)


def main() -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("studies", type=int, nargs="*", default=[10_000, 1_000_000])
    parser.add_argument(
        "--postgresql", default="", help="URL of an empty database for each size, {} its number"
    )
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    for number in asked.studies:
        with tempfile.TemporaryDirectory(prefix="hilum-searches-") as folder:
            url = asked.postgresql.format(number) or f"sqlite:///{folder}/hilum.db"
            began = time.monotonic()
            fill(url, number)
            print(f"{number} studies, filled in {time.monotonic() - began:.0f} s")
            for name, milliseconds in measured(url, Path(folder), number, asked.rounds):
                print(f"  {name:<24} {milliseconds:8.1f} ms")


def fill(url: str, number: int) -> None:
    """Migrate an empty database and put so many studies of a quarter as many patients into it."""
    migrate(url)
    chance = random.Random(7)  # made-up people, not secrets
    patients = max(1, number // 4)
    put(url, patient_records, (patient_row(chance, key) for key in range(1, patients + 1)))
    put(url, studies, (study_row(chance, key, chance.randint(1, patients)) for key in range(1, number + 1)))
    put(url, series, (series_row(key) for key in range(1, number + 1)))
    _analyse(url)


def patient_row(chance: random.Random, key: int) -> Row:
    """Return a patient with a name of syllables."""
    family = "".join(chance.choices(_SYLLABLES, k=3)).capitalize()
    name = f"{family}^{''.join(chance.choices(_SYLLABLES, k=2)).capitalize()}"
    return {
        "key": key, "public_id": f"{key:032x}", "value": f"P{key:07}", "issuer": "HOSP", "name": name,
        "birth_date": str(19300101 + chance.randint(0, 80) * 10000), "sex": chance.choice("FM"), "address": "",
        "telephone": "", "name_folded": folded_name(name), "name_words": name_words(name),
        "family_words": family_words(name), "given_words": given_words(name), "survivor_key": None,
        "root_key": key, "authoritative": True, "version": 1, "created": _NOW, "updated": _NOW,
    }  # fmt: skip


def study_row(chance: random.Random, key: int, patient: int) -> Row:
    """Return a study of one of ten modalities on one of four thousand days."""
    referring = "".join(chance.choices(_SYLLABLES, k=3)).capitalize()
    return {
        "key": key, "study_instance_uid": f"1.2.826.0.1.{key}", "patient_record_key": patient,
        "received_patient_id": f"P{patient:07}", "accession_number": f"A{key:08}", "issuer_of_accession_number": "",
        "study_date": (_FIRST_DAY + timedelta(chance.randrange(_DAYS))).strftime("%Y%m%d"),
        "study_time": f"{chance.randrange(24):02}{chance.randrange(60):02}00", "study_id": "1",
        "study_description": "Thorax", "referring_physician_name": referring,
        "referring_physician_name_folded": folded_name(referring),
        "referring_physician_name_words": name_words(referring), "modalities": _MODALITIES[key % 10],
        "number_of_series": 1, "number_of_instances": 1, "timezone_offset_from_utc": "", "order_key": None,
        "version": 1, "created": _NOW, "updated": _NOW,
    }  # fmt: skip


def series_row(key: int) -> Row:
    """Return the only series of a study."""
    row: Row = {column.name: "" for column in series.columns}
    return row | {
        "key": key, "study_key": key, "series_instance_uid": f"1.2.826.0.2.{key}", "modality": _MODALITIES[key % 10],
        "series_number": "1", "series_order": 1, "number_of_instances": 1, "created": _NOW, "updated": _NOW,
    }  # fmt: skip


def put(url: str, table: Table, rows: Iterator[Row]) -> None:
    """Insert rows by the driver itself, all in one transaction."""
    names = [column.name for column in table.columns]
    engine = create_engine(database_url(url))
    raw = engine.raw_connection()
    cursor = raw.cursor()
    columns = ", ".join(f'"{name}"' for name in names)
    if engine.dialect.name == "sqlite":
        cursor.execute("PRAGMA synchronous = OFF")
        marks = ", ".join("?" * len(names))
        filled = ([row[name] for name in names] for row in rows)
        cursor.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", filled)  # noqa: S608  # names of our own tables
    else:
        with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
    raw.commit()
    raw.close()
    engine.dispose()


def _analyse(url: str) -> None:
    engine = create_engine(database_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def measured(url: str, folder: Path, number: int, rounds: int) -> Iterator[tuple[str, float]]:
    """Yield the name of each search and its 95th percentile in milliseconds."""
    database = Database(url)
    hub = Hub(
        database, objects_from_url(folder / "objects", folder / "spool"), Argon2Passwords(), lambda *_: {}
    )
    caller = policy.local_operator(secrets.token_hex(8))
    chance = random.Random(11)
    for name, make in searches(chance, number).items():

        def find(make: Callable[[], dict[str, Match]] = make) -> None:
            hub.find(caller, Query(Level.STUDY, make(), limit=101))

        yield name, _percentile(find, rounds)
    by_modality = Query(Level.STUDY, {"modalities_in_study": Exact("CT")})
    yield "count by modality", _percentile(lambda: hub.count(caller, by_modality), 5)
    database.close()


def searches(chance: random.Random, number: int) -> dict[str, Callable[[], dict[str, Match]]]:
    """Return what the goals name, each time with other values."""
    patients = max(1, number // 4)

    def day() -> dict[str, Match]:
        one = (_FIRST_DAY + timedelta(chance.randrange(_DAYS))).strftime("%Y%m%d")
        return {"study_date": Between(one, one)}

    def infix() -> dict[str, Match]:
        return {"patient_name": Wildcard(f"*{''.join(chance.choices(_SYLLABLES, k=2))}*")}

    def rare() -> dict[str, Match]:
        return {"patient_name": Wildcard(f"*{''.join(chance.choices(_SYLLABLES, k=4))}*")}

    return {
        "newest 101": dict,
        "one day": day,
        "one patient": lambda: {"patient_id": Exact(f"P{chance.randint(1, patients):07}")},
        "infix of a name": infix,
        "infix that is nowhere": rare,
        "accession number": lambda: {"accession_number": Exact(f"A{chance.randint(1, number):08}")},
        "modality": lambda: {"modalities_in_study": Exact(chance.choice(_MODALITIES))},
        "modality on a day": lambda: {**day(), "modalities_in_study": Exact("MR")},
    }


def _percentile(work: Callable[[], object], rounds: int) -> float:
    took = []
    work()
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(took, n=20)[-1]


if __name__ == "__main__":
    main()
