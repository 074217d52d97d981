"""One frame's pixels to a codestream: the codec of each transfer syntax, lossless unless its syntax cannot be (PS3.5 8.2)."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np
import numpy.typing as npt
import rle.utils

from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.decoding import CODEC_ERRORS, DecodedFrame
from hilum.wire.dicom.transfer_syntaxes import DEFLATED_IMAGE_FRAME, ENCAPSULATED_UNCOMPRESSED, RLE_LOSSLESS

DEFAULT_QUALITY = 90
"""Of lossy JPEG, from 1 to 100."""
_SIZ_PRECISIONS = 42
"""Where a codestream without box says the precision of its first component (ISO/IEC 15444-1 A.5.1)."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Codestream:
    """A frame as encoded, and what its data set has to say of it now."""

    encoded: bytes
    photometric_interpretation: str
    bits_allocated: int
    bits_stored: int


@dataclass(frozen=True, slots=True)
class _Codec:
    """How a syntax is written, and which pixels it can hold (PS3.5 Tables 8.2.1-1 to 8.2.16-1)."""

    encode: Callable[[DecodedFrame, int], bytes]
    most_bits: int = 16
    holds_signed: bool = True
    lossy: bool = False
    holds_ybr: bool = True
    of_rgb: str = "RGB"
    """The photometric interpretation of RGB, once encoded."""


def is_encodable(transfer_syntax_uid: str) -> bool:
    """Say whether frames can be written in a transfer syntax."""
    return transfer_syntax_uid in _CODECS


def is_encoded_with_loss(transfer_syntax_uid: str) -> bool:
    """Say whether frames can be written in a transfer syntax with loss only; those of the other syntaxes are exact."""
    return _CODECS[transfer_syntax_uid].lossy


def encode_frame(frame: DecodedFrame, transfer_syntax_uid: str, quality: int = DEFAULT_QUALITY) -> Codestream:
    """Encode one frame; Invalid for pixels that the syntax cannot hold. `quality` is for lossy syntaxes."""
    codec, pixels = _CODECS[transfer_syntax_uid], frame.pixels
    _check(codec, frame)
    try:
        encoded = codec.encode(frame, quality)
    except CODEC_ERRORS as error:
        raise Invalid("the frame cannot be encoded", peer_said=str(error)[:300]) from error
    photometric = frame.photometric_interpretation
    bits_allocated, bits_stored = pixels.dtype.itemsize * 8, frame.bits_stored
    if codec.lossy:
        bits_allocated, bits_stored = (8, 8) if bits_stored <= 8 else (16, 12)
    return Codestream(
        encoded, codec.of_rgb if photometric == "RGB" else photometric, bits_allocated, bits_stored
    )


def _check(codec: _Codec, frame: DecodedFrame) -> None:
    pixels, photometric = frame.pixels, frame.photometric_interpretation
    if pixels.dtype.kind not in "iu" or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise Invalid("only integer pixels of one or three samples can be encoded")
    if frame.bits_stored > codec.most_bits:
        raise Invalid(
            f"the transfer syntax holds up to {codec.most_bits} bits, a pixel has {frame.bits_stored}"
        )
    if pixels.dtype.kind == "i" and not codec.holds_signed:
        raise Invalid("the transfer syntax holds unsigned pixels only")
    if not codec.holds_ybr and photometric.startswith("YBR"):
        raise Invalid(f"the transfer syntax does not hold pixels in {photometric}")
    if codec.lossy and photometric not in {"MONOCHROME1", "MONOCHROME2", "RGB"}:
        raise Invalid(f"pixels in {photometric} cannot be encoded with loss")


def _stored(frame: DecodedFrame) -> Array:
    """Return the values in the smallest words, as the codecs want them."""
    size = 1 if frame.bits_stored <= 8 else 2 if frame.bits_stored <= 16 else 4
    return np.ascontiguousarray(frame.pixels, f"<{frame.pixels.dtype.kind}{size}")


def _is_rgb(frame: DecodedFrame) -> bool:
    return frame.photometric_interpretation == "RGB"


def _rle(frame: DecodedFrame, _quality: int) -> bytes:
    """PS3.5 Annex G; whole words, bits that are not stored among them."""
    pixels = np.ascontiguousarray(frame.pixels, frame.pixels.dtype.newbyteorder("<"))
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    if samples * pixels.dtype.itemsize > 15:
        raise Invalid("RLE has room for 15 segments")
    return rle.utils.encode_pixel_data(
        pixels.tobytes(),
        byteorder="<",
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=samples,
        bits_allocated=pixels.dtype.itemsize * 8,
    )


def _jpeg_ls(frame: DecodedFrame, _quality: int) -> bytes:
    """ISO/IEC 14495-1; it knows no sign, so that signed values go as their words, in all bits (PS3.5 8.2.3).

    pyjpegls knows precisions between, but makes no room for pixels that grow; those in all bits are the ones that can.
    """
    pixels, bits = _as_unsigned(_stored(frame), max(2, frame.bits_stored))
    if bits == pixels.dtype.itemsize * 8:
        return bytes(imagecodecs.jpegls_encode(pixels, out=2 * pixels.nbytes + 4096))
    return bytes(
        jpeg_ls.encode_pixel_data(
            pixels.tobytes(),
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            samples_per_pixel=pixels.shape[2] if pixels.ndim == 3 else 1,
            bits_stored=bits,
            planar_configuration=0,
        )
    )


def _as_unsigned(pixels: Array, bits: int) -> tuple[Array, int]:
    """Return signed values as their words, and the precision that keeps their sign."""
    if pixels.dtype.kind == "u":
        return pixels, bits
    return pixels.view(f"u{pixels.dtype.itemsize}"), pixels.dtype.itemsize * 8


def _jpeg_2000(frame: DecodedFrame, _quality: int) -> bytes:
    """ISO/IEC 15444-1, reversible: 5-3 wavelets, and RGB by the reversible component transformation."""
    pixels = _stored(frame)
    return bytes(
        imagecodecs.jpeg2k_encode(
            pixels,
            level=0,
            codecformat="j2k",
            bitspersample=frame.bits_stored,
            reversible=True,
            mct=_is_rgb(frame),
            resolutions=min(6, min(pixels.shape[:2]).bit_length()),
        )
    )


def _htj2k(frame: DecodedFrame, _quality: int, *, by_resolution: bool = False) -> bytes:
    """ISO/IEC 15444-15, reversible.

    OpenJPH takes words of 8 or 16 bits. Others are handed over signed, around zero, and get their precision in the
    SIZ segment afterwards: the level shift of unsigned components (15444-1 G.1) takes them back.
    """
    pixels, bits = _stored(frame), frame.bits_stored
    signed, whole = pixels.dtype.kind == "i", pixels.dtype.itemsize * 8
    if bits < whole and not signed:
        pixels = (pixels.astype(np.int32) - (1 << (bits - 1))).astype(f"i{whole // 8}")
    parts = imagecodecs.HTJ2K.TILEPART.RESOLUTIONS if by_resolution else None
    encoded = bytearray(
        imagecodecs.htj2k_encode(
            pixels, reversible=True, rgb=_is_rgb(frame), tlm=by_resolution, tilepart=parts
        )
    )
    for component in range(pixels.shape[2] if pixels.ndim == 3 else 1):
        encoded[_SIZ_PRECISIONS + 3 * component] = (bits - 1) | (0x80 if signed else 0)
    return bytes(encoded)


def _htj2k_rpcl(frame: DecodedFrame, quality: int) -> bytes:
    """With resolutions first, each in a tile-part, and a table of their lengths (PS3.5 8.2.14)."""
    return _htj2k(frame, quality, by_resolution=True)


def _jpeg_lossless(frame: DecodedFrame, _quality: int) -> bytes:
    """ISO/IEC 10918-1 process 14, selection value 1; signed values go as their words, in all bits."""
    pixels, bits = _as_unsigned(_stored(frame), max(2, frame.bits_stored))
    space = "rgb" if _is_rgb(frame) else "unknown"  # of the codestream; nothing is changed into it
    color: dict[str, Any] = {"colorspace": space, "outcolorspace": space, "subsampling": "444"}
    return bytes(
        imagecodecs.jpeg8_encode(
            pixels, lossless=True, predictor=1, bitspersample=bits, **(color if pixels.ndim == 3 else {})
        )
    )


def _jpeg(frame: DecodedFrame, quality: int) -> bytes:
    """ISO/IEC 10918-1 process 1, and process 4 for more than 8 bits; colour as YCbCr, its chrominance halved."""
    pixels = _stored(frame)
    bits = 8 if frame.bits_stored <= 8 else 12
    color: dict[str, Any] = {"colorspace": "rgb", "outcolorspace": "ycbcr", "subsampling": "422"}
    return bytes(
        imagecodecs.jpeg8_encode(
            pixels, level=quality, bitspersample=bits, **(color if pixels.ndim == 3 else {})
        )
    )


def _jpeg_xl(frame: DecodedFrame, _quality: int) -> bytes:
    """ISO/IEC 18181-1, modular and lossless."""
    return bytes(
        imagecodecs.jpegxl_encode(
            _stored(frame), lossless=True, bitspersample=frame.bits_stored, usecontainer=False, numthreads=1
        )
    )


def _native(frame: DecodedFrame, _quality: int) -> bytes:
    return np.ascontiguousarray(frame.pixels, frame.pixels.dtype.newbyteorder("<")).tobytes()


def _deflated(frame: DecodedFrame, quality: int) -> bytes:
    return deflated(_native(frame, quality))


def deflated(native: bytes | memoryview) -> bytes:
    """RFC 1951, without head (PS3.5 A.4.13)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(native) + deflater.flush()


_J2K = _Codec(_jpeg_2000, of_rgb="YBR_RCT")
_CODECS: Mapping[str, _Codec] = MappingProxyType(
    {
        "1.2.840.10008.1.2.4.50": _Codec(_jpeg, 8, holds_signed=False, lossy=True, of_rgb="YBR_FULL_422"),
        "1.2.840.10008.1.2.4.51": _Codec(_jpeg, 12, holds_signed=False, lossy=True, of_rgb="YBR_FULL_422"),
        "1.2.840.10008.1.2.4.57": _Codec(_jpeg_lossless),
        "1.2.840.10008.1.2.4.70": _Codec(_jpeg_lossless),
        "1.2.840.10008.1.2.4.80": _Codec(_jpeg_ls),
        "1.2.840.10008.1.2.4.81": _Codec(_jpeg_ls),
        "1.2.840.10008.1.2.4.90": _J2K,
        "1.2.840.10008.1.2.4.91": _J2K,
        "1.2.840.10008.1.2.4.110": _Codec(_jpeg_xl, holds_signed=False, holds_ybr=False),
        "1.2.840.10008.1.2.4.112": _Codec(_jpeg_xl, holds_signed=False, holds_ybr=False),
        "1.2.840.10008.1.2.4.201": _Codec(_htj2k, of_rgb="YBR_RCT"),
        "1.2.840.10008.1.2.4.202": _Codec(_htj2k_rpcl, of_rgb="YBR_RCT"),
        "1.2.840.10008.1.2.4.203": _Codec(_htj2k, of_rgb="YBR_RCT"),
        RLE_LOSSLESS: _Codec(_rle, 64),
        ENCAPSULATED_UNCOMPRESSED: _Codec(_native, 64),
        DEFLATED_IMAGE_FRAME: _Codec(_deflated, 64),
    }
)
ENCODABLE = tuple(sorted(_CODECS, key=lambda uid: _CODECS[uid].lossy))
"""The transfer syntaxes in which frames can be written, those without loss first."""
