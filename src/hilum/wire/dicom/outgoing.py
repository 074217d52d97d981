"""A stored object as one receiver gets it: showing the surviving person, in a transfer syntax that it accepts."""

import io
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from hilum.core.archive.model import Retrieved
from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.coercion import coerced
from hilum.wire.dicom.frame_work import FrameWorker
from hilum.wire.dicom.part10 import read_file_meta
from hilum.wire.dicom.transcoding import LOSSLESS_TARGETS, can_be_transcoded, is_lossy_target, transcoded
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from hilum.wire.dicom.upper_layer.fragmentation import Readable

UNCOMPRESSED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
"""What every receiver takes one of, best first (PS3.5 10.1)."""


@dataclass(frozen=True, slots=True)
class OutgoingDataSet:
    """A data set on its way out, without file meta."""

    transfer_syntax_uid: str
    stream: Readable


def outgoing_data_set(
    file: BinaryIO,
    retrieved: Retrieved,
    accepted: Container[str],
    worker: FrameWorker,
    preferred: Sequence[str] = (),
) -> OutgoingDataSet:
    """Return the data set as preferred, else as stored, else in the best without loss that the receiver accepts.

    `file` must stay open while the stream is read. Raises Invalid when the receiver accepts nothing that we can write.
    """
    stored = retrieved.instance.transfer_syntax_uid
    wanted = dict.fromkeys(
        [*(one for one in preferred if not is_lossy_target(one)), stored, *LOSSLESS_TARGETS]
    )
    refusal = Invalid(
        "the receiver accepts no transfer syntax of this instance",
        next_step="let it accept Explicit or Implicit VR Little Endian for this SOP class",
    )
    shown: BinaryIO | None = None
    for target in wanted:
        if target not in accepted or not can_be_transcoded(stored, target):
            continue
        if target == stored:
            return OutgoingDataSet(stored, _as_stored(file, retrieved))
        shown = shown or _shown(file, retrieved)
        try:
            return _transcoded(shown, target, worker)
        except Invalid as error:
            refusal = error  # it does not hold pixels of this kind; the next one may
    raise refusal


def _transcoded(file: BinaryIO, target: str, worker: FrameWorker) -> OutgoingDataSet:
    chunks = transcoded(file, target, worker)
    first = next(chunks)
    data_set = chain([first[read_file_meta(first).data_set_offset :]], chunks)
    return OutgoingDataSet(target, ChunkReader(data_set))


def _as_stored(file: BinaryIO, retrieved: Retrieved) -> Readable:
    if retrieved.patient is None:
        file.seek(read_file_meta(file).data_set_offset)
        return file
    shown = coerced(file, retrieved.patient, retrieved.instance.source)
    if not shown.changed:
        file.seek(shown.data_set_offset)
        return file
    return ChunkReader(shown.chunks(data_set_only=True))


def _shown(file: BinaryIO, retrieved: Retrieved) -> BinaryIO:
    """Return the object as it shows its person now: what is coerced goes by byte ranges, and is held whole."""
    if retrieved.patient is None:
        return file
    person = coerced(file, retrieved.patient, retrieved.instance.source)
    return io.BytesIO(b"".join(person.chunks())) if person.changed else file


class ChunkReader(io.RawIOBase):
    """An iterator of chunks, read like a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # RawIOBase types it by a private alias
        """Fill from the chunk under way, or the next."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
