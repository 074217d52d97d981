"""What is below studies: two statements for any number of them."""

from dataclasses import replace

from sqlalchemy import Connection, bindparam, select

from hilum.core.archive.model import Instance, Level, Series, SeriesContent
from hilum.core.kernel.choices import View
from hilum.stores.sql.rows import INSTANCE, SERIES, instance_of, series_of
from hilum.stores.sql.schema import instances, series
from hilum.stores.sql.showing import showing

_SERIES = (
    select(series.c.study_key, *SERIES)
    .where(series.c.study_key.in_(bindparam("keys", expanding=True)))
    .order_by(series.c.study_key, series.c.series_order, series.c.key)
)
_INSTANCES = (
    select(instances.c.series_key, *INSTANCE)
    .join_from(instances, series, series.c.key == instances.c.series_key)
    .where(series.c.study_key.in_(bindparam("keys", expanding=True)))
    .order_by(instances.c.series_key, instances.c.instance_order, instances.c.key)
)


def contents(
    connection: Connection, study_keys: list[int], view: View
) -> dict[int, tuple[SeriesContent, ...]]:
    """Return the series of studies with the instances that a view shows, in order, by the key of the study."""
    held: dict[int, list[Instance]] = {}
    for row in connection.execute(_INSTANCES.where(*showing(Level.INSTANCE, view)), {"keys": study_keys}):
        held.setdefault(row[0], []).append(instance_of(row[1:]))
    found: dict[int, list[SeriesContent]] = {}
    for row in connection.execute(_SERIES, {"keys": study_keys}):
        one: Series = series_of(row[1:])
        shown = tuple(held.get(one.key, ()))
        if shown:
            counted = replace(one, number_of_instances=len(shown))
            found.setdefault(row[0], []).append(SeriesContent(counted, shown))
    return {key: tuple(of_study) for key, of_study in found.items()}
