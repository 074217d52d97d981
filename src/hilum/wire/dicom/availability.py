"""Instance Availability Notification: the data set of its N-CREATE (PS3.4 R.3.2.1, RAD-49)."""

from itertools import groupby

from pydicom.dataset import Dataset

from hilum.core.archive.model import Retrieved
from hilum.core.routing.model import AvailabilityParcel
from hilum.wire.dicom.data_sets import put
from hilum.wire.dicom.mpps import PERFORMED_PROCEDURE_STEP

SOP_CLASS_UID = "1.2.840.10008.5.1.4.33"

_REFERENCED_STEPS, _REFERENCED_SERIES, _REFERENCED_INSTANCES = 0x00081111, 0x00081115, 0x00081199
_SOP_CLASS, _SOP_INSTANCE, _WORKITEM_CODES = 0x00081150, 0x00081155, 0x00404019
_STUDY, _SERIES, _AVAILABILITY, _RETRIEVE_AE_TITLE = 0x0020000D, 0x0020000E, 0x00080056, 0x00080054


def availability_data_set(parcel: AvailabilityParcel, retrieve_ae_title: str) -> Dataset:
    """Write what of a study is here: all of it ONLINE, to be retrieved by our AE title."""
    data_set = Dataset()
    put(data_set, _REFERENCED_STEPS, "SQ", tuple(map(_step, parcel.performed_procedure_steps)))
    put(data_set, _STUDY, "UI", parcel.study_instance_uid)
    ordered = sorted(parcel.instances, key=lambda one: one.series_instance_uid)
    series = [
        _series(uid, list(members), retrieve_ae_title)
        for uid, members in groupby(ordered, key=lambda one: one.series_instance_uid)
    ]
    put(data_set, _REFERENCED_SERIES, "SQ", tuple(series))
    return data_set


def _step(sop_instance_uid: str) -> Dataset:
    item = Dataset()
    put(item, _SOP_CLASS, "UI", PERFORMED_PROCEDURE_STEP)
    put(item, _SOP_INSTANCE, "UI", sop_instance_uid)
    put(item, _WORKITEM_CODES, "SQ", ())
    return item


def _series(uid: str, members: list[Retrieved], retrieve_ae_title: str) -> Dataset:
    item = Dataset()
    put(item, _SERIES, "UI", uid)
    put(item, _REFERENCED_INSTANCES, "SQ", tuple(_instance(one, retrieve_ae_title) for one in members))
    return item


def _instance(one: Retrieved, retrieve_ae_title: str) -> Dataset:
    item = Dataset()
    put(item, _SOP_CLASS, "UI", one.instance.sop_class_uid)
    put(item, _SOP_INSTANCE, "UI", one.instance.sop_instance_uid)
    put(item, _AVAILABILITY, "CS", "ONLINE")
    put(item, _RETRIEVE_AE_TITLE, "AE", retrieve_ae_title)
    return item
