"""A frame as a person sees it: modality and VOI transformation, colour, viewport, JPEG or PNG (PS3.18 8.3.5)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.captions import NO_CAPTIONS, Captions, burned_in
from hilum.wire.dicom.decoding import DecodedFrame, decode_frame
from hilum.wire.dicom.elements import EVERYTHING, NOTHING, Element, Selection
from hilum.wire.dicom.grayscale import Grayscale, Window, grayscale_of
from hilum.wire.dicom.pixels import EncodedFrame, Pixels

JPEG, PNG, GIF = "image/jpeg", "image/png", "image/gif"
RENDERED_MEDIA_TYPES = (JPEG, PNG, GIF)
ICC_PROFILES = ("no", "yes", "srgb", "adobergb", "rommrgb", "displayp3")
"""PS3.18 8.3.5.1.5: the colour spaces that may be asked for; we have the image's own and sRGB."""
DEFAULT_QUALITY = 90
LONGEST_SIDE = 10_000
_MOST_VIEWPORT_PIXELS = 25_000_000
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_FUNCTIONS = MappingProxyType({"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"})

_TRANSFORMATION: Selection = {0x00281052: NOTHING, 0x00281053: NOTHING}
_VOI: Selection = {0x00281050: NOTHING, 0x00281051: NOTHING, 0x00281056: NOTHING}
_LUT: Selection = {0x00283002: NOTHING, 0x00283006: NOTHING}
_GROUPS: Selection = {0x00289145: _TRANSFORMATION, 0x00289132: _VOI}
_PALETTE = (
    0x00281101, 0x00281102, 0x00281103, 0x00281201, 0x00281202, 0x00281203, 0x00281221, 0x00281222, 0x00281223,
)  # fmt: skip
_ICC_PROFILE, _OPTICAL_PATHS = 0x00282000, 0x00480105
_LAST_DESCRIPTOR = 0x00281103
RENDERING: Mapping[int, Selection] = MappingProxyType({
    0x00280120: NOTHING, 0x00280121: NOTHING, 0x20500020: NOTHING,
    0x00281050: NOTHING, 0x00281051: NOTHING, 0x00281052: NOTHING, 0x00281053: NOTHING,
    0x00281056: NOTHING, 0x00283000: _LUT, 0x00283010: _LUT, **dict.fromkeys(_PALETTE, EVERYTHING),
    0x52009229: _GROUPS, 0x52009230: _GROUPS, _ICC_PROFILE: EVERYTHING, _OPTICAL_PATHS: {_ICC_PROFILE: EVERYTHING},
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Viewport:
    """Where to fit the picture, and which region of it; a negative side mirrors (PS3.18 8.3.5.1.3)."""

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    region_width: float | None = None
    region_height: float | None = None


@dataclass(frozen=True, slots=True)
class RenderingOptions:
    """What a rendered resource was asked for with."""

    media_type: str = JPEG
    window: Window | None = None
    viewport: Viewport | None = None
    quality: int = DEFAULT_QUALITY
    captions: Captions = NO_CAPTIONS
    icc_profile: str = "no"


def parse_window(text: str) -> Window:
    """Read `window=center,width,function` (PS3.18 8.3.5.1.4); the function may be left out."""
    center, width, *function = text.split(",")[:4] if text.count(",") in {1, 2} else ("", "")
    name = function[0].strip().lower() if function else "linear"
    if not _NUMBER.fullmatch(center) or not _NUMBER.fullmatch(width) or name not in _FUNCTIONS:
        raise Invalid("window is not center,width,function with linear, linear-exact or sigmoid")
    window = Window(float(center), float(width), _FUNCTIONS[name])
    if window.width <= 0 or (window.function == "LINEAR" and window.width < 1):
        raise Invalid("the width of a window must be positive, and with linear at least 1")
    return window


def parse_viewport(text: str) -> Viewport:
    """Read `viewport=vw,vh[,sx,sy,sw,sh]` (PS3.18 8.3.5.1.3); what is left empty has its default."""
    parts = [part.strip() for part in text.split(",")]
    if not 2 <= len(parts) <= 6 or any(part and not _NUMBER.fullmatch(part) for part in parts):
        raise Invalid("viewport is not vw,vh or vw,vh,sx,sy,sw,sh")
    numbers = [float(part) if part else None for part in parts] + [None] * 4
    width, height = numbers[0], numbers[1]
    if not width or not height or not 1 <= width <= LONGEST_SIDE or not 1 <= height <= LONGEST_SIDE:
        raise Invalid(f"the viewport's sides must be from 1 to {LONGEST_SIDE}")
    return Viewport(int(width), int(height), numbers[2] or 0.0, numbers[3] or 0.0, numbers[4], numbers[5])


def parse_quality(text: str) -> int:
    """Read `quality=1..100` (PS3.18 8.3.5.1.2)."""
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise Invalid("quality must be a whole number from 1 to 100")
    return int(text)


def parse_icc_profile(text: str) -> str:
    """Read `iccprofile`; raises Invalid."""
    if text not in ICC_PROFILES:
        raise Invalid(f"iccprofile is none of {', '.join(ICC_PROFILES)}")
    return text


@dataclass(frozen=True, slots=True)
class Palette:
    """Three colour tables, as encoded in little endian: descriptors, and entries plain or segmented by tag."""

    descriptors: tuple[tuple[int, tuple[int, ...]], ...]
    entries: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """All that the picture of one frame depends on besides its pixels."""

    options: RenderingOptions
    grayscale: Grayscale
    palette: Palette | None
    icc_profile: bytes
    """The image's own."""


def rendering_of(pixels: Pixels, number: int, options: RenderingOptions) -> Rendering:
    """Read how a frame is to be shown; `pixels` were opened with `RENDERING`. Raises Invalid."""
    if options.media_type not in RENDERED_MEDIA_TYPES:
        raise Invalid(f"frames are rendered as {' or '.join(RENDERED_MEDIA_TYPES)}")
    if options.icc_profile not in ICC_PROFILES[:3]:
        raise Invalid(
            f"images are not shown in {options.icc_profile} here", next_step="ask for iccprofile=srgb"
        )
    is_palette = pixels.image.photometric_interpretation == "PALETTE COLOR"
    return Rendering(
        options,
        grayscale_of(pixels, number, options.window),
        _palette(pixels) if is_palette else None,
        _own_profile(pixels),
    )


def rendered(frame: EncodedFrame, rendering: Rendering) -> bytes:
    """Return a frame as JPEG or PNG; Invalid where it cannot be decoded or shown."""
    options = rendering.options
    picture = Image.fromarray(_eight_bit(frame, rendering))
    if options.viewport is not None:
        picture = _in_viewport(picture, options.viewport)
    picture, profile = _profiled(picture, rendering.icc_profile, options.icc_profile)
    return _encoded(burned_in(picture, options.captions), options, profile)


def _eight_bit(frame: EncodedFrame, rendering: Rendering) -> npt.NDArray[np.uint8]:
    """Return gray or RGB of 8 bits."""
    decoded = decode_frame(frame)
    if rendering.palette is not None:
        return _palette_color(rendering.palette, decoded)
    if decoded.pixels.ndim == 2:
        return rendering.grayscale.eight_bit(decoded.pixels, single_bit=frame.image.bits_allocated == 1)
    if decoded.pixels.shape[2] != 3 or decoded.photometric_interpretation != "RGB":
        raise Invalid(f"pixels in {decoded.photometric_interpretation} cannot be shown as RGB")
    return _color_8_bit(decoded.pixels, decoded.bits_stored)


def _color_8_bit(pixels: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    if bits <= 8:
        return np.ascontiguousarray(pixels.astype(np.uint8))
    return np.ascontiguousarray((pixels >> (bits - 8)).astype(np.uint8))


def _palette(pixels: Pixels) -> Palette:
    """Read the palette (PS3.3 C.7.6.3.1.5, C.7.9.2)."""
    found = {tag: element for tag in _PALETTE if (element := pixels.attributes.get(tag)) is not None}
    return Palette(
        tuple(
            (tag, tuple(_words(one)[:3].tolist())) for tag, one in found.items() if tag <= _LAST_DESCRIPTOR
        ),
        tuple((tag, _words(one).tobytes()) for tag, one in found.items() if tag > _LAST_DESCRIPTOR),
    )


def _words(element: Element) -> npt.NDArray[np.uint16]:
    whole = element.value[: len(element.value) // 2 * 2]
    return np.frombuffer(whole, ">u2" if element.big_endian else "<u2").astype("<u2")


def _palette_color(palette: Palette, decoded: DecodedFrame) -> npt.NDArray[np.uint8]:
    """Look colours up in the palette, plain or segmented."""
    tables = Dataset()
    for tag, descriptor in palette.descriptors:
        tables.add_new(tag, "US", list(descriptor))
    for tag, entries in palette.entries:
        tables.add_new(tag, "OW", entries)
    try:
        colors = apply_color_lut(decoded.pixels, tables)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, NotImplementedError) as error:
        raise Invalid("the palette of the image cannot be applied", peer_said=str(error)[:200]) from error
    return _color_8_bit(
        colors[..., :3], 16 if colors.dtype == np.uint16 and colors.max(initial=0) > 255 else 8
    )


def _in_viewport(picture: Image.Image, viewport: Viewport) -> Image.Image:
    """Cut the region out, mirror it where its side is negative, and fit it, keeping its proportions."""
    region_width = picture.width - viewport.x if viewport.region_width is None else viewport.region_width
    region_height = picture.height - viewport.y if viewport.region_height is None else viewport.region_height
    left, top = max(0, round(viewport.x)), max(0, round(viewport.y))
    right = min(picture.width, round(viewport.x + abs(region_width)))
    bottom = min(picture.height, round(viewport.y + abs(region_height)))
    if left >= right or top >= bottom:
        raise Invalid("the region of the viewport lies outside the image")
    picture = picture.crop((left, top, right, bottom))
    if region_width < 0:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if region_height < 0:
        picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    scale = min(viewport.width / picture.width, viewport.height / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if size[0] * size[1] > _MOST_VIEWPORT_PIXELS:
        raise Invalid(f"a viewport of more than {_MOST_VIEWPORT_PIXELS} pixels is beyond the limit")
    return picture.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)


def _profiled(picture: Image.Image, own: bytes, asked: str) -> tuple[Image.Image, bytes]:
    """Return a colour picture in the colour space asked for, and its ICC profile; an image without one is sRGB."""
    if asked == "no" or picture.mode != "RGB":
        return picture, b""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    if not own:
        return picture, srgb.tobytes()
    if asked == "yes":
        return picture, own
    try:
        shown = ImageCms.profileToProfile(picture, ImageCms.ImageCmsProfile(BytesIO(own)), srgb)
    except (ImageCms.PyCMSError, OSError) as error:
        raise Invalid("the ICC profile of the image cannot be applied", peer_said=str(error)[:200]) from error
    return shown or picture, srgb.tobytes()


def _own_profile(pixels: Pixels) -> bytes:
    """Return the ICC profile of the image, or of its first optical path (PS3.3 C.11.15, C.8.12.5)."""
    paths = pixels.attributes.get(_OPTICAL_PATHS)
    item = paths.items[0] if paths is not None and paths.items else {}
    element = pixels.attributes.get(_ICC_PROFILE) or item.get(_ICC_PROFILE)
    return element.value if element is not None and len(element.value) == element.length else b""


def _encoded(picture: Image.Image, options: RenderingOptions, profile: bytes) -> bytes:
    encoded = BytesIO()
    if options.media_type == PNG:
        picture.save(encoded, "PNG", compress_level=3, icc_profile=profile or None)
    elif options.media_type == GIF:
        picture.save(encoded, "GIF")
    else:
        picture.save(encoded, "JPEG", quality=options.quality, icc_profile=profile or None)
    return encoded.getvalue()
