"""A message into P-DATA-TF PDUs (PS3.8 9.3.5, E): streamed, no PDU copied, each write worth its system call."""

from collections.abc import Iterator
from struct import Struct
from typing import Protocol

from hilum.wire.dicom.upper_layer.inbox import Octets
from hilum.wire.dicom.upper_layer.limits import DEFAULT_LIMITS, Limits
from hilum.wire.dicom.upper_layer.pdus import PDUType

_P_DATA_HEADER = Struct(">BxIIBB")
_PDV_OVERHEAD = 6
_COMMAND, _LAST = 1, 2
_BLOCK = 131_072
"""Octets read from a stream at once: a peer's short PDUs shall not make short reads."""


class Readable(Protocol):
    """A source of octets: a file, an object being read from a store."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` octets; none is the end."""


DataSet = Octets | Readable


def fragment(
    context_id: int, octets: DataSet, maximum_length: int, *, is_command: bool
) -> Iterator[tuple[bytes, Octets]]:
    """One command set or data set as P-DATA-TF PDUs: (header, payload) each, every payload but the last even."""
    size = (maximum_length - _PDV_OVERHEAD) & ~1
    pieces = _slices(memoryview(octets), size) if isinstance(octets, Octets) else _reads(octets, size)
    control = _COMMAND if is_command else 0
    for payload, is_last in pieces:
        length = len(payload)
        flags = control | _LAST if is_last else control
        yield _P_DATA_HEADER.pack(PDUType.P_DATA_TF, length + 6, length + 2, context_id, flags), payload


def fragment_message(
    context_id: int,
    command_set: bytes,
    data_set: DataSet | None,
    maximum_length: int,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[list[Octets]]:
    """A whole message as lists of buffers for `sendmsg` or `writev`, about one longest PDU of octets in each."""
    gathered: list[Octets] = []
    octets = 0
    for header, payload in _pdus(context_id, command_set, data_set, maximum_length):
        if gathered and octets + len(header) + len(payload) > limits.maximum_length_sent + 1024:
            yield gathered
            gathered, octets = [], 0
        gathered += (header, payload)
        octets += len(header) + len(payload)
    yield gathered


def _pdus(
    context_id: int, command_set: bytes, data_set: DataSet | None, maximum_length: int
) -> Iterator[tuple[bytes, Octets]]:
    """First the command, then the data set, never both in one PDU: some receivers cannot read that."""
    yield from fragment(context_id, command_set, maximum_length, is_command=True)
    if data_set is not None:
        yield from fragment(context_id, data_set, maximum_length, is_command=False)


def _slices(view: memoryview, size: int) -> Iterator[tuple[memoryview, bool]]:
    """Views of what is in memory; nothing at all is still one (empty) last fragment."""
    end = len(view)
    for offset in range(0, end or 1, size):
        yield view[offset : offset + size], offset + size >= end


def _reads(source: Readable, size: int) -> Iterator[tuple[Octets, bool]]:
    """Pieces of a stream, read several at once; a block is read ahead because the last piece must be marked."""
    block_size = size * max(1, _BLOCK // size)
    block = _read_whole(source, block_size)
    while len(block) == block_size:
        following = _read_whole(source, block_size)
        if not following:
            break
        yield from ((piece, False) for piece, _ in _slices(memoryview(block), size))
        block = following
    yield from _slices(memoryview(block), size)


def _read_whole(source: Readable, size: int) -> bytes:
    """Exactly `size` octets unless the source ends: raw streams may return fewer at a time."""
    piece = source.read(size)
    if len(piece) == size or not piece:
        return piece
    pieces, missing = [piece], size - len(piece)
    while missing and (piece := source.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
