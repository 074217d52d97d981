"""Storage Commitment Push Model: N-ACTION and N-EVENT-REPORT data sets (PS3.4 J.3)."""

from collections.abc import Iterable

from pydicom.dataset import Dataset

from hilum.core.archive.model import Commitment, ReferencedInstance
from hilum.core.routing.model import CommitmentReport
from hilum.wire.dicom.data_sets import (
    INVALID_VALUE,
    AttributeProblem,
    items_at,
    missing,
    put,
    text_at,
    uid_at,
)
from hilum.wire.dicom.elements import DataSet

SOP_CLASS_UID = "1.2.840.10008.1.20.1"
SOP_INSTANCE_UID = "1.2.840.10008.1.20.1.1"
"""The well-known instance (PS3.4 J.3.5)."""
REQUEST_STORAGE_COMMITMENT = 1
"""Action type ID (PS3.4 J.3.2)."""
ALL_COMMITTED, FAILURES_EXIST = 1, 2
"""Event type IDs (PS3.4 J.3.3)."""

_TRANSACTION_UID, _RETRIEVE_AE_TITLE = 0x00081195, 0x00080054
_REFERENCED, _FAILED = 0x00081199, 0x00081198
_SOP_CLASS, _SOP_INSTANCE, _FAILURE_REASON = 0x00081150, 0x00081155, 0x00081197


def action_request(data_set: DataSet) -> tuple[str, tuple[ReferencedInstance, ...]]:
    """Read an N-ACTION: its transaction UID and the instances asked about; raises AttributeProblem."""
    transaction_uid = _required_uid(data_set, _TRANSACTION_UID, "TransactionUID")
    references = tuple(_reference(item) for item in items_at(data_set, _REFERENCED))
    if not references:
        raise missing(data_set, _REFERENCED, "ReferencedSOPSequence")
    return transaction_uid, references


def action_data_set(transaction_uid: str, references: Iterable[ReferencedInstance]) -> Dataset:
    """Write an N-ACTION, as the requester of a commitment."""
    data_set = Dataset()
    put(data_set, _TRANSACTION_UID, "UI", transaction_uid)
    put(data_set, _REFERENCED, "SQ", tuple(_item(reference) for reference in references))
    return data_set


def event_report(commitment: Commitment, retrieve_ae_title: str) -> tuple[int, Dataset]:
    """Write the event type and information of the report of a commitment (PS3.4 J.3.3.1)."""
    data_set = Dataset()
    put(data_set, _TRANSACTION_UID, "UI", commitment.transaction_uid)
    if commitment.committed:
        put(data_set, _RETRIEVE_AE_TITLE, "AE", retrieve_ae_title)
        put(data_set, _REFERENCED, "SQ", tuple(_item(one) for one in commitment.committed))
    if not commitment.failed:
        return ALL_COMMITTED, data_set
    put(data_set, _FAILED, "SQ", tuple(_failed_item(one) for one in commitment.failed))
    return FAILURES_EXIST, data_set


def told(data_set: DataSet) -> CommitmentReport:
    """Read an N-EVENT-REPORT, as the requester of a commitment (PS3.4 Table J.3-2); raises AttributeProblem."""
    failed = [_reference(item) for item in items_at(data_set, _FAILED)]
    return CommitmentReport(
        transaction_uid=_required_uid(data_set, _TRANSACTION_UID, "TransactionUID"),
        committed=frozenset(_reference(item).sop_instance_uid for item in items_at(data_set, _REFERENCED)),
        failed={one.sop_instance_uid: one.failure_reason for one in failed},
    )


def _reference(item: DataSet) -> ReferencedInstance:
    reason = text_at(item, _FAILURE_REASON)
    return ReferencedInstance(
        sop_class_uid=_required_uid(item, _SOP_CLASS, "ReferencedSOPClassUID"),
        sop_instance_uid=_required_uid(item, _SOP_INSTANCE, "ReferencedSOPInstanceUID"),
        failure_reason=int(reason) if reason.isdecimal() else 0,
    )


def _required_uid(data_set: DataSet, tag: int, keyword: str) -> str:
    uid = uid_at(data_set, tag)
    if uid:
        return uid
    if text_at(data_set, tag):
        raise AttributeProblem(INVALID_VALUE, tag, keyword, "is not a UID")
    raise missing(data_set, tag, keyword)


def _item(reference: ReferencedInstance) -> Dataset:
    item = Dataset()
    put(item, _SOP_CLASS, "UI", reference.sop_class_uid)
    put(item, _SOP_INSTANCE, "UI", reference.sop_instance_uid)
    return item


def _failed_item(reference: ReferencedInstance) -> Dataset:
    item = _item(reference)
    put(item, _FAILURE_REASON, "US", reference.failure_reason)
    return item
