"""Where the next page of a search begins: behind the last answer, whatever has come in since."""

from sqlalchemy import ColumnElement, and_, or_, tuple_

from hilum.core.archive.bookmark import Bookmark
from hilum.core.archive.model import Level
from hilum.stores.sql.rows import integer_of
from hilum.stores.sql.schema import instances, series, studies


def behind(bookmark: Bookmark, level: Level) -> ColumnElement[bool]:
    """Return the condition that a row stands behind a bookmark in the order of `finding`: newest study first."""
    newest_first = tuple_(studies.c.study_date, studies.c.study_time, studies.c.key)
    later = newest_first < tuple_(bookmark.study_date, bookmark.study_time, bookmark.study_key)
    if level is Level.STUDY:
        return later
    columns = [series.c.series_order, series.c.key]
    values = [integer_of(bookmark.series_number), bookmark.series_key]
    if level is Level.INSTANCE:
        columns += [instances.c.instance_order, instances.c.key]
        values += [integer_of(bookmark.instance_number), bookmark.instance_key]
    below = and_(studies.c.key == bookmark.study_key, tuple_(*columns) > tuple_(*values))
    return or_(later, below)
