"""Where a page of answers ended."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place in the order of answers: that of the last one seen. Pages that begin behind it stay true as studies come."""

    study_date: str
    study_time: str
    study_key: int
    series_number: str = ""
    series_key: int = 0
    instance_number: str = ""
    instance_key: int = 0
