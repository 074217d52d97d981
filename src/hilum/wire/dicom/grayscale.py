"""Stored values to shades of gray: modality LUT, VOI LUT or window, polarity (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.wire.dicom.character_sets import UNDECLARED
from hilum.wire.dicom.elements import DataSet
from hilum.wire.dicom.pixels import Pixels
from hilum.wire.dicom.values import integer_of, number_of, numbers_of, text_of

_SHARED_GROUPS, _PER_FRAME_GROUPS = 0x52009229, 0x52009230
_PIXEL_VALUE_TRANSFORMATION, _FRAME_VOI_LUT = 0x00289145, 0x00289132
_MODALITY_LUT, _VOI_LUT = 0x00283000, 0x00283010


@dataclass(frozen=True, slots=True)
class Window:
    """A linear or sigmoid VOI transformation (PS3.3 C.11.2.1.2, C.11.2.1.3)."""

    center: float
    width: float
    function: str = "LINEAR"

    def shades(self, values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
        """Return 0 to 1, darkest to lightest."""
        if self.function == "SIGMOID":
            exponent = np.clip(-4.0 * (values - self.center) / self.width, -60.0, 60.0)
            return np.asarray(1.0 / (1.0 + np.exp(exponent)))
        if self.function == "LINEAR_EXACT":
            return np.asarray((values - self.center) / self.width + 0.5)
        if self.width <= 1:
            return np.asarray(values > self.center - 0.5, dtype=np.float32)
        return np.asarray((values - (self.center - 0.5)) / (self.width - 1.0) + 0.5)


@dataclass(frozen=True, slots=True)
class _LookUpTable:
    """One item of a Modality or VOI LUT Sequence (PS3.3 C.11.1.1, C.11.2.1.1)."""

    first: int
    entries: npt.NDArray[np.floating[Any]]
    bits: int

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
        """Look each value up; what lies outside takes the first or the last entry."""
        places = np.clip(np.rint(values).astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return np.asarray(self.entries[places])


def grayscale_8_bit(
    stored: npt.NDArray[Any], pixels: Pixels, number: int, window: Window | None
) -> npt.NDArray[np.uint8]:
    """Return 8-bit gray, by the window asked for, or else the header's first one, or else minimum to maximum."""
    if pixels.image.bits_allocated == 1:
        shades = np.asarray(stored != 0, dtype=np.float32)
    else:
        values = _modality_values(stored, pixels, number)
        shades = _shades(values, stored, pixels, number, window)
    if pixels.image.photometric_interpretation == "MONOCHROME1":
        shades = 1.0 - shades
    return np.asarray(np.clip(np.nan_to_num(shades) * 255.0 + 0.5, 0, 255), dtype=np.uint8)


def _modality_values(stored: npt.NDArray[Any], pixels: Pixels, number: int) -> npt.NDArray[np.floating[Any]]:
    """Apply the Modality LUT, or slope and intercept of the image or of this frame."""
    table = _look_up_table(pixels, _MODALITY_LUT)
    if table is not None:
        return table.apply(stored)
    group = _functional_group(pixels, number, _PIXEL_VALUE_TRANSFORMATION)
    slope = number_of(group.get(0x00281053))
    intercept = number_of(group.get(0x00281052))
    values: npt.NDArray[np.floating[Any]] = stored.astype(
        np.float64 if stored.dtype.itemsize > 2 else np.float32
    )
    return values * (1.0 if slope is None else slope) + (intercept or 0.0)


def _shades(
    values: npt.NDArray[np.floating[Any]],
    stored: npt.NDArray[Any],
    pixels: Pixels,
    number: int,
    window: Window | None,
) -> npt.NDArray[np.floating[Any]]:
    if window is None:
        table = _look_up_table(pixels, _VOI_LUT)
        if table is not None:
            return table.apply(values) / (2.0**table.bits - 1.0)
        window = _header_window(_functional_group(pixels, number, _FRAME_VOI_LUT))
    if window is None:
        window = _full_range(values, stored, _pixel_padding_value(pixels))
    return window.shades(values)


def _functional_group(pixels: Pixels, number: int, sequence: int) -> DataSet:
    """Return the group of this frame, or the shared one, or the image itself (PS3.3 C.7.6.16)."""
    for tag, place in ((_PER_FRAME_GROUPS, number - 1), (_SHARED_GROUPS, 0)):
        element = pixels.attributes.get(tag)
        items = element.items or () if element is not None else ()
        group = items[place].get(sequence) if place < len(items) else None
        if group is not None and group.items:
            return group.items[0]
    return pixels.attributes


def _header_window(group: DataSet) -> Window | None:
    """Return the first window that the header offers, if it is a possible one."""
    center = number_of(group.get(0x00281050))
    width = number_of(group.get(0x00281051))
    if center is None or width is None or width <= 0:
        return None
    function = text_of(group.get(0x00281056), UNDECLARED).split("\\")[0]
    return Window(center, width, function if function in {"LINEAR_EXACT", "SIGMOID"} else "LINEAR")


def _pixel_padding_value(pixels: Pixels) -> int | None:
    padding = integer_of(pixels.attributes.get(0x00280120))
    if padding is not None and padding > 0x7FFF and pixels.image.pixel_representation:
        return padding - 0x10000  # its VR is that of the pixels, whatever was written
    return padding


def _full_range(
    values: npt.NDArray[np.floating[Any]], stored: npt.NDArray[Any], padding: int | None
) -> Window:
    """Return a window from minimum to maximum, pixel padding left out (PS3.3 C.7.5.1.1.2)."""
    counted = np.isfinite(values)
    if padding is not None:
        counted &= stored != padding
    if not counted.any():
        return Window(0.5, 1.0, "LINEAR_EXACT")
    low, high = float(values[counted].min()), float(values[counted].max())
    return Window((low + high) / 2, (high - low) or 1.0, "LINEAR_EXACT")


def _look_up_table(pixels: Pixels, sequence: int) -> _LookUpTable | None:
    """Read the first item of a LUT sequence; one that cannot be read is not applied."""
    element = pixels.attributes.get(sequence)
    item = element.items[0] if element is not None and element.items else {}
    descriptor, entries = item.get(0x00283002), item.get(0x00283006)
    if descriptor is None or entries is None or len(descriptor.value) < 6:
        return None
    _, first, bits = (int(number) for number in numbers_of(descriptor)[:3])
    if pixels.image.pixel_representation and first > 0x7FFF:
        first -= 0x10000  # the descriptor's VR is that of the pixels, whatever was written
    table = np.asarray(numbers_of(entries), dtype=np.float64)
    if not len(table) or not 1 <= bits <= 16:
        return None
    return _LookUpTable(first, table, bits)
