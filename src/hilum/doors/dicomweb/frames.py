"""WADO-RS frames: pixels as stored or decoded, one part a frame (PS3.18 10.4.1.1.4, 8.7.3.3)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.doors._http.problems import NotAcceptable
from hilum.doors.dicomweb.acceptance import Offer, Range, accepted_ranges, demand
from hilum.doors.dicomweb.frame_places import FramePlaces
from hilum.doors.dicomweb.multipart_answer import Part, multipart_answer
from hilum.doors.dicomweb.paths import frame_numbers, instance_url, retrieved
from hilum.doors.dicomweb.tagged import Version, not_modified, version_of
from hilum.wire.dicom.decoding import is_decodable
from hilum.wire.dicom.frame_work import FrameWorker, native_frame
from hilum.wire.dicom.pixels import Pixels, open_pixels, pixels_by_table
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, OCTET_STREAM


class Frames:
    """Cuts frames out of stored objects; one frame is in memory at a time."""

    def __init__(self, hub: Hub, worker: FrameWorker) -> None:
        self._hub = hub
        self._worker = worker
        self._places = FramePlaces(hub)

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `GET .../instances/{instance}/frames/{frames}`."""
        numbers = frame_numbers(request)
        ranges = accepted_ranges(request)
        (one,) = retrieved(request, self._hub, caller)
        return self.of(request, one, numbers, ranges)

    def of(
        self, request: Request, one: Retrieved, numbers: tuple[int, ...], ranges: Sequence[Range]
    ) -> Response:
        """Answer frames of an instance."""
        version = version_of(request, [one])
        known = not_modified(request, version)
        if known is not None:
            return known
        file = self._hub.open_blob(one.instance.blob.digest)
        try:
            return self._opened(request, one, file, numbers, ranges, version)
        except BaseException:
            file.close()
            raise

    def _opened(
        self,
        request: Request,
        one: Retrieved,
        file: BinaryIO,
        numbers: tuple[int, ...],
        ranges: Sequence[Range],
        version: Version,
    ) -> Response:
        pixels = self._pixels(one, file)
        absent = [number for number in numbers if number > pixels.image.number_of_frames]
        if absent:
            raise NotFound(f"there is no frame {absent[0]}: the object has {pixels.image.number_of_frames}")
        url = f"{instance_url(request, one)}/frames"
        if len(numbers) == 1:
            offer = demand(ranges, _offers(pixels, alone=True))
            if not offer.multipart:
                frame = _frame(pixels, numbers[0], offer, self._worker)
                file.close()
                said = {
                    "Content-Type": _content_type(pixels, offer),
                    "Content-Location": f"{url}/{numbers[0]}",
                }
                return Response(frame, headers={**version.headers, **said})
        media_type, parts = frame_parts(file, pixels, numbers, ranges, url, self._worker)
        return multipart_answer(media_type, parts, version.headers, at_once=len(numbers) == 1)

    def _pixels(self, one: Retrieved, file: BinaryIO) -> Pixels:
        known = self._places.of(one, file)
        if known is None:
            return pixels_of(file)
        return pixels_by_table(file, known.transfer_syntax_uid, known.data_set_offset, known.table)


def frame_parts(
    file: BinaryIO,
    pixels: Pixels,
    numbers: tuple[int, ...] | None,
    ranges: Sequence[Range],
    url: str,
    worker: FrameWorker,
) -> tuple[str, Iterator[Part]]:
    """Return the media type of frames, all where none is named, and each as a part; their end closes the file."""
    offer = demand(ranges, _offers(pixels, alone=False))
    numbers = numbers or tuple(range(1, pixels.image.number_of_frames + 1))
    places = ((number, f"{url}/{number}") for number in numbers)
    parts = _parts(file, pixels, places, offer, worker)
    return _label(pixels, offer), parts


def pixels_of(file: BinaryIO) -> Pixels:
    """Describe the pixels of an object; raises NotAcceptable where it is no image."""
    try:
        return open_pixels(file)
    except Invalid as error:
        raise NotAcceptable(
            error.what, next_step="retrieve the instance, its metadata or its bulk data"
        ) from error


def _offers(pixels: Pixels, *, alone: bool) -> list[Offer]:
    """Return the forms of a frame, in order of preference where a range admits several (PS3.18 Table 8.7.3-5).

    `transfer-syntax=*` gives what is stored, whatever media type it is asked as; nothing said about either gives
    native pixels, where there is a codec.
    """
    return [
        offer for multipart in (True, False)[: 1 + alone] for offer in _forms(pixels, multipart=multipart)
    ]


def _forms(pixels: Pixels, *, multipart: bool) -> list[Offer]:
    stored, native = pixels.transfer_syntax.uid, Offer(OCTET_STREAM, EXPLICIT_VR_LITTLE_ENDIAN, multipart)
    if not pixels.is_encapsulated:
        return [native]
    offers = [Offer(OCTET_STREAM, stored, multipart, unasked=False)]
    if is_decodable(stored):
        offers.append(native)
    if pixels.frame_media_type != OCTET_STREAM:
        offers.append(Offer(pixels.frame_media_type, stored, multipart))
        if pixels.frame_media_type in _OLD_NAMES:
            offers.append(Offer(_OLD_NAMES[pixels.frame_media_type], stored, multipart))
    return offers


_OLD_NAMES = {"image/jls": "image/x-jls", "image/dicom-rle": "image/x-dicom-rle"}
"""Names before PS3.18-2017, still asked for."""


def _content_type(pixels: Pixels, offer: Offer) -> str:
    return f"{_label(pixels, offer)}; transfer-syntax={offer.transfer_syntax_uid}"


def _label(pixels: Pixels, offer: Offer) -> str:
    """Name stored frames by their codec even where any octets were asked for: viewers choose the decoder by it."""
    as_stored = pixels.is_encapsulated and offer.transfer_syntax_uid == pixels.transfer_syntax.uid
    return pixels.frame_media_type if as_stored and offer.media_type == OCTET_STREAM else offer.media_type


def _frame(pixels: Pixels, number: int, offer: Offer, worker: FrameWorker) -> bytes:
    as_stored = offer.transfer_syntax_uid == pixels.transfer_syntax.uid
    try:
        return pixels.frame(number) if as_stored else native_frame(pixels, number, worker)
    except Invalid as error:
        raise NotAcceptable(
            error.what, peer_said=error.peer_said, next_step="accept transfer-syntax=*, which is as stored"
        ) from error


def _parts(
    file: BinaryIO, pixels: Pixels, places: Iterable[tuple[int, str]], offer: Offer, worker: FrameWorker
) -> Iterator[Part]:
    content_type = _content_type(pixels, offer)
    with file:
        for number, url in places:
            yield Part(content_type, url, (_frame(pixels, number, offer, worker),))
