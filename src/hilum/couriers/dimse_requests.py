"""Requests of normalized services, and what a response means for the queue."""

from collections.abc import Callable

from hilum.core.orders.model import PerformedMessage
from hilum.core.routing.model import AvailabilityParcel, Receipt, Verdict
from hilum.core.workitems.model import UPS_PUSH, Report
from hilum.wire.dicom.availability import SOP_CLASS_UID as AVAILABILITY
from hilum.wire.dicom.commitment import REQUEST_STORAGE_COMMITMENT, SOP_CLASS_UID, SOP_INSTANCE_UID
from hilum.wire.dicom.dimse.messages import (
    Command,
    NActionRequest,
    NCreateRequest,
    NEventReportRequest,
    NSetRequest,
)
from hilum.wire.dicom.dimse.status import Category, Code, look_up
from hilum.wire.dicom.mpps import PERFORMED_PROCEDURE_STEP

_BUSY = range(0xA700, 0xA800)
"""Out of resources: it may pass (PS3.4 B.2.3)."""


Numbered = Callable[[int], NCreateRequest | NSetRequest]
"""Gives a request for a message ID."""


def procedure_step(message: PerformedMessage, number: int) -> NCreateRequest | NSetRequest:
    """N-CREATE or N-SET of MPPS (PS3.4 F.7.2)."""
    if message.creates:
        return NCreateRequest(
            AffectedSOPClassUID=PERFORMED_PROCEDURE_STEP,
            MessageID=number,
            AffectedSOPInstanceUID=message.sop_instance_uid,
        )
    return NSetRequest(
        RequestedSOPClassUID=PERFORMED_PROCEDURE_STEP,
        MessageID=number,
        RequestedSOPInstanceUID=message.sop_instance_uid,
    )


def availability(parcel: AvailabilityParcel, number: int) -> NCreateRequest:
    """N-CREATE of Instance Availability Notification (PS3.4 R.3.2.1)."""
    return NCreateRequest(
        AffectedSOPClassUID=AVAILABILITY,
        MessageID=number,
        AffectedSOPInstanceUID=parcel.sop_instance_uid,
    )


def committed(event_type: int, number: int) -> NEventReportRequest:
    """N-EVENT-REPORT of storage commitment (PS3.4 J.3.3)."""
    return NEventReportRequest(
        AffectedSOPClassUID=SOP_CLASS_UID,
        MessageID=number,
        AffectedSOPInstanceUID=SOP_INSTANCE_UID,
        EventTypeID=event_type,
    )


def workitem(report: Report, number: int) -> NEventReportRequest:
    """N-EVENT-REPORT of UPS (PS3.4 CC.2.4)."""
    return NEventReportRequest(
        AffectedSOPClassUID=UPS_PUSH,
        MessageID=number,
        AffectedSOPInstanceUID=report.sop_instance_uid,
        EventTypeID=int(report.event_type),
    )


def commitment(number: int) -> NActionRequest:
    """N-ACTION of storage commitment (PS3.4 J.3.2)."""
    return NActionRequest(
        RequestedSOPClassUID=SOP_CLASS_UID,
        MessageID=number,
        RequestedSOPInstanceUID=SOP_INSTANCE_UID,
        ActionTypeID=REQUEST_STORAGE_COMMITMENT,
    )


def judged(response: Command, table: tuple[Code, ...]) -> Receipt:
    """Return the receipt of a response: the peer's own code, and its comment or the standard's word."""
    status = getattr(response, "Status", None)
    if status is None:
        return Receipt(Verdict.UNCERTAIN, "dimse", "the peer answered with another kind of message")
    meaning = look_up(status, table)
    text = getattr(response, "ErrorComment", None) or meaning.meaning
    if meaning.category in (Category.SUCCESS, Category.WARNING):
        return Receipt(Verdict.ACCEPTED, f"{status:04X}", text)
    return Receipt(Verdict.RETRY if status in _BUSY else Verdict.REJECTED, f"{status:04X}", text)
