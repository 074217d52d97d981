"""The time zone of the site: what dates and times that carry none are in."""

import time
from datetime import datetime, timedelta, tzinfo


class MachineZone(tzinfo):
    """The zone that this machine is set to, with its summer times, past and present."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Return the offset in force at a local time."""
        return timedelta(seconds=_local(moment).tm_gmtoff)

    def dst(self, moment: datetime | None) -> timedelta:
        """Return the part of the offset that is summer time."""
        local = _local(moment)
        return timedelta(seconds=local.tm_gmtoff + time.timezone) if local.tm_isdst > 0 else timedelta()

    def tzname(self, moment: datetime | None) -> str:
        """Return its abbreviation."""
        return _local(moment).tm_zone


def _local(moment: datetime | None) -> time.struct_time:
    if moment is None:
        return time.localtime()
    # Not `moment.timetuple()`: that asks for `dst`, which asks here.
    day, clock = (moment.year, moment.month, moment.day), (moment.hour, moment.minute, moment.second)
    return time.localtime(time.mktime((*day, *clock, 0, 0, -1)))
