"""Unified Procedure Step: data sets of its N-services and events, to attributes and back (PS3.4 CC.2; PS3.18 11)."""

import json
import struct
from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from pydicom.dataset import Dataset

from hilum.core.kernel.errors import Invalid
from hilum.core.workitems import table
from hilum.core.workitems.attributes import text_at
from hilum.core.workitems.model import UPS_PUSH, Attributes, Reason, Remark, Report, Workitem, WorkitemState
from hilum.wire.dicom.character_sets import UTF_8_TERM
from hilum.wire.dicom.data_sets import (
    INVALID_VALUE,
    MISSING_ATTRIBUTE,
    MISSING_VALUE,
    SPECIFIC_CHARACTER_SET,
    AttributeProblem,
    put,
)
from hilum.wire.dicom.json_model import data_set_json, data_set_of_json, instance_json
from hilum.wire.dicom.json_values import check_values
from hilum.wire.dicom.part10 import FileMeta

UPS_WATCH = "1.2.840.10008.5.1.4.34.6.2"
UPS_PULL = "1.2.840.10008.5.1.4.34.6.3"
UPS_EVENT = "1.2.840.10008.5.1.4.34.6.4"
UPS_QUERY = "1.2.840.10008.5.1.4.34.6.5"

CHANGE_STATE, REQUEST_CANCEL, SUBSCRIBE, UNSUBSCRIBE, SUSPEND = 1, 2, 3, 4, 5
"""Action Type IDs (PS3.4 Tables CC.2.1-1, CC.2.2-1, CC.2.3-1)."""

MOST_OCTETS = 1 << 20
"""Of one workitem: it names what to do with images, and holds none."""
RECEIVING_AE, DELETION_LOCK = "00741234", "00741230"
_CHARACTER_SET_KEY = f"{SPECIFIC_CHARACTER_SET:08X}"


class UpsStatus(IntEnum):
    """The statuses of this service (PS3.4 CC.2.1.4, CC.2.2.4, CC.2.3.4, CC.2.5.4, CC.2.6.4, CC.2.7.4)."""

    OPTIONAL_ATTRIBUTES_NOT_SUPPORTED = 0x0001
    CREATED_WITH_MODIFICATIONS = 0xB300
    DELETION_LOCK_NOT_GRANTED = 0xB301
    ALREADY_CANCELED = 0xB304
    COERCED = 0xB305
    ALREADY_IN_STATE_COMPLETED = 0xB306
    MAY_NO_LONGER_BE_UPDATED = 0xC300
    WRONG_TRANSACTION_UID = 0xC301
    ALREADY_IN_PROGRESS = 0xC302
    ONLY_CREATED_SCHEDULED = 0xC303
    FINAL_STATE_REQUIREMENTS = 0xC304
    UNKNOWN = 0xC307
    RECEIVER_UNKNOWN = 0xC308
    NOT_SCHEDULED = 0xC309
    NOT_IN_PROGRESS = 0xC310
    ALREADY_COMPLETED = 0xC311
    PERFORMER_OUT_OF_REACH = 0xC312
    PERFORMER_REFUSES = 0xC313
    NOT_APPROPRIATE = 0xC314
    NO_EVENT_REPORTS = 0xC315


STATUS_OF_REASON: Mapping[Reason, int] = MappingProxyType(
    {
        Reason.MAY_NO_LONGER_BE_UPDATED: UpsStatus.MAY_NO_LONGER_BE_UPDATED,
        Reason.NO_TRANSACTION_UID: UpsStatus.WRONG_TRANSACTION_UID,
        Reason.WRONG_TRANSACTION_UID: UpsStatus.WRONG_TRANSACTION_UID,
        Reason.ALREADY_IN_PROGRESS: UpsStatus.ALREADY_IN_PROGRESS,
        Reason.ONLY_CREATED_SCHEDULED: UpsStatus.ONLY_CREATED_SCHEDULED,
        Reason.FINAL_STATE_REQUIREMENTS: UpsStatus.FINAL_STATE_REQUIREMENTS,
        Reason.UNKNOWN: UpsStatus.UNKNOWN,
        Reason.RECEIVER_UNKNOWN: UpsStatus.RECEIVER_UNKNOWN,
        Reason.NOT_SCHEDULED: UpsStatus.NOT_SCHEDULED,
        Reason.NOT_IN_PROGRESS: UpsStatus.NOT_IN_PROGRESS,
        Reason.ALREADY_COMPLETED: UpsStatus.ALREADY_COMPLETED,
        Reason.PERFORMER_OUT_OF_REACH: UpsStatus.PERFORMER_OUT_OF_REACH,
        Reason.NOT_APPROPRIATE: UpsStatus.NOT_APPROPRIATE,
        Reason.DUPLICATE: 0x0111,
    }
)
STATUS_OF_REMARK: Mapping[Remark, int] = MappingProxyType(
    {
        Remark.NOTHING: 0x0000,
        Remark.CREATED_WITH_MODIFICATIONS: UpsStatus.CREATED_WITH_MODIFICATIONS,
        Remark.ALREADY_CANCELED: UpsStatus.ALREADY_CANCELED,
        Remark.ALREADY_COMPLETED: UpsStatus.ALREADY_IN_STATE_COMPLETED,
        Remark.COERCED: UpsStatus.COERCED,
    }
)


def attributes_of(octets: bytes, transfer_syntax_uid: str) -> dict[str, Any]:
    """Return the attributes of an encoded data set; raises Invalid where it is damaged or too long."""
    _demand_short(octets)
    meta = FileMeta(transfer_syntax_uid, 0)
    return _writable(instance_json(octets, lambda _: "", meta, inline_up_to=MOST_OCTETS))


def attributes_of_json(octets: bytes) -> dict[str, Any]:
    """Return the attributes of an `application/dicom+json` body: one object, alone or in an array. Raises Invalid."""
    _demand_short(octets)
    try:
        given = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise Invalid("the body is not JSON", next_step="send application/dicom+json (PS3.18 F.2)") from error
    one = given[0] if isinstance(given, list) and len(given) == 1 else given
    if not isinstance(one, dict):
        raise Invalid("the body is not one DICOM JSON object", next_step="send one data set (PS3.18 F.2)")
    return _writable({tag: value for tag, value in one.items() if not tag.startswith("0000")})


def _demand_short(octets: bytes) -> None:
    if len(octets) > MOST_OCTETS:
        raise Invalid(f"a workitem of more than {MOST_OCTETS} octets is not kept")


def _writable(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return attributes written and read once, so that whatever is kept from one door can be sent by the other."""
    check_values(attributes)
    try:
        plain = _without_character_sets(attributes)
        return _without_character_sets(data_set_json(data_set_of(plain)))
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, struct.error) as error:
        raise Invalid("a value of the data set does not fit its VR", peer_said=str(error)[:200]) from error


def affected_uid(octets: bytes) -> str:
    """Return the UID that a body gives itself, (0008,0018) or (0000,1000); empty where it gives none (PS3.18 11.4.1.1)."""
    given = json.loads(octets)
    one = given[0] if isinstance(given, list) else given
    return text_at(one, table.SOP_INSTANCE_UID) or text_at(one, "00001000")


def workitem_data_set(workitem: Workitem, tags: Iterable[int] = ()) -> Dataset:
    """Return the data set of an N-GET: all attributes, or those asked for; never the Transaction UID."""
    wanted = {f"{tag:08X}" for tag in tags}
    chosen = {tag: value for tag, value in workitem.attributes.items() if not wanted or tag in wanted}
    return data_set_of(chosen)


def data_set_of(attributes: Attributes) -> Dataset:
    """Return attributes as a data set in UTF-8."""
    data_set = data_set_of_json(dict(attributes))
    put(data_set, SPECIFIC_CHARACTER_SET, "CS", UTF_8_TERM)
    return data_set


def transaction_uid_of(attributes: Attributes) -> str:
    """Return the Transaction UID (0008,1195) of a request; empty where it has none."""
    return text_at(attributes, table.TRANSACTION_UID)


def wanted_state(attributes: Attributes) -> WorkitemState:
    """Return the Procedure Step State that a request asks for (Table CC.2.1-1); raises AttributeProblem."""
    text = text_at(attributes, table.STATE)
    if not text:
        raise _problem(attributes, table.STATE, "ProcedureStepState")
    try:
        return WorkitemState(text)
    except ValueError as error:
        tag = int(table.STATE, 16)
        raise AttributeProblem(INVALID_VALUE, tag, "ProcedureStepState", "is no state of a UPS") from error


def receiving_ae(attributes: Attributes) -> str:
    """Return who is to be told, or no longer (Table CC.2.3-1); raises AttributeProblem."""
    text = text_at(attributes, RECEIVING_AE)
    if not text:
        raise _problem(attributes, RECEIVING_AE, "ReceivingAE")
    return ae_title(text)


def deletion_lock(attributes: Attributes) -> bool:
    """Return whether a deletion lock is asked for (Table CC.2.3-1); raises AttributeProblem."""
    text = text_at(attributes, DELETION_LOCK)
    if not text:
        raise _problem(attributes, DELETION_LOCK, "DeletionLock")
    if text not in ("TRUE", "FALSE"):
        tag = int(DELETION_LOCK, 16)
        raise AttributeProblem(INVALID_VALUE, tag, "DeletionLock", "is neither TRUE nor FALSE")
    return text == "TRUE"


def ae_title(text: str) -> str:
    """Return an AE title (PS3.5 6.2); raises Invalid."""
    title = text.strip(" ")
    if not 0 < len(title) <= 16 or not (title.isascii() and title.isprintable()) or "\\" in title:
        raise Invalid("this is not an AE title (PS3.5 6.2)", next_step="send 1 to 16 characters")
    return title


def event_data_set(report: Report) -> Dataset:
    """Return the event information of an N-EVENT-REPORT (PS3.4 Table CC.2.4-1)."""
    return data_set_of(report.information)


def event_json(report: Report, message_id: int) -> dict[str, Any]:
    """Return what goes over a WebSocket: the event information, and what PS3.7 Table 10.3-1 says (PS3.18 11.13)."""
    return {
        "00000002": {"vr": "UI", "Value": [UPS_PUSH]},
        "00000110": {"vr": "US", "Value": [message_id]},
        "00001000": {"vr": "UI", "Value": [report.sop_instance_uid]},
        "00001002": {"vr": "US", "Value": [int(report.event_type)]},
        **report.information,
    }


def _problem(attributes: Attributes, tag: str, keyword: str) -> AttributeProblem:
    if tag in attributes:
        return AttributeProblem(MISSING_VALUE, int(tag, 16), keyword, "has no value")
    return AttributeProblem(MISSING_ATTRIBUTE, int(tag, 16), keyword, "is missing")


def _without_character_sets(attributes: dict[str, Any]) -> dict[str, Any]:
    """Leave out every (0008,0005): the JSON model is UTF-8 throughout, and so is what is written from it."""
    kept: dict[str, Any] = {}
    for tag, attribute in attributes.items():
        if tag == _CHARACTER_SET_KEY:
            continue
        items = attribute.get("Value") if attribute["vr"] == "SQ" else None
        if items:
            kept[tag] = {"vr": "SQ", "Value": [_without_character_sets(item) for item in items]}
        else:
            kept[tag] = attribute
    return kept
