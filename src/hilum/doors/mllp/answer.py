"""From a message to its acknowledgement: one call of the hub, and the table from errors to MSA-1 and ERR-3."""

import secrets
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from hilum.core.access.admission import Sender
from hilum.core.exchange.model import Envelope
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Busy, Conflict, HilumError, Invalid, NotFound, Refused
from hilum.wire.hl7v2 import inbound
from hilum.wire.hl7v2.ack import Complaint, Header, Outcome, acknowledge, header_of, salvaged_header
from hilum.wire.hl7v2.body import Limits
from hilum.wire.hl7v2.errors import CONDITION_TEXT, Condition, FramingInvalid, MessageInvalid
from hilum.wire.hl7v2.message import Message

_log = structlog.get_logger("hilum.mllp")

# What became of a message, and the code of HL7 table 0357, by what a use-case raised.
_OUTCOMES: tuple[tuple[type[HilumError], Outcome, Condition], ...] = (
    (Invalid, Outcome.ERROR, Condition.DATA_TYPE),
    (NotFound, Outcome.ERROR, Condition.UNKNOWN_KEY),
    (Conflict, Outcome.ERROR, Condition.DUPLICATE_KEY),
    (Refused, Outcome.ERROR, Condition.APPLICATION_INTERNAL),
    (Busy, Outcome.REJECTED, Condition.APPLICATION_INTERNAL),
)

Admission = Callable[[str, Sender], Caller]
"""Says who sent a message, given its trace and the sender that it names; raises Refused, Busy."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What goes back, if the peer wants anything, and what became of the message."""

    content: bytes | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Failure:
    outcome: Outcome
    complaint: Complaint
    reason: str
    """The same without anything that came over the wire: this is what is kept."""


def answer(hub: Hub, admission: Admission, raw: bytes, limits: Limits) -> Answered:
    """Take one message and acknowledge it: accepted only after the commit."""
    trace = secrets.token_hex(16)
    try:
        header, caller = _received(hub, admission, raw, limits, trace)
    except HilumError as error:
        return _refused(hub, admission, raw, trace, _failure_of(error))
    except Exception as error:  # noqa: BLE001  # the outermost frame of this door
        note_defect(error, trace)
        what = f"internal error, trace {trace}"
        failure = _Failure(Outcome.REJECTED, Complaint(what, next_step="ask the operator of Hilum"), what)
        return _refused(hub, admission, raw, trace, failure)
    _log.info("message", peer=caller.name, answer=Outcome.ACCEPTED.name, octets=len(raw), trace=trace)
    return _acknowledged(header, Outcome.ACCEPTED, trace)


def answer_to_noise(error: FramingInvalid) -> bytes | None:
    """Say what is wrong to a peer whose bytes hold no message to acknowledge; the connection then ends."""
    complaint = Complaint(error.what, next_step=error.next_step)
    return _acknowledged(Header(), Outcome.REJECTED, secrets.token_hex(16), complaint).content


def note_defect(error: Exception, trace: str) -> None:
    """Log where a defect arose; its text may quote what came in, so only its type is kept."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    _log.error("defect", error=type(error).__name__, stack=stack, trace=trace)


def _received(
    hub: Hub, admission: Admission, raw: bytes, limits: Limits, trace: str
) -> tuple[Header, Caller]:
    """Read, translate, and have it kept and applied in one commit."""
    caller = _admitted(admission, raw, trace)
    message = Message(raw, limits)
    header = header_of(message)
    command = inbound.command(message)
    hub.receive_message(caller, inbound.envelope(raw, header), command)
    return header, caller


def _admitted(admission: Admission, raw: bytes, trace: str) -> Caller:
    """Ask who sent this. Before that is known, no more of it is read than its MSH."""
    header = salvaged_header(raw)
    sender = Sender(_said(header, 3), _said(header, 4))
    return replace(admission(trace, sender), trace=trace)


def _said(header: Header, place: int) -> str:
    return header.component(place, 1).decode("utf-8", "replace")


def _refused(hub: Hub, admission: Admission, raw: bytes, trace: str, failure: _Failure) -> Answered:
    header = salvaged_header(raw)
    code = "A" + failure.outcome
    _log.warning("message refused", answer=code, reason=failure.reason, octets=len(raw), trace=trace)
    _note(hub, admission, inbound.envelope(raw, header), code, failure.reason, trace)
    return _acknowledged(header, failure.outcome, trace, failure.complaint)


def _acknowledged(header: Header, outcome: Outcome, trace: str, *complaints: Complaint) -> Answered:
    control_id = trace[:20]  # ST of MSH-10 is that long up to version 2.6
    content = acknowledge(header, outcome, control_id=control_id, at=datetime.now(UTC), complaints=complaints)
    return Answered(content, outcome)


def _failure_of(error: HilumError) -> _Failure:
    if isinstance(error, MessageInvalid):
        outcome = Outcome.REJECTED if error.condition in inbound.REJECTED else Outcome.ERROR
        reason = f"{int(error.condition)} {CONDITION_TEXT[error.condition]} at {error.location}"
        return _Failure(outcome, Complaint.of(error), reason)
    outcome, condition = next(
        (outcome, condition) for kind, outcome, condition in _OUTCOMES if isinstance(error, kind)
    )
    return _Failure(outcome, Complaint(error.what, "", condition, error.next_step), error.what)


def _note(hub: Hub, admission: Admission, envelope: Envelope, code: str, reason: str, trace: str) -> None:
    """Keep what was refused, so that a person can see it; a stranger's messages are not kept."""
    try:
        hub.note_rejected_message(_admitted(admission, envelope.raw, trace), envelope, code, reason)
    except Refused:
        return
    except HilumError as error:
        _log.warning("refused message not kept", reason=error.what, trace=trace)
