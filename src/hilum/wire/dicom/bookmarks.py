"""The place where a page of a search ended, as text for the URL of the next one: opaque to clients, checked by us."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from hilum.core.archive.bookmark import Bookmark
from hilum.core.archive.model import Found
from hilum.core.kernel.errors import Invalid

_LONGEST = 512
_KINDS = (str, str, int, str, int, str, int)
_LARGEST_KEY = (1 << 63) - 1


def bookmark_text(found: Found) -> str:
    """Return the text of a bookmark behind an answer at study level or below."""
    study, series, instance = found.study, found.series, found.instance
    if study is None:
        raise Invalid("only searches for studies, series and instances have pages")
    place = [study.study_date, study.study_time, study.key]
    place += [series.series_number, series.key] if series else ["", 0]
    place += [instance.instance_number, instance.key] if instance else ["", 0]
    return urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def bookmark_of(text: str) -> Bookmark:
    """Read the text of a bookmark; raises Invalid for anything that we did not write."""
    problem = Invalid("this is no place in a list of answers", next_step="follow the Link of the page before")
    if len(text) > _LONGEST:
        raise problem
    try:
        place = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (Error, ValueError, RecursionError) as error:
        raise problem from error
    if not isinstance(place, list) or tuple(map(type, place)) != _KINDS:
        raise problem
    if not all(0 <= one <= _LARGEST_KEY for one in place if isinstance(one, int)):
        raise problem
    return Bookmark(*place)
