"""What a driver's error means: one of core's errors, and whether the same work may win when it runs again."""

from dataclasses import dataclass

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from hilum.core.kernel.errors import Busy, Conflict, HilumError, Invalid

_LOST_RACES = frozenset({"23503", "23505", "40001", "40P01"})
"""foreign_key_violation (what was there a moment ago was swept), unique_violation, serialization_failure, deadlock."""

_NEXT_STEP_BY_TEXT = (
    ("full", "free space on the disk of the database; service returns by itself"),
    ("No space left", "free space on the disk of the database; service returns by itself"),
    ("locked", "try again; if it stays, look for a process that holds the database open"),
    ("unable to open", "check that the folder of the database exists and may be written"),
    ("readonly", "check that the database file and its folder may be written"),
    ("read-only", "connect to the primary server"),
    ("no such table", "run `hilum migrate`"),
    ("does not exist", "run `hilum migrate`, or create the database"),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """An error in core's words."""

    error: HilumError
    lost_race: bool = False
    """Another transaction was first: the work sees its result when it runs again."""
    gone: bool = False
    """The connection broke; nothing is wrong with the work."""


def judge(error: SQLAlchemyError | UnicodeError | OverflowError) -> Judgement:
    """Say what went wrong. Neither statements nor values are repeated: they hold names of persons."""
    if isinstance(error, UnicodeError | OverflowError):
        return Judgement(_unstorable("a text or number is outside what the database can hold"))
    said = _said(error)
    state = _state(error)
    if isinstance(error, DataError) or state.startswith(("22", "54")):
        return Judgement(_unstorable(said))
    if isinstance(error, IntegrityError):
        return Judgement(_contradiction(said), lost_race=state in _LOST_RACES)
    gone = isinstance(error, DBAPIError) and error.connection_invalidated
    return Judgement(_unavailable(said), lost_race=state in _LOST_RACES, gone=gone)


def _said(error: SQLAlchemyError) -> str:
    """Return the driver's own words without DETAIL, where PostgreSQL prints the row."""
    original = error.orig if isinstance(error, DBAPIError) else None
    diagnosis = getattr(original, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    return str(primary or original or type(error).__name__).splitlines()[0][:200]


def _state(error: SQLAlchemyError) -> str:
    original = error.orig if isinstance(error, DBAPIError) else None
    return getattr(original, "sqlstate", None) or ""


def _unstorable(said: str) -> Invalid:
    return Invalid(
        "a value cannot be stored",
        peer_said=said,
        next_step="mend the text at its source: NUL, lone surrogate, or too long",
    )


def _contradiction(said: str) -> Conflict:
    return Conflict(
        "it is there already, or refers to what is not",
        peer_said=said,
        next_step="read what is kept, then decide",
    )


def _unavailable(said: str) -> Busy:
    hints = (hint for part, hint in _NEXT_STEP_BY_TEXT if part in said)
    hint = next(hints, "try again; if it stays, check that the database runs and can be reached")
    return Busy("the database cannot do this now", peer_said=said, next_step=hint)
