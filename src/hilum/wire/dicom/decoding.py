"""One encoded frame to an array, by the codecs of pydicom's plugins, within limits (PS3.5 section 8, Annex A.4)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.frame_tables import ImagePixel
from hilum.wire.dicom.pixels import EncodedFrame
from hilum.wire.dicom.transfer_syntaxes import (
    DEFLATED_IMAGE_FRAME,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_VR_LITTLE_ENDIAN,
    RLE_LOSSLESS,
    transfer_syntax,
)

MOST_PIXELS = 100_000_000

# The codec for each syntax, and the one that may know what the first does not. The empty name is pydicom's own.
_PLUGINS = MappingProxyType(
    {
        "1.2.840.10008.1.2.4.50": ("pillow", "gdcm"),
        "1.2.840.10008.1.2.4.51": ("pillow", "gdcm"),
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
CODEC_ERRORS = (
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
_JPEG_XL = frozenset({"1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112"})
WORDS_KEPT = frozenset(
    {EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS, ENCAPSULATED_UNCOMPRESSED, DEFLATED_IMAGE_FRAME}
)
"""What holds whole words, bits that are not stored among them."""
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_JPEG_LS_EITHER = frozenset({"1.2.840.10008.1.2.4.81"})
_JPEG_2000_EITHER = frozenset({"1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203"})
_OPTIONS = (
    "rows",
    "columns",
    "samples_per_pixel",
    "photometric_interpretation",
    "planar_configuration",
    "bits_allocated",
    "bits_stored",
    "pixel_representation",
)
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """Pixels as rows x columns, or rows x columns x samples, and how they are to be read."""

    pixels: npt.NDArray[Any]
    photometric_interpretation: str
    bits_stored: int


def is_decodable(transfer_syntax_uid: str) -> bool:
    """Say whether there is a codec for a transfer syntax."""
    known = {*_PLUGINS, *_JPEG_XL, DEFLATED_IMAGE_FRAME, ENCAPSULATED_UNCOMPRESSED}
    return transfer_syntax_uid in known


def decode_frame(
    frame: EncodedFrame, *, as_rgb: bool = True, only_stored_bits: bool = True, most_pixels: int = MOST_PIXELS
) -> DecodedFrame:
    """Decode one frame; Invalid for what is too large, broken, or of a syntax without a codec.

    `as_rgb` makes RGB of luminance and chrominance. `only_stored_bits` cuts off what stands above and below Bits
    Stored, such as overlays; without it words stay as they are, where a syntax keeps words (PS3.5 8.1.1).
    """
    image, uid, encoded = frame.image, frame.transfer_syntax_uid, frame.encoded
    if image.rows * image.columns * image.samples_per_pixel > most_pixels:
        raise Invalid(
            f"a frame of {image.columns} x {image.rows} pixels is beyond the limit of {most_pixels}"
        )
    if not is_decodable(uid):
        raise Invalid(
            f"frames in {transfer_syntax(uid).name} cannot be decoded: no codec for it is installed"
        )
    if uid == DEFLATED_IMAGE_FRAME:
        encoded = _inflated(encoded, -(-image.native_frame_bits // 8))
    if uid in {DEFLATED_IMAGE_FRAME, ENCAPSULATED_UNCOMPRESSED}:
        uid = EXPLICIT_VR_LITTLE_ENDIAN
    if uid != EXPLICIT_VR_LITTLE_ENDIAN:
        _check_codestream_size(encoded, image)
    native = replace(frame, encoded=encoded, transfer_syntax_uid=uid)
    return _decoded(native, as_rgb=as_rgb, only_stored_bits=only_stored_bits or uid not in WORDS_KEPT)


def _decoded(frame: EncodedFrame, *, as_rgb: bool, only_stored_bits: bool) -> DecodedFrame:
    """Try the codecs of a syntax in turn; the last one's complaint is the answer."""
    uid = frame.transfer_syntax_uid
    if uid in _JPEG_XL or (uid == _JPEG_EXTENDED and frame.image.bits_allocated > 8):
        return _decoded_by_imagecodecs(frame)
    *others, last = _PLUGINS[uid]
    for plugin in others:
        try:
            return _decoded_by(plugin, frame, as_rgb=as_rgb, only_stored_bits=only_stored_bits)
        except CODEC_ERRORS:
            continue  # the next codec may know this variant
    try:
        return _decoded_by(last, frame, as_rgb=as_rgb, only_stored_bits=only_stored_bits)
    except CODEC_ERRORS as error:
        raise Invalid("the frame cannot be decoded", peer_said=str(error)[:300]) from error


def _decoded_by(plugin: str, frame: EncodedFrame, *, as_rgb: bool, only_stored_bits: bool) -> DecodedFrame:
    uid, image = frame.transfer_syntax_uid, frame.image
    moved = only_stored_bits and uid in WORDS_KEPT and frame.high_bit not in {None, image.bits_stored - 1}
    options: dict[str, Any] = {name: getattr(image, name) for name in _OPTIONS}
    options |= {"number_of_frames": 1, "pixel_keyword": image.keyword}
    options["correct_unused_bits"] = only_stored_bits and not moved
    array, properties = get_decoder(uid).as_array(
        frame.encoded if uid == EXPLICIT_VR_LITTLE_ENDIAN else encapsulate([frame.encoded]),
        index=0,
        decoding_plugin=plugin,
        raw=not as_rgb,
        **options,
    )
    return DecodedFrame(
        _significant(array, image, frame.high_bit or 0) if moved else array,
        str(properties["photometric_interpretation"]).removesuffix(
            "_422"
        ),  # an array has all its chrominance
        int(properties.get("bits_stored", image.bits_stored)),
    )


def _significant(pixels: npt.NDArray[Any], image: ImagePixel, high_bit: int) -> npt.NDArray[Any]:
    """Return values whose High Bit is not where it stands today (PS3.5 8.1.1, before 2014)."""
    above = image.bits_allocated - 1 - high_bit
    if above < 0 or pixels.dtype.kind not in "iu":
        return pixels
    return np.asarray(np.right_shift(np.left_shift(pixels, above), image.bits_allocated - image.bits_stored))


def _decoded_by_imagecodecs(frame: EncodedFrame) -> DecodedFrame:
    """Decode JPEG XL, and JPEG of 12 bits; both decoders make RGB of their own colour spaces (PS3.5 8.2.1, 8.2.16)."""
    image = frame.image
    is_color = image.samples_per_pixel == 3
    try:
        if frame.transfer_syntax_uid in _JPEG_XL:
            pixels = imagecodecs.jpegxl_decode(frame.encoded, numthreads=1)
        else:
            space = "ycbcr" if is_color and image.photometric_interpretation != "RGB" else None
            pixels = imagecodecs.jpeg8_decode(
                frame.encoded, colorspace=space, outcolorspace="rgb" if is_color else None
            )
    except CODEC_ERRORS as error:
        raise Invalid("the frame cannot be decoded", peer_said=str(error)[:300]) from error
    shape = (image.rows, image.columns, 3)[: 2 + is_color]
    if pixels.shape != shape or pixels.dtype.kind != "u":
        raise Invalid(
            f"the frame's codestream is {pixels.shape} of {pixels.dtype}, the data set says {shape}"
        )
    return DecodedFrame(
        pixels.astype(f"<u{image.bits_allocated // 8}", copy=False),
        "RGB" if is_color else image.photometric_interpretation,
        image.bits_stored,
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


def codestream_is_lossy(frame: EncodedFrame) -> bool:
    """Say whether a frame lost something when it was encoded: in syntaxes that allow both, as its codestream says."""
    uid, encoded = frame.transfer_syntax_uid, frame.encoded
    if uid in _JPEG_LS_EITHER:
        scan = encoded.find(b"\xff\xda")
        components = encoded[scan + 4] if 0 <= scan < len(encoded) - 5 else 0
        near = scan + 5 + 2 * components
        return near < len(encoded) and encoded[near] > 0
    if uid in _JPEG_2000_EITHER:
        style = encoded.find(b"\xff\x52\x00", 0, 4096)
        return 0 <= style < len(encoded) - 13 and encoded[style + 13] == 0
    return transfer_syntax(uid).lossy


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
