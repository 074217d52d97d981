"""ORM^O01, OMG^O19, OMI^O23 to orders and their steps (HL7 2.5.1, 4.4.1, 4.4.4, 4.4.12; IHE RAD-2, RAD-4, RAD-13)."""

from collections.abc import Sequence
from dataclasses import replace

from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderAction, OrderMessage, OrderRequest, OrderStatus, StepRequest
from hilum.wire.hl7v2 import datatypes
from hilum.wire.hl7v2.adt import patient_statement
from hilum.wire.hl7v2.errors import Condition
from hilum.wire.hl7v2.message import Group, Message

# HL7 table 0119, order control codes.
ACTIONS = {
    "NW": OrderAction.PLACE,
    "SN": OrderAction.PLACE,
    "OK": OrderAction.PLACE,
    "RO": OrderAction.PLACE,
    "CH": OrderAction.PLACE,
    "PA": OrderAction.CHANGE,
    "NA": OrderAction.CHANGE,
    "XO": OrderAction.CHANGE,
    "XX": OrderAction.CHANGE,
    "XR": OrderAction.CHANGE,
    "SC": OrderAction.CHANGE,
    "SR": OrderAction.CHANGE,
    "CA": OrderAction.CANCEL,
    "OC": OrderAction.CANCEL,
    "CR": OrderAction.CANCEL,
    "RP": OrderAction.CANCEL,
    "RU": OrderAction.CANCEL,
    "RQ": OrderAction.CANCEL,
    "DC": OrderAction.DISCONTINUE,
    "OD": OrderAction.DISCONTINUE,
    "DR": OrderAction.DISCONTINUE,
    "HD": OrderAction.HOLD,
    "OH": OrderAction.HOLD,
    "HR": OrderAction.HOLD,
    "RL": OrderAction.RELEASE,
    "OE": OrderAction.RELEASE,
    "OR": OrderAction.RELEASE,
}
# HL7 table 0038, order status; the others say that the order goes on.
_STATUSES = {
    "CM": OrderStatus.COMPLETED,
    "CA": OrderStatus.REVOKED,
    "RP": OrderStatus.REVOKED,
    "DC": OrderStatus.REVOKED,
    "HD": OrderStatus.ON_HOLD,
    "ER": OrderStatus.ENTERED_IN_ERROR,
    "IP": OrderStatus.ACTIVE,
    "SC": OrderStatus.ACTIVE,
}
# HL7 table 0485 and the words that senders use, to FHIR request-priority.
_PRIORITIES = {
    "S": "stat",
    "STAT": "stat",
    "A": "asap",
    "ASAP": "asap",
    "P": "urgent",
    "C": "urgent",
    "T": "urgent",
    "U": "urgent",
    "URGENT": "urgent",
    "R": "routine",
    "ROUTINE": "routine",
}
_MOST_PROCEDURES = 256
# HL7 table 0074, diagnostic service section, where it is not the DICOM word; RAD alone names no modality.
_MODALITIES = {"NMR": "MR", "NMS": "NM", "RUS": "US", "OUS": "US", "VUS": "US", "CUS": "US", "RAD": ""}


def order_message(message: Message) -> OrderMessage:
    """Read the patient and every order of the message."""
    if len(message.segments("PID")) > 1:
        what = "an order message speaks of one patient"
        raise message.invalid(
            "PID[2]-3", what, Condition.SEGMENT_SEQUENCE, "send one message for each patient"
        )
    statement = patient_statement(message)
    return OrderMessage(statement, tuple(_joined(_requests(message))))


def _requests(message: Message) -> list[OrderRequest]:
    groups = message.groups("ORC", "OBR")
    if not groups:
        raise message.invalid("ORC-1", "there is no ORC segment", Condition.SEGMENT_SEQUENCE)
    if len(groups) + len(message.segments("IPC")) > _MOST_PROCEDURES:
        what = f"the message orders more than {_MOST_PROCEDURES} procedures"
        raise message.invalid("ORC-1", what, Condition.APPLICATION_INTERNAL, "send several messages")
    found: list[OrderRequest] = []
    common = groups[0]
    for group in groups:
        common = group if group.has("ORC") else common
        found += _requests_of(message, group, common, _study_instance_uid(message, group, groups))
        _check_identity(common, found[-1])
    return found


def _check_identity(common: Group, request: OrderRequest) -> None:
    """An order without a number could not be found again: its repetition would place it twice."""
    if not (request.placer_order_number or request.filler_order_number or request.study_instance_uid):
        what = "the order has neither placer nor filler order number"
        raise common.invalid("ORC-2", what, Condition.REQUIRED_FIELD_MISSING, "send ORC-2 or ORC-3")


def _requests_of(
    message: Message, group: Group, common: Group, study_instance_uid: str
) -> list[OrderRequest]:
    """One order of an ORC/OBR pair; several where the IPC segments of an OMI name several procedures."""
    base = _request(message, group, common, study_instance_uid)
    steps = group.segments("IPC")
    if not group.has("OBR"):
        return [base]
    if not steps:
        return [replace(base, steps=(_step_of_order(group, common, base),))]
    return [
        replace(
            base,
            accession_number=datatypes.entity_identifier(step, "IPC-1") or base.accession_number,
            requested_procedure_id=datatypes.plain(step["IPC-2.1"]) or base.requested_procedure_id,
            study_instance_uid=datatypes.checked_uid(step, "IPC-3.1") or base.study_instance_uid,
            steps=(_step_of_procedure(step, _step_of_order(group, common, base)),),
        )
        for step in steps
    ]


def _request(message: Message, group: Group, common: Group, study_instance_uid: str) -> OrderRequest:
    action = _action(common)
    states = action in {OrderAction.PLACE, OrderAction.CHANGE}
    return OrderRequest(
        action=action,
        placer_order_number=_number(group, common, "2"),
        filler_order_number=_number(group, common, "3"),
        accession_number=datatypes.entity_identifier(group, "OBR-18"),
        study_instance_uid=study_instance_uid,
        requested_procedure_id=datatypes.plain(group["OBR-19.1"]),
        procedure=datatypes.code(group, "OBR-44") or datatypes.code(group, "OBR-4"),
        priority=_priority(group, common),
        status=_STATUSES.get(common["ORC-5.1"]) if states else None,
        requesting_physician=datatypes.first_physician(group, "OBR-16")
        or datatypes.first_physician(common, "ORC-12"),
        referring_physician=datatypes.first_physician(message, "PV1-8"),
        reason=_reason(group),
        admission_id=datatypes.plain(message["PV1-19.1"]) or datatypes.plain(message["PID-18.1"]),
        patient_class=datatypes.plain(message["PV1-2.1"]),
    )


def _action(common: Group) -> OrderAction:
    control = common.require("ORC-1")
    if control not in ACTIONS:
        raise common.invalid(
            "ORC-1",
            f"the order control code {datatypes.plain(control)[:10]!r} is not supported",
            Condition.TABLE_VALUE_NOT_FOUND,
            f"send one of {', '.join(ACTIONS)} (HL7 table 0119)",
        )
    return ACTIONS[control]


def _number(group: Group, common: Group, field: str) -> Identifier | None:
    """Placer (2) or filler (3) order number; an OBR without its own ORC speaks for itself first."""
    places = (f"ORC-{field}", f"OBR-{field}")
    found = (datatypes.entity_identifier(group, place) for place in places if group.has(place[:3]))
    return next(filter(None, found), None) or datatypes.entity_identifier(common, places[0])


def _priority(group: Group, common: Group) -> str:
    places = ("TQ1-9.1", "ORC-7.6", "OBR-27.6", "OBR-5")
    texts = [each[place].strip().upper() for each in (group, common) for place in places]
    return next((_PRIORITIES[text] for text in texts if text in _PRIORITIES), "")


def _reason(group: Group) -> str:
    reason = datatypes.code(group, "OBR-31")
    return reason.meaning or reason.value or datatypes.plain(group["OBR-13"])


def _start(group: Group, common: Group) -> tuple[str, str]:
    """The start of the step: TQ1-7, else component 4 of the old TQ type, else OBR-36 (IHE RAD TF 4.4.4.1.2)."""
    for each in (group, common):
        for place in ("TQ1-7.1", "ORC-7.4", "OBR-27.4", "OBR-36.1"):
            day, time = datatypes.day_and_time(each, place)
            if day:
                return day, time
    return "", ""


def _step_of_order(group: Group, common: Group, order: OrderRequest) -> StepRequest:
    """The scheduled step as the ORC/OBR pair tells it (RAD-4, HL7 2.3.1 and OMG)."""
    day, time = _start(group, common)
    modality = datatypes.plain(group["OBR-24.1"]).upper()
    return StepRequest(
        scheduled_procedure_step_id=datatypes.plain(group["OBR-20.1"]),
        modality=_MODALITIES.get(modality, modality),
        start_date=day,
        start_time=time,
        protocol=datatypes.code(group, "OBR-4", 4) or datatypes.code(group, "OBR-4") or order.procedure,
        performing_physician=datatypes.result_physician(group, "OBR-34"),
    )


def _step_of_procedure(step: Group, order: StepRequest) -> StepRequest:
    """IPC-4 to IPC-9 over what the order says (RAD-4, HL7 2.5.1)."""
    modality = datatypes.plain(step["IPC-5.1"]).upper()
    return replace(
        order,
        scheduled_procedure_step_id=datatypes.plain(step["IPC-4.1"]) or order.scheduled_procedure_step_id,
        modality=_MODALITIES.get(modality, modality) or order.modality,
        protocol=datatypes.code(step, "IPC-6") or order.protocol,
        station_name=datatypes.plain(step["IPC-7.1"]),
        location=datatypes.plain(step["IPC-8.1"]),
        station_ae_title=datatypes.plain(step["IPC-9"]),
    )


def _study_instance_uid(message: Message, group: Group, groups: Sequence[Group]) -> str:
    """ZDS-1 of the order; one ZDS at the end speaks for all orders of the same requested procedure (RAD-4)."""
    if group.has("ZDS"):
        return datatypes.checked_uid(group, "ZDS-1.1")
    last = groups[-1]
    if len(message.segments("ZDS")) != 1 or not last.has("ZDS"):
        return ""
    return datatypes.checked_uid(last, "ZDS-1.1") if _are_one_procedure(group, last) else ""


def _are_one_procedure(first: Group, second: Group) -> bool:
    """Tell whether the pairs share a number and do not differ in accession number or requested procedure ID."""
    shared = [
        first[place] == second[place] for place in ("OBR-18.1", "OBR-19.1") if first[place] and second[place]
    ]
    numbers = [first[place] == second[place] != "" for place in ("ORC-2.1", "ORC-3.1", "OBR-2.1", "OBR-3.1")]
    return all(shared) and any((*shared, *numbers))


def _joined(requests: Sequence[OrderRequest]) -> list[OrderRequest]:
    """Make one order of the pairs that name one order: each pair is then a scheduled step of it (RAD-4)."""
    found: list[OrderRequest] = []
    for request in requests:
        place = next((place for place, other in enumerate(found) if _is_one_order(other, request)), None)
        if place is None:
            found.append(_told_apart(request, found))
        else:
            other = found[place]
            found[place] = replace(other, steps=other.steps + request.steps)
    return found


def _is_one_order(first: OrderRequest, second: OrderRequest) -> bool:
    if first.action is not second.action:
        return False
    if first.study_instance_uid and second.study_instance_uid:
        return first.study_instance_uid == second.study_instance_uid
    if _differ(first.filler_order_number, second.filler_order_number):
        return False
    if _differ(first.accession_number, second.accession_number):
        return False
    return _same(first.placer_order_number, second.placer_order_number) or _same(
        first.filler_order_number, second.filler_order_number
    )


def _differ(first: Identifier | None, second: Identifier | None) -> bool:
    return first is not None and second is not None and first != second


def _same(first: Identifier | None, second: Identifier | None) -> bool:
    return first is not None and first == second


def _told_apart(request: OrderRequest, others: Sequence[OrderRequest]) -> OrderRequest:
    """Two orders never share a number: the later keeps its own, the accession number standing in as the filler's."""
    placers = {other.placer_order_number for other in others if other.action is request.action}
    fillers = {other.filler_order_number for other in others if other.action is request.action}
    placer = None if request.placer_order_number in placers else request.placer_order_number
    filler = None if request.filler_order_number in fillers else request.filler_order_number
    if placer is None and filler is None:
        filler = request.accession_number
    return replace(request, placer_order_number=placer, filler_order_number=filler)
