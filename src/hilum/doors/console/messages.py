"""HL7 messages as they came: the list, and one with its segments."""

from dataclasses import dataclass

from starlette.responses import Response

from hilum.core.exchange.model import InboundMessage
from hilum.doors.console import words
from hilum.doors.console.paging import asked_number, named_key
from hilum.doors.console.site import Visit
from hilum.wire.hl7v2.body import Body
from hilum.wire.hl7v2.errors import MessageInvalid
from hilum.wire.hl7v2.message import Message

PAGE = 50
_LOOKED_AT = 1000
"""Messages that one page looks through for rejected ones."""


@dataclass(frozen=True, slots=True)
class SegmentView:
    """One segment: its name and its fields with their numbers."""

    name: str
    fields: tuple[tuple[str, str], ...]
    """`PID-3` and its text as sent."""


def messages(visit: Visit) -> Response:
    """List messages, newest first; all, or only those that were answered AE or AR."""
    before = asked_number(visit, "before")
    rejected = visit.asked("answer") == "rejected"
    looked_at = visit.hub.messages(visit.caller, _LOOKED_AT if rejected else PAGE + 1, before)
    fitting = [one for one in looked_at if not rejected or not words.accepted(one)]
    shown = fitting[:PAGE]
    older = _older(shown, fitting, looked_at, full=rejected and len(looked_at) == _LOOKED_AT)
    return visit.show(
        "messages.html", messages=shown, older=older, rejected=rejected, paged=before is not None
    )


def message(visit: Visit) -> Response:
    """Show one message, segment by segment."""
    kept = visit.hub.message(visit.caller, named_key(visit))
    segments, readable = _segments(kept.envelope.raw)
    return visit.show("message.html", message=kept, segments=segments, readable=readable)


def _older(
    shown: list[InboundMessage], fitting: list[InboundMessage], looked_at: list[InboundMessage], *, full: bool
) -> int | None:
    """Return the key below which the next page begins."""
    if len(fitting) > len(shown):
        return shown[-1].key
    return looked_at[-1].key if full else None


def _segments(raw: bytes) -> tuple[list[SegmentView], bool]:
    """Split a message by its own delimiters; one that cannot be read is shown as lines."""
    try:
        body = Message(raw).body
        return [_segment(body, place) for place in range(len(body.names))], True
    except MessageInvalid:
        lines = raw.decode("ascii", "backslashreplace").splitlines()
        return [SegmentView(line[:3], (("", line),)) for line in lines], False


def _segment(body: Body, place: int) -> SegmentView:
    """Number the fields that were sent; escapes stay as they are."""
    name, fields = body.names[place], body.fields(place)[1:]
    texts = (octets.decode(body.codec, "backslashreplace") for octets in fields)
    return SegmentView(name, tuple((f"{name}-{at}", text) for at, text in enumerate(texts, 1) if text))
