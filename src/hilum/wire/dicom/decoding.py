"""One encoded frame to an array, by the codecs of pydicom's plugins, within limits (PS3.5 section 8, Annex A.4)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.frame_tables import ImagePixel
from hilum.wire.dicom.pixels import Pixels
from hilum.wire.dicom.transfer_syntaxes import (
    DEFLATED_IMAGE_FRAME,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_VR_LITTLE_ENDIAN,
)

MOST_PIXELS = 100_000_000

# The codec for each syntax, and the one that may know what the first does not. The empty name is pydicom's own.
_PLUGINS = MappingProxyType(
    {
        "1.2.840.10008.1.2.4.50": ("pillow", "gdcm"),
        "1.2.840.10008.1.2.4.51": ("pillow", "gdcm"),  # Pillow reads 8 bits, GDCM 12
        "1.2.840.10008.1.2.4.57": ("gdcm",),
        "1.2.840.10008.1.2.4.70": ("gdcm",),
        "1.2.840.10008.1.2.4.80": ("pyjpegls", "gdcm"),
        "1.2.840.10008.1.2.4.81": ("pyjpegls", "gdcm"),
        "1.2.840.10008.1.2.4.90": ("pylibjpeg", "pillow"),
        "1.2.840.10008.1.2.4.91": ("pylibjpeg", "pillow"),
        "1.2.840.10008.1.2.4.201": ("pylibjpeg",),
        "1.2.840.10008.1.2.4.202": ("pylibjpeg",),
        "1.2.840.10008.1.2.4.203": ("pylibjpeg",),
        "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),
        EXPLICIT_VR_LITTLE_ENDIAN: ("",),
    }
)
# What pydicom and its plugins raise on broken codestreams and descriptions that contradict themselves.
_CODEC_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
)
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """Pixels as rows x columns, or rows x columns x samples; colour is RGB where it could be made so."""

    pixels: npt.NDArray[Any]
    photometric_interpretation: str
    bits_stored: int


def is_decodable(transfer_syntax_uid: str) -> bool:
    """Say whether there is a codec for a transfer syntax."""
    known = {*_PLUGINS, DEFLATED_IMAGE_FRAME, ENCAPSULATED_UNCOMPRESSED}
    return transfer_syntax_uid in known


def decode_frame(pixels: Pixels, number: int, *, most_pixels: int = MOST_PIXELS) -> DecodedFrame:
    """Decode one frame; Invalid for what is too large, broken, or of a syntax without a codec."""
    image = pixels.image
    if image.rows * image.columns * image.samples_per_pixel > most_pixels:
        raise Invalid(
            f"a frame of {image.columns} x {image.rows} pixels is beyond the limit of {most_pixels}"
        )
    uid = pixels.transfer_syntax.uid if pixels.is_encapsulated else EXPLICIT_VR_LITTLE_ENDIAN
    frame = pixels.frame(number)
    if uid == DEFLATED_IMAGE_FRAME:
        frame = _inflated(frame, -(-image.native_frame_bits // 8))
    if uid in {DEFLATED_IMAGE_FRAME, ENCAPSULATED_UNCOMPRESSED}:
        uid = EXPLICIT_VR_LITTLE_ENDIAN
    if uid not in _PLUGINS:
        raise Invalid(
            f"frames in {pixels.transfer_syntax.name} cannot be decoded: no codec for it is installed"
        )
    if uid != EXPLICIT_VR_LITTLE_ENDIAN:
        _check_codestream_size(frame, image)
        frame = encapsulate([frame])
    return _decoded(frame, uid, image)


def _decoded(encoded: bytes, uid: str, image: ImagePixel) -> DecodedFrame:
    """Try the codecs of a syntax in turn; the last one's complaint is the answer."""
    *others, last = _PLUGINS[uid]
    for plugin in others:
        try:
            return _decoded_by(plugin, encoded, uid, image)
        except _CODEC_ERRORS:
            continue  # the next codec may know this variant
    try:
        return _decoded_by(last, encoded, uid, image)
    except _CODEC_ERRORS as error:
        raise Invalid("the frame cannot be decoded", peer_said=str(error)[:300]) from error


def _decoded_by(plugin: str, encoded: bytes, uid: str, image: ImagePixel) -> DecodedFrame:
    options: dict[str, Any] = {
        name: getattr(image, name)
        for name in (
            "rows",
            "columns",
            "samples_per_pixel",
            "photometric_interpretation",
            "planar_configuration",
            "bits_allocated",
            "bits_stored",
            "pixel_representation",
        )
    }
    options |= {"number_of_frames": 1, "pixel_keyword": image.keyword}
    array, properties = get_decoder(uid).as_array(
        encoded,
        index=0,
        decoding_plugin=plugin,
        **options,
    )
    return DecodedFrame(
        array,
        str(properties["photometric_interpretation"]),
        int(properties.get("bits_stored", image.bits_stored)),
    )


def _inflated(frame: bytes, size: int) -> bytes:
    """Inflate one frame to its native size, and no further (PS3.5 A.4.13)."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, size)
    except zlib.error as error:
        raise Invalid("the deflated frame is damaged", peer_said=str(error)) from error


def _check_codestream_size(frame: bytes, image: ImagePixel) -> None:
    """Refuse a codestream of another size than the data set says, before its decoder makes room for it."""
    size = codestream_size(frame)
    if size is not None and size != (image.columns, image.rows):
        raise Invalid(
            f"the frame's codestream is {size[0]} x {size[1]} pixels, the data set says {image.columns} x {image.rows}"
        )


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """Return width and height as JPEG, JPEG-LS and JPEG 2000 codestreams state them; None for what does not."""
    siz = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if siz >= 0 and len(frame) >= siz + 24:
        width, height, x, y = struct.unpack_from(">4I", frame, siz + 8)
        return width - x, height - y
    for marker, place in _jpeg_segments(frame):
        if marker in _START_OF_FRAME and len(frame) >= place + 7:
            height, width = struct.unpack_from(">HH", frame, place + 3)
            return (width, height) if height else None  # a DNL segment will say it
    return None


def _jpeg_segments(frame: bytes) -> Iterator[tuple[int, int]]:
    """Yield marker and offset behind it, up to the first scan (ISO/IEC 10918-1 B.1.1)."""
    place = 2
    if not frame.startswith(b"\xff\xd8"):
        return
    while place + 4 <= len(frame) and frame[place] == 0xFF and frame[place + 1] != 0xDA:
        if frame[place + 1] == 0xFF:
            place += 1  # a fill byte
            continue
        yield frame[place + 1], place + 2
        place += 2 + struct.unpack_from(">H", frame, place + 2)[0]
