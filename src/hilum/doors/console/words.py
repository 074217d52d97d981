"""How values of the record read on a page."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hilum.core.exchange.model import InboundMessage
from hilum.core.orders.model import StepStatus
from hilum.core.reports.model import ReportStatus
from hilum.core.routing.model import DeliveryState, Verdict
from hilum.core.workitems.model import WorkitemState
from hilum.wire.dicom.person_name import ComponentGroup, parse_person_name

NOTHING = "—"
NO_BREAK = "\u00a0"

MARKS: Mapping[str, str] = {
    DeliveryState.WAITING: "waiting",
    DeliveryState.SENT: "good",
    DeliveryState.STORED: "waiting",
    DeliveryState.ASKED: "waiting",
    DeliveryState.COMMITTED: "good",
    DeliveryState.UNCERTAIN: "doubt",
    DeliveryState.DEAD: "bad",
    Verdict.ACCEPTED: "good",
    Verdict.RETRY: "waiting",
    Verdict.REJECTED: "bad",
    "AA": "good",
    "AE": "bad",
    "AR": "bad",
    "success": "good",
    "refused": "bad",
    "failure": "bad",
    StepStatus.SCHEDULED: "idle",
    StepStatus.ARRIVED: "idle",
    StepStatus.READY: "idle",
    StepStatus.STARTED: "waiting",
    StepStatus.DEPARTED: "waiting",
    StepStatus.COMPLETED: "good",
    StepStatus.DISCONTINUED: "doubt",
    WorkitemState.IN_PROGRESS: "waiting",
    StepStatus.CANCELED: "doubt",
    ReportStatus.FINAL: "good",
    ReportStatus.AMENDED: "good",
    ReportStatus.CORRECTED: "good",
    ReportStatus.PRELIMINARY: "waiting",
    ReportStatus.PARTIAL: "waiting",
    ReportStatus.REGISTERED: "idle",
    ReportStatus.CANCELLED: "doubt",
    ReportStatus.ENTERED_IN_ERROR: "bad",
    "active": "idle",
    "on-hold": "waiting",
    "completed": "good",
    "revoked": "doubt",
    "entered-in-error": "bad",
}
"""The shape and colour beside a status; its own word always stands there too."""


def mark(status: str) -> str:
    """Return the shape of a status."""
    return MARKS.get(status, "idle")


def person(name: str) -> str:
    """Return a PN as people write it: `Prefix Family, Given Middle Suffix`, other scripts in parentheses."""
    parsed = parse_person_name(name)
    groups = [_group(group) for group in (parsed.alphabetic, parsed.ideographic, parsed.phonetic)]
    shown = [group for group in groups if group]
    if not shown:
        return NOTHING
    return shown[0] + (f" ({' · '.join(shown[1:])})" if shown[1:] else "")


def day(value: str) -> str:
    """Return a DA (or the day of a TS) as `YYYY-MM-DD`; what is not one stays as it is."""
    if len(value) >= 8 and value[:8].isdigit():
        return f"{value[:4]}-{value[4:6]}-{value[6:8]}"
    return value or NOTHING


def clock(value: str) -> str:
    """Return a TM as `HH:MM`; what is not one stays as it is."""
    return f"{value[:2]}:{value[2:4]}" if len(value) >= 4 and value[:4].isdigit() else value


def moment_of_ts(value: str) -> str:
    """Return an HL7 TS as `YYYY-MM-DD HH:MM`."""
    return f"{day(value)} {clock(value[8:])}".strip()


def sex(value: str) -> str:
    """Return Patient's Sex in full."""
    return {"M": "male", "F": "female", "O": "other"}.get(value, value or NOTHING)


def size(octets: int) -> str:
    """Return octets in a unit that reads well."""
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            digits = 0 if amount >= 100 or unit == "B" else 1
            return f"{amount:.{digits}f}{NO_BREAK}{unit}"
        amount /= 1000
    raise AssertionError


def age(since: datetime | None) -> str:
    """Return how long ago something was."""
    if since is None:
        return NOTHING
    return lasting(datetime.now(UTC) - since)


def lasting(span: timedelta) -> str:
    """Return a span in its largest whole unit."""
    seconds = max(int(span.total_seconds()), 0)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def number(value: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def count(value: int, singular: str, plural: str = "") -> str:
    """Return `1 study`, `2 studies`."""
    return f"{number(value)} {singular if value == 1 else plural or singular + 's'}"


def accepted(message: InboundMessage) -> bool:
    """Tell whether a message was applied."""
    return message.answer in ("AA", "CA")


def _group(group: ComponentGroup) -> str:
    family = " ".join(part for part in (group.prefix, group.family) if part)
    given = " ".join(part for part in (group.given, group.middle, group.suffix) if part)
    return ", ".join(part for part in (family, given) if part)
