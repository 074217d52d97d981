"""Overlays that hide in the unused bits of pixels, taken out before a codec drops those bits (PS3.5 8.1.2, retired)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.elements import DataSet
from hilum.wire.dicom.frame_work import FrameWorker, native_frame
from hilum.wire.dicom.pixels import Pixels
from hilum.wire.dicom.rewriting import element, us_element
from hilum.wire.dicom.values import integer_of

_GROUPS = range(0x6000, 0x6020, 2)
_BITS_ALLOCATED, _BIT_POSITION, _DATA, _FRAMES = 0x0100, 0x0102, 0x3000, 0x0015
_MOST_BITS = 1_000_000_000


def with_overlays_apart(elements: DataSet, pixels: Pixels, worker: FrameWorker) -> DataSet:
    """Return the elements with every embedded overlay as Overlay Data (60xx,3000), as PS3.3 C.9.2 wants it today."""
    positions = dict(_embedded(elements))
    if not positions:
        return elements
    image = pixels.image
    if image.rows * image.columns * image.number_of_frames * len(positions) > _MOST_BITS:
        raise Invalid(f"overlays of more than {_MOST_BITS} pixels are not taken out of the pixel data")
    planes = _planes(pixels, worker, list(positions.values()))
    new: DataSet = {}
    for group, bits in zip(positions, planes, strict=True):
        packed = np.packbits(bits, bitorder="little").tobytes()
        start = group << 16
        new[start | _BITS_ALLOCATED] = us_element(start | _BITS_ALLOCATED, 1)
        new[start | _BIT_POSITION] = us_element(start | _BIT_POSITION, 0)
        new[start | _DATA] = element(start | _DATA, "OW", packed + bytes(len(packed) % 2))
        if image.number_of_frames > 1:
            frames = str(image.number_of_frames).encode("ascii")
            new[start | _FRAMES] = element(start | _FRAMES, "IS", frames)
    return dict(sorted((elements | new).items()))


def _embedded(elements: DataSet) -> Iterator[tuple[int, int]]:
    """Yield group and bit position of each overlay without data of its own."""
    for group in _GROUPS:
        start = group << 16
        position = integer_of(elements.get(start | _BIT_POSITION))
        allocated = integer_of(elements.get(start | _BITS_ALLOCATED))
        if position and allocated and allocated > 1 and start | _DATA not in elements:
            yield group, position


def _planes(pixels: Pixels, worker: FrameWorker, positions: list[int]) -> list[npt.NDArray[np.bool_]]:
    """Return the bits of each plane, all frames together."""
    word = pixels.image.bits_allocated // 8
    if pixels.image.samples_per_pixel != 1 or not word:
        raise Invalid("overlays within pixels of colour, or of single bits, are not known to the standard")
    found: list[list[npt.NDArray[np.bool_]]] = [[] for _ in positions]
    for number in range(1, pixels.image.number_of_frames + 1):
        values = np.frombuffer(native_frame(pixels, number, worker), f"<u{word}")
        for plane, position in zip(found, positions, strict=True):
            plane.append((values >> position) & 1 != 0)
    return [np.concatenate(plane) for plane in found]
