"""What is done to one frame at a time where it can do no harm: decoding, encoding, rendering.

A codec is C code that reads what anybody sent, so that none runs in a process that holds the record. Readers of this
room cut frames out and write headers; what has to be done to a frame they hand to a `FrameWorker`. In a server that is
the pool of `hilum.workers`; `work_on` is what runs at its other end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeAlias

import numpy as np

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.decoding import WORDS_KEPT, DecodedFrame, codestream_is_lossy, decode_frame
from hilum.wire.dicom.encoding import DEFAULT_QUALITY, deflated, encode_frame, is_encoded_with_loss
from hilum.wire.dicom.part10 import FileMeta
from hilum.wire.dicom.pixels import EncodedFrame, Pixels, open_pixels
from hilum.wire.dicom.rendering import RENDERING, Rendering, RenderingOptions, rendered, rendering_of
from hilum.wire.dicom.source import Source
from hilum.wire.dicom.transfer_syntaxes import (
    DEFLATED_IMAGE_FRAME,
    ENCAPSULATED_UNCOMPRESSED,
)


@dataclass(frozen=True, slots=True)
class Decode:
    """Make native pixels, colour by pixel, in little endian; of what was compressed with loss, RGB."""

    frame: EncodedFrame


@dataclass(frozen=True, slots=True)
class Encode:
    """Make a codestream of another transfer syntax; `quality`, 1 to 100, is for syntaxes that lose."""

    frame: EncodedFrame
    transfer_syntax_uid: str
    quality: int = DEFAULT_QUALITY


@dataclass(frozen=True, slots=True)
class Render:
    """Make a picture that a browser shows."""

    frame: EncodedFrame
    rendering: Rendering


FrameTask: TypeAlias = Decode | Encode | Render


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """A frame made, and what its data set has to say of it; of a picture only the content counts."""

    content: bytes | memoryview
    photometric_interpretation: str = ""
    bits_allocated: int = 8
    bits_stored: int = 8
    pixel_representation: int = 0
    is_lossy: bool = False
    """Whether the codestream that was read had lost something."""
    keeps_words: bool = True
    """Whether bits above and below Bits Stored are still there."""


FrameWorker: TypeAlias = Callable[[FrameTask], FrameAnswer]
"""Does one task; raises Invalid for a frame that cannot be worked on, Busy where there is no room for work."""


def no_worker(task: FrameTask) -> FrameAnswer:
    """Refuse: what stands where nobody gave a worker. Never a codec in the process of a door."""
    del task
    raise Invalid("pixels cannot be worked on here: no worker was given")


def work_on(task: FrameTask) -> FrameAnswer:
    """Do one task in this process; raises Invalid."""
    match task:
        case Decode():
            return _decode(task.frame)
        case Encode():
            return _encode(task)
        case Render():
            return FrameAnswer(rendered(task.frame, task.rendering))


def _decode(frame: EncodedFrame) -> FrameAnswer:
    decoded = _as_stored(frame)
    pixels = decoded.pixels
    if frame.image.bits_allocated == 1:
        content: bytes | memoryview = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    else:
        content = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).data.cast("B")
    return _answer(frame, decoded, content)


def _encode(task: Encode) -> FrameAnswer:
    frame, target = task.frame, task.transfer_syntax_uid
    if frame.image.bits_allocated == 1:
        return _encode_single_bits(task)
    decoded = decode_frame(
        frame,
        as_rgb=is_encoded_with_loss(target) or codestream_is_lossy(frame),
        only_stored_bits=target not in WORDS_KEPT,
    )
    made = encode_frame(decoded, target, task.quality)
    return FrameAnswer(
        made.encoded,
        made.photometric_interpretation,
        made.bits_allocated,
        made.bits_stored,
        int(decoded.pixels.dtype.kind == "i"),
        codestream_is_lossy(frame),
        target in WORDS_KEPT,
    )


def _encode_single_bits(task: Encode) -> FrameAnswer:
    """Write packed bits as they are, or deflated; no image codec takes them."""
    frame = _decode(task.frame)
    if task.transfer_syntax_uid == DEFLATED_IMAGE_FRAME:
        return replace(frame, content=deflated(frame.content))
    if task.transfer_syntax_uid != ENCAPSULATED_UNCOMPRESSED:
        raise Invalid(
            "pixels of single bits are not compressed by image codecs", next_step="deflate the object"
        )
    return frame


def _as_stored(frame: EncodedFrame) -> DecodedFrame:
    """Keep what lossless codecs kept; what lost its exact values anyhow is easier to read as RGB."""
    return decode_frame(frame, as_rgb=codestream_is_lossy(frame), only_stored_bits=False)


def _answer(frame: EncodedFrame, decoded: DecodedFrame, content: bytes | memoryview) -> FrameAnswer:
    bits = frame.image.bits_allocated
    return FrameAnswer(
        content,
        decoded.photometric_interpretation,
        bits if bits == 1 else decoded.pixels.dtype.itemsize * 8,
        decoded.bits_stored,
        int(decoded.pixels.dtype.kind == "i"),
        codestream_is_lossy(frame),
    )


def render_frame(
    file: bytes | BinaryIO | Source,
    number: int,
    options: RenderingOptions,
    worker: FrameWorker,
    meta: FileMeta | None = None,
) -> bytes:
    """Return one frame as JPEG or PNG; Invalid where the object has no pixels or they cannot be shown."""
    pixels = open_pixels(file, meta, also=RENDERING)
    rendering = rendering_of(pixels, number, options)
    return bytes(worker(Render(pixels.encoded_frame(number), rendering)).content)


def native_frame(pixels: Pixels, number: int, worker: FrameWorker) -> bytes:
    """Return one frame as native pixels (PS3.5 8.1): read in place, or decoded by a worker where it is compressed."""
    if not pixels.is_encapsulated:
        return pixels.frame(number)
    return bytes(worker(Decode(pixels.encoded_frame(number))).content)
