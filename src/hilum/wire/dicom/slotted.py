"""Compressed text with places left open: filled in for each reader without compressing anything anew.

A series' metadata is the same for everybody but for the address of this service, as its reader knows it, in every
BulkDataURI. The text is deflated once. Each open place is a block of its own in the deflate stream (RFC 1951 3.2.3) of
a fixed number of octets, so that back-references across it stay right; to fill it in is to exchange that block. The
CRC-32 that gzip (RFC 1952) ends with is linear: what all places add to it is one product, prepared when the text was
deflated.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from struct import pack

from hilum.core.kernel.errors import Invalid

SLOT = 160
"""Octets of an open place: JSON lets a shorter filling be preceded by spaces."""

OPEN = bytes(0x80 | octet for octet in hashlib.shake_256(b"an open place").digest(SLOT))
"""What stands in an open place. JSON in ASCII holds none of its octets, so nothing refers back into one."""

_OPEN_BLOCK = pack("<BHH", 0, SLOT, SLOT ^ 0xFFFF) + OPEN
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""The polynomial 1 in the reflected order of CRC-32: x to the power n stands at bit 31 - n."""


@dataclass(frozen=True, slots=True)
class Slotted:
    """Deflated text, its CRC-32 and length with the places open, and the sum of x^8n over the n octets after each place."""

    deflated: bytes
    crc: int
    size: int
    places: int

    def filled(self, filling: bytes) -> "Slotted":
        """Return the text with every place filled in."""
        block = _deflated(filling)
        change = zlib.crc32(_differing(filling)) ^ zlib.crc32(bytes(SLOT))
        crc = self.crc ^ _times(change, self.places)
        return Slotted(self.deflated.replace(_OPEN_BLOCK, block), crc, self.size, 0)

    def text(self) -> bytes:
        """Return the text; raises Invalid when it is damaged."""
        try:
            text = zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.deflated, self.size + 1)
        except zlib.error as error:
            raise Invalid("a kept text is damaged", peer_said=str(error)) from error
        if len(text) != self.size:
            raise Invalid("a kept text is damaged")
        return text


def filling_of(text: str) -> bytes | None:
    """Return what fills a place with a text that may follow spaces; None where it is too long or no ASCII."""
    if len(text) > SLOT or not text.isascii():
        return None
    return text.rjust(SLOT).encode("ascii")


def slotted(segments: list[bytes]) -> Slotted:
    """Deflate ASCII segments with an open place between each two."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces: list[bytes] = []
    crc, size, places = 0, 0, 0
    for number, segment in enumerate(segments):
        if number:
            compressor.compress(
                OPEN
            )  # the encoder must know that it is there, but its way to write it is not ours
            compressor.flush(zlib.Z_SYNC_FLUSH)
            pieces.append(_OPEN_BLOCK)
            crc, size = zlib.crc32(OPEN, crc), size + SLOT
            places = _times(places, _shift(SLOT)) ^ _ONE
        pieces += [compressor.compress(segment), compressor.flush(zlib.Z_SYNC_FLUSH)]
        crc, size = zlib.crc32(segment, crc), size + len(segment)
        places = _times(places, _shift(len(segment)))
    return Slotted(b"".join(pieces), crc, size, places)


def gzipped(parts: Iterable[bytes | Slotted]) -> Iterator[bytes]:
    """Yield texts and filled texts, one after the other, as one gzip stream in pieces."""
    crc, size = 0, 0
    yield _GZIP_HEADER
    for part in parts:
        if isinstance(part, Slotted):
            yield part.deflated
            crc, size = _times(_shift(part.size), crc) ^ part.crc, size + part.size
        else:
            yield _deflated(part)
            crc, size = zlib.crc32(part, crc), size + len(part)
    yield _LAST_BLOCK + pack("<II", crc, size & 0xFFFFFFFF)


def _deflated(text: bytes) -> bytes:
    """Return a text as blocks that end at an octet and refer to nothing before them."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)


def _differing(filling: bytes) -> bytes:
    return (int.from_bytes(filling) ^ int.from_bytes(OPEN)).to_bytes(SLOT)


def _times(first: int, second: int) -> int:
    """Multiply two polynomials modulo that of CRC-32."""
    product, bit = 0, _ONE
    while bit and first:
        if first & bit:
            product ^= second
            first ^= bit
        bit >>= 1
        second = second >> 1 ^ (_POLYNOMIAL if second & 1 else 0)
    return product


@lru_cache(maxsize=4096)
def _shift(octets: int) -> int:
    """Return x to the power of the bits of so many octets: what stands before them is multiplied by it."""
    power, square, bits = _ONE, 1 << 30, 8 * octets
    while bits:
        if bits & 1:
            power = _times(square, power)
        square, bits = _times(square, square), bits >> 1
    return power
