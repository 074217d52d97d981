"""What an instance is, by its SOP Class (PS3.4 B.5): has it pixels to show, and if not, what is it?"""

from collections.abc import Mapping

from hilum.core.archive.model import Instance

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_WITHOUT_PIXELS: Mapping[str, str] = {
    "88.": "structured report",
    "104.1": "PDF document",
    "104.2": "CDA document",
    "104.3": "3D model (STL)",
    "104.4": "3D model (OBJ)",
    "104.5": "3D model material",
    "9.": "waveform",
    "11.": "presentation state",
    "66.1": "spatial registration",
    "66.2": "spatial fiducials",
    "66.3": "deformable registration",
    "66.5": "surface segmentation",
    "66.6": "tractography",
    "66": "raw data",
    "67": "real world value mapping",
    "68.": "surface scan",
    "78.": "ophthalmic measurement",
    "79.1": "macular grid",
    "481.3": "radiotherapy structure set",
    "481.4": "radiotherapy treatment record",
    "481.5": "radiotherapy plan",
    "481.6": "radiotherapy treatment record",
    "481.7": "radiotherapy treatment record",
    "481.8": "radiotherapy ion plan",
    "481.9": "radiotherapy treatment record",
    "131": "basic structured display",
}
"""The rest of the SOP Class UID, whole or up to a dot -> its kind."""


def kind(sop_class_uid: str) -> str:
    """Return what an instance without pixels is; "" for images."""
    rest = sop_class_uid.removeprefix(_STORAGE)
    if rest == sop_class_uid:
        return ""
    found = [name for known, name in _WITHOUT_PIXELS.items() if known == rest or _below(known, rest)]
    return found[-1] if found else ""


def is_image(instance: Instance) -> bool:
    """Tell whether an instance has frames to show."""
    return instance.rows > 0 and instance.columns > 0 and not kind(instance.sop_class_uid)


def frames(instance: Instance) -> int:
    """Return the number of frames to show; an image without Number of Frames (0028,0008) has one."""
    return max(instance.number_of_frames, 1) if is_image(instance) else 0


def _below(known: str, rest: str) -> bool:
    return known.endswith(".") and rest.startswith(known)
