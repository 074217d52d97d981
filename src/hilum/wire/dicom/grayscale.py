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
_MODALITY_LUT, _VOI_LUT, _PRESENTATION_LUT_SHAPE = 0x00283000, 0x00283010, 0x20500020


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
class LookUpTable:
    """One item of a Modality or VOI LUT Sequence (PS3.3 C.11.1.1, C.11.2.1.1)."""

    first: int
    entries: npt.NDArray[np.floating[Any]]
    bits: int

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
        """Look each value up; what lies outside takes the first or the last entry."""
        places = np.clip(np.rint(values).astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return np.asarray(self.entries[places])


@dataclass(frozen=True, slots=True)
class Grayscale:
    """The way from stored values to shades (PS3.4 N.2): what the attributes of one frame say, read once."""

    modality: LookUpTable | tuple[float, float]
    """A table, or slope and intercept."""
    voi: LookUpTable | Window | None
    """None is from minimum to maximum."""
    padding: tuple[int, int] | None
    """Stored values, the least and the greatest, that are no part of the image (PS3.3 C.7.5.1.1.2)."""
    inverse: bool

    def eight_bit(self, stored: npt.NDArray[Any], *, single_bit: bool = False) -> npt.NDArray[np.uint8]:
        """Return 8-bit gray."""
        shades = np.asarray(stored != 0, dtype=np.float32) if single_bit else self._shades(stored)
        if self.inverse:
            shades = 1.0 - shades
        return np.asarray(np.clip(np.nan_to_num(shades) * 255.0 + 0.5, 0, 255), dtype=np.uint8)

    def _shades(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
        values = self._modality_values(stored)
        if isinstance(self.voi, LookUpTable):
            return self.voi.apply(values) / (2.0**self.voi.bits - 1.0)
        return (self.voi or self._full_range(values, stored)).shades(values)

    def _modality_values(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
        if isinstance(self.modality, LookUpTable):
            return self.modality.apply(stored)
        slope, intercept = self.modality
        values: npt.NDArray[np.floating[Any]] = stored.astype(
            np.float64 if stored.dtype.itemsize > 2 else np.float32
        )
        return values * slope + intercept

    def _full_range(self, values: npt.NDArray[np.floating[Any]], stored: npt.NDArray[Any]) -> Window:
        counted = np.isfinite(values)
        if self.padding is not None:
            counted &= (stored < self.padding[0]) | (stored > self.padding[1])
        if not counted.any():
            return Window(0.5, 1.0, "LINEAR_EXACT")
        low, high = float(values[counted].min()), float(values[counted].max())
        return Window((low + high) / 2, (high - low) or 1.0, "LINEAR_EXACT")


def grayscale_of(pixels: Pixels, number: int, window: Window | None) -> Grayscale:
    """Read how one frame is shown: by the window asked for, or else the header's first table or window."""
    return Grayscale(
        _modality(pixels, number),
        window or _voi(pixels, number),
        _padding(pixels),
        _is_inverse(pixels),
    )


def _is_inverse(pixels: Pixels) -> bool:
    """Presentation LUT Shape says it where it is there; it repeats what the photometric interpretation says."""
    shape = text_of(pixels.attributes.get(_PRESENTATION_LUT_SHAPE), UNDECLARED)
    if shape in {"INVERSE", "IDENTITY"}:
        return shape == "INVERSE"
    return pixels.image.photometric_interpretation == "MONOCHROME1"


def _modality(pixels: Pixels, number: int) -> LookUpTable | tuple[float, float]:
    """Return the Modality LUT, or slope and intercept of the image or of this frame."""
    table = _look_up_table(pixels, _MODALITY_LUT, signed=bool(pixels.image.pixel_representation))
    if table is not None:
        return table
    group = _functional_group(pixels, number, _PIXEL_VALUE_TRANSFORMATION)
    slope, intercept = number_of(group.get(0x00281053)), number_of(group.get(0x00281052))
    return 1.0 if slope is None else slope, intercept or 0.0


def _voi(pixels: Pixels, number: int) -> LookUpTable | Window | None:
    table = _look_up_table(pixels, _VOI_LUT, signed=_modality_can_be_negative(pixels, number))
    return table or _header_window(_functional_group(pixels, number, _FRAME_VOI_LUT))


def _modality_can_be_negative(pixels: Pixels, number: int) -> bool:
    """PS3.3 C.11.2.1.1: the first value mapped by a VOI LUT is signed where its input can be negative."""
    modality = _modality(pixels, number)
    if isinstance(modality, LookUpTable):
        return False
    return bool(pixels.image.pixel_representation) or modality[1] < 0


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


def _padding(pixels: Pixels) -> tuple[int, int] | None:
    """Return Pixel Padding Value, or the range from it to Pixel Padding Range Limit (PS3.3 C.7.5.1.1.2)."""
    first = _stored_value(pixels, 0x00280120)
    limit = _stored_value(pixels, 0x00280121)
    if first is None:
        return None
    return min(first, first if limit is None else limit), max(first, first if limit is None else limit)


def _stored_value(pixels: Pixels, tag: int) -> int | None:
    value = integer_of(pixels.attributes.get(tag))
    if value is not None and value > 0x7FFF and pixels.image.pixel_representation:
        return value - 0x10000  # its VR is that of the pixels, whatever was written
    return value


def _look_up_table(pixels: Pixels, sequence: int, *, signed: bool) -> LookUpTable | None:
    """Read the first item of a LUT sequence; one that cannot be read is not applied."""
    element = pixels.attributes.get(sequence)
    item = element.items[0] if element is not None and element.items else {}
    descriptor, entries = item.get(0x00283002), item.get(0x00283006)
    if descriptor is None or entries is None or len(descriptor.value) < 6:
        return None
    _, first, bits = (int(number) for number in numbers_of(descriptor)[:3])
    if signed and first > 0x7FFF:
        first -= 0x10000  # whatever VR the descriptor was written with
    table = np.asarray(numbers_of(entries), dtype=np.float64)
    if not len(table) or not 1 <= bits <= 16:
        return None
    return LookUpTable(first, table, bits)
