"""What is written down of one stored instance so that its bytes need not be read again: metadata, and where its frames are.

The metadata is JSON text in five runs of members. The second holds the patient, the fourth the Original Attributes
Sequence: these two alone change when another person is shown.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from hilum.core.archive.model import Retrieved
from hilum.core.kernel.errors import Invalid
from hilum.core.patients.model import PatientRecord
from hilum.wire.dicom.coercion_json import coerced_metadata
from hilum.wire.dicom.frame_tables import FrameTable
from hilum.wire.dicom.json_model import JsonDataSet, instance_json
from hilum.wire.dicom.part10 import read_file_meta
from hilum.wire.dicom.pixels import open_pixels
from hilum.wire.dicom.slotted import OPEN

_URL_OF_SERVICE = "\0"
"""Stands for our address in a BulkDataURI while JSON is written; no value of an instance holds a NUL."""
_WRITTEN = b'"\\u0000'
_BOUNDS = ("00100010", "00100041", "04000561", "04000562")
"""Where the second to fifth run begin: tags as the JSON model writes them, in their order."""

Runs = tuple[bytes, bytes, bytes, bytes, bytes]
"""Members of a JSON object without braces, `OPEN` standing for the address of the service and the quote before it."""


@dataclass(frozen=True, slots=True)
class FramesAt:
    """Where the frames of one object are, from the beginning of its stored bytes."""

    transfer_syntax_uid: str
    data_set_offset: int
    table: FrameTable


@dataclass(frozen=True, slots=True)
class Described:
    """One instance by its stored bytes."""

    digest: str
    runs: Runs
    frames: FramesAt | None
    """None where there are none to cut out: no image, a video, or a deflated data set."""


def described(one: Retrieved, file: BinaryIO) -> Described:
    """Read an instance once; raises Invalid when it cannot be read."""
    path = (
        f"{_URL_OF_SERVICE}/studies/{one.study_instance_uid}/series/{one.series_instance_uid}"
        f"/instances/{one.instance.sop_instance_uid}/bulk/"
    )
    runs = _runs(instance_json(file, path.__add__))
    return Described(one.instance.blob.digest, runs, frames_at(file))


def frames_at(file: BinaryIO) -> FramesAt | None:
    """Find the frames of an object, where it has such."""
    meta = read_file_meta(file)
    try:
        pixels = open_pixels(file, meta)
        if not pixels.is_positioned or pixels.transfer_syntax.is_video:
            return None
        return FramesAt(meta.transfer_syntax_uid, meta.data_set_offset, pixels.table())
    except Invalid:
        return None  # no image, or one whose frames nobody can tell apart: who asks for a frame is told why


def shown_runs(runs: Runs, patient: PatientRecord, received_from: str) -> Runs:
    """Return the runs that show a person; the same object when nothing differs."""
    received = json.loads(object_of(runs[1:2] + runs[3:4]).replace(OPEN, _WRITTEN))
    shown = coerced_metadata(received, patient, received_from)
    if shown is received:
        return runs
    _, person, _, originals, _ = _runs(shown)
    return runs[0], person, runs[2], originals, runs[4]


def object_of(runs: tuple[bytes, ...]) -> bytes:
    """Join runs to a JSON object."""
    return b"{" + b",".join(run for run in runs if run) + b"}"


def _runs(metadata: JsonDataSet) -> Runs:
    parts: list[dict[str, object]] = [{}, {}, {}, {}, {}]
    for tag, attribute in metadata.items():
        parts[sum(tag >= bound for bound in _BOUNDS)][tag] = attribute
    first, person, middle, originals, last = map(_members, parts)
    return first, person, middle, originals, last


def _members(part: Mapping[str, object]) -> bytes:
    written = json.dumps(part, separators=(",", ":")).encode("ascii")[1:-1]
    return written.replace(_WRITTEN, OPEN)
