"""What all tables share: the metadata, its naming rule, and columns that recur."""

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, text

from hilum.stores.sql.columns import Key, Moment, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def words(*names: str) -> list[Column[str]]:
    """Return columns of text, none of them NULL."""
    return [Column(name, Words, nullable=False) for name in names]


def moments(*names: str) -> list[Column[object]]:
    """Return columns of moments, none of them NULL."""
    return [Column(name, Moment, nullable=False) for name in names]


def key(name: str = "key") -> Column[int]:
    """Return a row's own number."""
    return Column(name, Key, primary_key=True)


def refers(name: str, to: str, *, index: bool = False, nullable: bool = False) -> Column[int]:
    """Return a column that names a row of another table."""
    return Column(name, Key, ForeignKey(to), nullable=nullable, index=index)


def unique_where(name: str, table: Table, columns: tuple[str, ...], where: str) -> Index:
    """Make a unique index over the rows that a condition admits."""
    return Index(
        name,
        *(table.c[column] for column in columns),
        unique=True,
        sqlite_where=text(where),
        postgresql_where=text(where),
    )


def where(name: str, table: Table, columns: tuple[str, ...], where: str) -> Index:
    """Make an index over the rows that a condition admits."""
    return Index(
        name,
        *(table.c[column] for column in columns),
        sqlite_where=text(where),
        postgresql_where=text(where),
    )
