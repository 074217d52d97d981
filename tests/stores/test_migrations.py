"""The schema and its migrations."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from hilum.core.kernel.errors import Busy, Conflict, Invalid
from hilum.stores import sql
from hilum.stores.sql import Database, current, migrate
from hilum.stores.sql.database import database_url as parsed_url
from hilum.stores.sql.migrate import REVISIONS
from hilum.stores.sql.schema import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


def engine_of(url: str) -> Engine:
    return create_engine(parsed_url(url))


def test_a_fresh_database_becomes_the_newest_revision(empty_url: str) -> None:
    before = current(empty_url)

    migrate(empty_url)

    assert before is None
    assert current(empty_url) == REVISIONS[-1]


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)

    migrate(empty_url)

    assert current(empty_url) == REVISIONS[-1]


def test_models_and_migrations_agree(database_url: str) -> None:
    engine = engine_of(database_url)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_described})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def is_described(_thing: object, name: str | None, *_: object) -> bool:
    """Leave out the trigrams of names: each database has its own kind, which no table in Python can describe."""
    return not (name or "").startswith("patient_names")


def test_the_code_knows_every_revision() -> None:
    scripts = ScriptDirectory.from_config(_config())

    revisions = [script.revision for script in scripts.walk_revisions()]

    assert tuple(reversed(revisions)) == REVISIONS


def _config() -> Config:
    config = Config()
    folder = Path(sql.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    return config


def test_a_database_of_a_newer_hilum_is_refused(empty_url: str) -> None:
    migrate(empty_url)
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(Conflict, match="9999"):
        migrate(empty_url)


def test_many_processes_may_start_on_an_empty_database_at_once(empty_url: str) -> None:
    script = "import sys; from hilum.stores.sql import migrate; migrate(sys.argv[1])"

    with ThreadPoolExecutor() as pool:
        ends = list(
            pool.map(
                lambda _: subprocess.run([sys.executable, "-c", script, empty_url], check=False).returncode,
                range(4),
            )
        )

    assert ends == [0, 0, 0, 0]


def test_starting_on_a_migrated_database_does_not_load_alembic(sqlite_url: str) -> None:
    script = "import sys; from hilum.stores.sql import migrate; migrate(sys.argv[1]); sys.exit('alembic' in sys.modules)"

    end = subprocess.run([sys.executable, "-c", script, sqlite_url], check=False)

    assert end.returncode == 0


def test_work_on_a_database_without_tables_names_the_next_step(empty_url: str) -> None:
    database = Database(empty_url)

    with pytest.raises(Busy, match="hilum migrate"):
        database.read(lambda tx: tx.access.peers())

    database.close()


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "no url at all", "postgresql://h"]
)
def test_an_unknown_address_is_invalid(url: str) -> None:
    with pytest.raises(Invalid):
        Database(url)
