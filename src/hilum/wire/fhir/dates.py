"""DA, TM and TS to FHIR date, dateTime, time and instant (FHIR R4 2.24.0.1; PS3.5 6.2; HL7 2.5.1 2.A.77).

A time that the record holds without an offset is the wall clock of the site: it is read in the zone that the caller
hands in. R4 has no time of day without an offset in a dateTime.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

_DA = re.compile(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})")
_TM = re.compile(r"([0-9]{2}):?(?:([0-9]{2}):?(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")
_TS = re.compile(
    r"(?P<day>[0-9]{4}(?:[0-9]{2}){0,2})(?P<time>[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?)?"
    r"(?P<offset>[+-][0-9]{4})?"
)
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})")


def instant(moment: datetime) -> str:
    """Return an instant in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(da: str) -> str:
    """Return a date for a DA; empty when it is none."""
    met = _DA.fullmatch(da.strip())
    if met is None:
        return ""
    try:
        return date(int(met[1]), int(met[2]), int(met[3])).isoformat()
    except ValueError:
        return ""


def time_of_day(tm: str) -> str:
    """Return a time for a TM; empty when it is none."""
    met = _TM.fullmatch(tm.strip())
    if met is None or int(met[1]) > 23 or int(met[2] or 0) > 59 or int(met[3] or 0) > 59:
        return ""
    fraction = f".{met[4]}" if met[4] else ""
    return f"{met[1]}:{met[2] or '00'}:{met[3] or '00'}{fraction}"


def date_time(da: str, tm: str, offset: str, zone: tzinfo) -> str:
    """Return a dateTime for DA and TM, with Timezone Offset From UTC (0008,0201) when it is given."""
    on, at = day(da), time_of_day(tm)
    return f"{on}T{at}{_offset_at(f'{on}T{at}', offset, zone)}" if on and at else on


def date_time_of(ts: str, zone: tzinfo) -> str:
    """Return a dateTime for a TS, as precise as it is; empty when it is none."""
    met = _TS.fullmatch(ts.strip())
    if met is None:
        return ""
    if met["time"] and len(met["day"]) == 8:
        return date_time(met["day"], met["time"], met["offset"] or "", zone)
    if len(met["day"]) == 8:
        return day(met["day"])
    return _partial(met["day"])


def instant_of(ts: str, zone: tzinfo) -> str:
    """Return an instant for a TS; empty when it says no time of day, which an instant must."""
    found = date_time_of(ts, zone)
    return found if "T" in found else ""


def _partial(digits: str) -> str:
    year, month = digits[:4], digits[4:6]
    if year == "0000" or (month and not 1 <= int(month) <= 12):
        return ""
    return f"{year}-{month}" if month else year


def _offset_at(moment: str, offset: str, zone: tzinfo) -> str:
    """Return the offset that was sent, when it is a possible one, else that of the zone at this moment."""
    met = _OFFSET.fullmatch(offset.strip())
    if met is not None and int(met[3]) <= 59:
        sent = timedelta(hours=int(met[2]), minutes=int(met[3]))
        if sent <= timedelta(hours=14):
            return _written(-sent if met[1] == "-" else sent)
    at = datetime.fromisoformat(moment).replace(tzinfo=zone).utcoffset()
    return _written(at or timedelta())


def _written(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    if not minutes:
        return "Z"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
