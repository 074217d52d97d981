"""What searches in a large archive go by: modalities, studies without instances in use, trigrams of names."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TRIGRAMS_OF_SQLITE = (
    (
        "CREATE VIRTUAL TABLE patient_names USING fts5(name_folded, name_words, content='patient_records',"
        " content_rowid='key', tokenize='trigram case_sensitive 1')"
    ),
    "INSERT INTO patient_names (patient_names) VALUES ('rebuild')",
    (
        "CREATE TRIGGER patient_names_added AFTER INSERT ON patient_records BEGIN"
        " INSERT INTO patient_names (rowid, name_folded, name_words)"
        " VALUES (new.key, new.name_folded, new.name_words); END"
    ),
    (
        "CREATE TRIGGER patient_names_removed AFTER DELETE ON patient_records BEGIN"
        " INSERT INTO patient_names (patient_names, rowid, name_folded, name_words)"
        " VALUES ('delete', old.key, old.name_folded, old.name_words); END"
    ),
    (
        "CREATE TRIGGER patient_names_changed AFTER UPDATE OF name_folded, name_words ON patient_records"
        " WHEN old.name_folded <> new.name_folded OR old.name_words <> new.name_words BEGIN"
        " INSERT INTO patient_names (patient_names, rowid, name_folded, name_words)"
        " VALUES ('delete', old.key, old.name_folded, old.name_words);"
        " INSERT INTO patient_names (rowid, name_folded, name_words)"
        " VALUES (new.key, new.name_folded, new.name_words); END"
    ),
)
_TRIGRAMS_OF_POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX patient_names_folded ON patient_records USING gin (name_folded gin_trgm_ops)",
    "CREATE INDEX patient_names_words ON patient_records USING gin (name_words gin_trgm_ops)",
)
_MAY = sa.text(
    "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') OR ("
    " EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')"
    " AND has_database_privilege(current_database(), 'CREATE'))"
)


def upgrade() -> None:
    """Make the indexes."""
    op.create_index(op.f("ix_studies_modalities"), "studies", ["modalities"], unique=False)
    empty = sa.text("number_of_instances = 0")
    op.create_index("ix_studies_empty", "studies", ["key"], sqlite_where=empty, postgresql_where=empty)
    if op.get_bind().dialect.name == "sqlite":
        for statement in _TRIGRAMS_OF_SQLITE:
            op.execute(statement)
    elif _may_have_trigrams():
        for statement in _TRIGRAMS_OF_POSTGRESQL:
            op.execute(statement)


def _may_have_trigrams() -> bool:
    """Searches are right without them: where this role may not add the extension, infixes of names are just slower."""
    return bool(op.get_bind().execute(_MAY).scalar_one())
