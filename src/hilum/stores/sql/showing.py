"""What a view shows (IHE IOCM), as conditions; the regular one costs no more than a look at a count."""

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, select

from hilum.core.archive.lifecycle import VISIBLE
from hilum.core.archive.model import Found, Level, Series, Study
from hilum.core.kernel.choices import View
from hilum.stores.sql.schema import instances, series, studies

_COUNTED = (
    select(series.c.study_key, series.c.key, series.c.modality, func.count())
    .join_from(series, instances, instances.c.series_key == series.c.key)
    .where(series.c.study_key.in_(bindparam("keys", expanding=True)))
    .group_by(series.c.study_key, series.c.key, series.c.modality)
)


def showing(level: Level, view: View) -> list[ColumnElement[bool]]:
    """Return the conditions that a study, series or instance has something that the view shows."""
    if view is View.EVERYTHING:
        return []
    standing = instances.c.standing.in_(sorted(VISIBLE[view]))
    match level:
        case Level.INSTANCE:
            return [instances.c.standing == "" if view is View.REGULAR else standing]
        case Level.SERIES:
            some = exists().where(instances.c.series_key == series.c.key, standing)
            return [series.c.number_of_instances > 0 if view is View.REGULAR else some.correlate(series)]
        case _:
            below = select(series.c.key).join_from(series, instances, instances.c.series_key == series.c.key)
            some = exists(below.where(series.c.study_key == studies.c.key, standing))
            return [studies.c.number_of_instances > 0 if view is View.REGULAR else some.correlate(studies)]


def recounted(connection: Connection, found: list[Found], view: View) -> list[Found]:
    """Return answers with counts and modalities of what the view shows: the rows count what is in use."""
    keys = sorted({one.study.key for one in found if one.study is not None})
    below: dict[int, dict[int, tuple[str, int]]] = {}
    for study, one, modality, number in connection.execute(
        _COUNTED.where(*showing(Level.INSTANCE, view)), {"keys": keys}
    ):
        below.setdefault(study, {})[one] = (modality, number)
    return [_counted(one, below) for one in found]


def _counted(one: Found, below: dict[int, dict[int, tuple[str, int]]]) -> Found:
    if one.study is None:
        return one
    of_study = below.get(one.study.key, {})
    return replace(one, study=_study(one.study, of_study), series=_series(one.series, of_study))


def _study(one: Study, below: dict[int, tuple[str, int]]) -> Study:
    return replace(
        one,
        modalities=tuple(sorted({modality for modality, _ in below.values()} - {""})),
        number_of_series=len(below),
        number_of_instances=sum(number for _, number in below.values()),
    )


def _series(one: Series | None, below: dict[int, tuple[str, int]]) -> Series | None:
    return None if one is None else replace(one, number_of_instances=below.get(one.key, ("", 0))[1])
