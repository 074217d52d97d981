"""Which message is this, and what does it ask for? (HL7 2.5.1, 2.9.2.2: what is checked before a message is used)."""

import hashlib
import re
from collections.abc import Callable, Mapping

from hilum.core.exchange.model import Command, Envelope, FileReports, PlaceOrders
from hilum.wire.hl7v2 import adt
from hilum.wire.hl7v2.ack import Header
from hilum.wire.hl7v2.errors import Condition, MessageInvalid
from hilum.wire.hl7v2.message import Message
from hilum.wire.hl7v2.orders import order_message
from hilum.wire.hl7v2.results import report_requests

_VERSION = re.compile(r"2(\.[0-9]){1,2}")
_PROCESSING_IDS = frozenset({"P", "T", "D", ""})
_LONGEST_SEGMENT = 64 * 1024
_LONG_SEGMENTS = frozenset({"OBX", "NTE"})
_ADT_EVENTS = adt.DEMOGRAPHIC_EVENTS | adt.MERGE_EVENTS
_EVENTS: Mapping[str, frozenset[str]] = {
    "ADT": _ADT_EVENTS,
    "ORM": frozenset({"O01"}),
    "OMG": frozenset({"O19"}),
    "OMI": frozenset({"O23"}),
    "ORU": frozenset({"R01"}),
}
_READERS: Mapping[str, Callable[[Message, str], Command]] = {
    "ADT": adt.command,
    "ORM": lambda message, _: PlaceOrders(order_message(message)),
    "OMG": lambda message, _: PlaceOrders(order_message(message)),
    "OMI": lambda message, _: PlaceOrders(order_message(message)),
    "ORU": lambda message, _: FileReports(report_requests(message)),
}
# What the sender must not repeat unchanged and a person must look at: rejected, not in error (table 0008, AR).
REJECTED = frozenset(
    {
        Condition.UNSUPPORTED_MESSAGE_TYPE,
        Condition.UNSUPPORTED_EVENT,
        Condition.UNSUPPORTED_PROCESSING_ID,
        Condition.UNSUPPORTED_VERSION,
    }
)


def command(message: Message) -> Command:
    """Read what a message asks for; raises MessageInvalid with the place and the code of table 0357."""
    kind, event = message.require("MSH-9.1"), _event(message)
    _check(
        message,
        kind in _EVENTS,
        "MSH-9.1",
        Condition.UNSUPPORTED_MESSAGE_TYPE,
        f"one of {', '.join(_EVENTS)}",
    )
    supported = ", ".join(sorted(_EVENTS[kind]))
    _check(message, event in _EVENTS[kind], "MSH-9.2", Condition.UNSUPPORTED_EVENT, f"one of {supported}")
    _check(
        message,
        message["MSH-11.1"] in _PROCESSING_IDS,
        "MSH-11",
        Condition.UNSUPPORTED_PROCESSING_ID,
        "P, T or D",
    )
    version = message["MSH-12.1"]
    _check(
        message,
        not version or _VERSION.fullmatch(version),
        "MSH-12",
        Condition.UNSUPPORTED_VERSION,
        "2.1 to 2.9",
    )
    message.require("MSH-10")
    _check_lengths(message)
    return _READERS[kind](message, event)


def _event(message: Message) -> str:
    """MSH-9.2, or EVN-1 of old ADT; an old ORM, ORU names no event because it has but one."""
    event = message["MSH-9.2"] or message["EVN-1"]
    only = _EVENTS.get(message["MSH-9.1"], frozenset())
    return event or (next(iter(only)) if len(only) == 1 else "")


def _check(message: Message, holds: object, place: str, condition: Condition, accepted: str) -> None:
    if not holds:
        text = message[place][:20].encode("ascii", "replace").decode()
        raise message.invalid(place, f"{place} {text!r} is not supported", condition, f"send {accepted}")


def _check_lengths(message: Message) -> None:
    """Only text and documents are long: whatever else is, is no name, number or code."""
    for name, segment in zip(message.names, message.body.segments, strict=True):
        if len(segment) > _LONGEST_SEGMENT and name not in _LONG_SEGMENTS:
            what = f"a segment {name} is longer than {_LONGEST_SEGMENT} bytes"
            raise MessageInvalid(what, location=name, condition=Condition.APPLICATION_INTERNAL)


def envelope(raw: bytes, header: Header) -> Envelope:
    """Say what identifies a message, even one that cannot be read."""
    return Envelope(
        control_id=_shown(header.field(10)),
        message_type=_shown(header.field(9)),
        raw=raw,
        digest=hashlib.sha256(raw).hexdigest(),
        sending_application=_shown(header.component(3, 1)),
        sending_facility=_shown(header.component(4, 1)),
    )


def _shown(octets: bytes) -> str:
    """Header fields as text that can be kept and searched: printable, of bounded length."""
    text = octets.decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)[:200]
