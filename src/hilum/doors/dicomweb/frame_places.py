"""Where frames are, kept in memory by the digest of the object: a second frame is one read at a known place."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import BinaryIO

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.wire.dicom.described import FramesAt, frames_at
from hilum.wire.dicom.series_summary import read_frames

_MOST_FRAGMENTS = 2_000_000
"""So many fragments are remembered at 16 octets each; the objects asked for longest ago are forgotten first."""


class FramePlaces:
    """Bytes under a digest never change, so what is remembered of them is never old."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._known: OrderedDict[str, FramesAt | None] = OrderedDict()
        self._fragments = 0

    def of(self, one: Retrieved, file: BinaryIO) -> FramesAt | None:
        """Return where the frames of an instance are, by the summary of its series, else by reading its bytes."""
        digest = one.instance.blob.digest
        with self._lock:
            if digest in self._known:
                self._known.move_to_end(digest)
                return self._known[digest]
        found = self._summarised(one.series_instance_uid)
        if digest not in found:
            found = {digest: frames_at(file)}
        self._remember(found)
        return found[digest]

    def _summarised(self, series_instance_uid: str) -> Mapping[str, FramesAt | None]:
        kept = self._hub.summary(series_instance_uid)
        if kept is None:
            return {}
        try:
            with self._hub.open_blob(kept.blob.digest) as file:
                return read_frames(file)
        except (Invalid, NotFound):
            return {}  # removed, or of another version

    def _remember(self, found: Mapping[str, FramesAt | None]) -> None:
        with self._lock:
            for digest, frames in found.items():
                if digest not in self._known:
                    self._known[digest] = frames
                    self._fragments += _weight(frames)
            while self._fragments > _MOST_FRAGMENTS and len(self._known) > 1:
                self._fragments -= _weight(self._known.popitem(last=False)[1])


def _weight(frames: FramesAt | None) -> int:
    """Count an object without fragments as some, for what else is remembered of it."""
    spans = frames.table.spans if frames is not None else None
    return 64 + (len(spans.offsets) if spans is not None else 0)
