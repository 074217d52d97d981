"""One stored object on its way out: as it was received, or showing another person, or in another encoding."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.errors import Invalid
from hilum.doors._http.problems import NotAcceptable
from hilum.doors.dicomweb.acceptance import Offer
from hilum.wire.dicom.coercion import coerced
from hilum.wire.dicom.frame_work import FrameWorker
from hilum.wire.dicom.transcoding import ON_DEMAND, can_be_transcoded, transcoded
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

DICOM = "application/dicom"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The bytes of one Part 10 object and their transfer syntax; `size` is None where only sending tells."""

    transfer_syntax_uid: str
    size: int | None
    chunks: Iterator[bytes]


def dicom_offers(one: Retrieved, *, multipart: bool) -> list[Offer]:
    """Return the forms of an object: as stored, in Explicit VR Little Endian, and in what may be asked for by name.

    PS3.18 8.7.3.5.2: without a `transfer-syntax` that is Explicit VR Little Endian. What we cannot decode goes out as
    stored then: the client made no demand, and would get nothing.
    """
    stored = one.instance.transfer_syntax_uid
    can = can_be_transcoded(stored, EXPLICIT_VR_LITTLE_ENDIAN)
    offers = [Offer(DICOM, stored, multipart, unasked=not can or stored == EXPLICIT_VR_LITTLE_ENDIAN)]
    if can and stored != EXPLICIT_VR_LITTLE_ENDIAN:
        offers.append(Offer(DICOM, EXPLICIT_VR_LITTLE_ENDIAN, multipart))
    if can:
        offers += [Offer(DICOM, uid, multipart, unasked=False) for uid in ON_DEMAND if uid != stored]
    return offers


def outgoing(
    hub: Hub, worker: FrameWorker, one: Retrieved, transfer_syntax_uid: str, *, demanded: bool
) -> Outgoing:
    """Open an object in a transfer syntax: its own, or another that it can be written in. Its end closes the file.

    Pixels that turn out to be broken go out as stored, unless the other encoding was demanded by name.
    """
    file = hub.open_blob(one.instance.blob.digest)
    try:
        out = _in_syntax(file, worker, one, transfer_syntax_uid, demanded=demanded)
    except BaseException:
        file.close()
        raise
    return replace(out, chunks=_until_closed(file, out.chunks))


def _in_syntax(
    file: BinaryIO, worker: FrameWorker, one: Retrieved, transfer_syntax_uid: str, *, demanded: bool
) -> Outgoing:
    stored = _as_stored(file, one)
    if transfer_syntax_uid == stored.transfer_syntax_uid:
        return stored
    try:
        # Coercing goes by byte ranges of what is stored: a merged and compressed object is held whole, once.
        shown = BytesIO(b"".join(stored.chunks)) if one.patient else file
        chunks = transcoded(shown, transfer_syntax_uid, worker)
    except Invalid as error:
        if not demanded:
            return _as_stored(file, one)
        raise NotAcceptable(
            error.what, peer_said=error.peer_said, next_step="accept transfer-syntax=*, which is as stored"
        ) from error
    return Outgoing(transfer_syntax_uid, None, chunks)


def _until_closed(file: BinaryIO, chunks: Iterator[bytes]) -> Iterator[bytes]:
    with file:
        yield from chunks


def _as_stored(file: BinaryIO, one: Retrieved) -> Outgoing:
    """Where nobody else is to be shown, the bytes pass untouched."""
    uid = one.instance.transfer_syntax_uid
    if one.patient is None:
        return Outgoing(uid, one.instance.blob.size, _chunks(file))
    shown = coerced(file, one.patient, one.instance.source)
    return Outgoing(uid, shown.size, shown.chunks())


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk
