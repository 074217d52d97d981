"""Which rule applies, and when to try again."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase

from hilum.core.routing.model import Rule

INSTANCE_STORED = "instance-stored"
REPORT_FILED = "report-filed"
STUDY_AVAILABLE = "study-available"
PROCEDURE_STEP_REPORTED = "procedure-step-reported"

MOST_ATTEMPTS = 12
"""With the backoff below: about a day and a half of trying before a delivery is given up."""

_FIRST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(hours=6)


def applies(
    rule: Rule,
    event: str,
    *,
    source: str = "",
    modality: str = "",
    status: str = "",
    tags: Mapping[str, str] | None = None,
) -> bool:
    """Tell whether all given conditions of a rule match. Patterns know * and ?, and mind the case."""
    return (
        rule.event == event
        and _any(rule.source, source)
        and _any(rule.modality, modality)
        and _any(rule.status, status)
        and all(
            fnmatchcase((tags or {}).get(keyword, ""), pattern)
            for keyword, pattern in (rule.tags or {}).items()
        )
    )


def announces(rule: Rule, sources: Iterable[str], modalities: Iterable[str]) -> bool:
    """Tell whether a rule wants the announcement of a study: any of its sources and modalities may match."""
    return (
        rule.event == STUDY_AVAILABLE
        and any(_any(rule.source, source) for source in sources)
        and any(_any(rule.modality, modality) for modality in (*modalities, ""))
    )


def wait_after(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after so many attempts: doubling, capped, with up to a fifth of jitter.

    `chance` is a number from 0 to 1, given from outside: core owns no dice.
    """
    wait = min(_FIRST_WAIT * (1 << min(attempts - 1, 20)), _LONGEST_WAIT)
    return wait * (1 + 0.2 * chance)


def _any(patterns: tuple[str, ...], value: str) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)
