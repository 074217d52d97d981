"""Store requests of metadata and bulk data: parts in any order go to one spool, then object after object is made."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hilum.core.hub import Hub
from hilum.core.kernel.errors import Invalid
from hilum.doors._http.negotiation import MediaType, parse_media_type
from hilum.doors.dicomweb.data_set_answers import DICOM_JSON, DICOM_XML
from hilum.doors.dicomweb.receiving import CANNOT_UNDERSTAND, Receiver
from hilum.wire.dicom.assembled import PIXEL_DATA, Bulk, data_sets_of_json, part10_chunks, uids_of
from hilum.wire.dicom.json_model import JsonDataSet
from hilum.wire.dicom.xml_model import MOST_OCTETS, data_set_of_xml

METADATA = frozenset({DICOM_JSON, DICOM_XML, "application/json"})
_MOST_VALUE = 64 << 20
"""Octets of the bulk values of one instance that are no pixels: they are held in memory while it is encoded."""
_MOST_PARTS = 1_000_000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Held:
    """A part in the spool."""

    media_type: MediaType
    start: int
    length: int


class Assembly:
    """Takes the parts of one request; memory holds one piece, at the end one metadata part and one of its data sets."""

    def __init__(self, hub: Hub, receiver: Receiver) -> None:
        self._receiver = receiver
        self._spool = hub.spool()
        self._metadata: list[_Held] = []
        self._bulk: dict[str, list[_Held]] = {}
        self._head: Mapping[str, str] = {}
        self._start = 0
        self._parts = 0

    def begin(self, headers: Mapping[str, str]) -> None:
        """Begin a part."""
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise Invalid(f"the request has more than {_MOST_PARTS} parts", next_step="send it in several")
        self._head, self._start = headers, self._spool.size

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the part."""
        self._spool.write(chunk)

    def end(self) -> None:
        """Note where the part is."""
        said = parse_media_type(self._head.get("content-type", "application/octet-stream"))
        held = _Held(said, self._start, self._spool.size - self._start)
        if said.essence in METADATA:
            self._metadata.append(held)
        else:
            self._bulk.setdefault(_location(self._head), []).append(held)

    def finish(self) -> None:
        """Make every instance that the metadata describes, and let it be stored."""
        if not self._metadata:
            raise Invalid("the body holds no metadata", next_step="send a part of application/dicom+json")
        for held in self._metadata:
            for data_set in self._data_sets(held):
                self._store(data_set)

    def discard(self) -> None:
        """Forget everything that was held."""
        self._spool.discard()

    def _data_sets(self, held: _Held) -> Iterator[JsonDataSet]:
        if held.length > MOST_OCTETS:
            raise Invalid(
                f"a metadata part is longer than {MOST_OCTETS} octets", next_step="send less at once"
            )
        document = b"".join(self._chunks(held)(0, held.length))
        if held.media_type.essence == DICOM_XML:
            yield data_set_of_xml(document)
            return
        try:
            text = document.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Invalid("the DICOM JSON is not in UTF-8 (RFC 8259 8.1)") from error
        yield from data_sets_of_json(text)

    def _store(self, data_set: JsonDataSet) -> None:
        self._receiver.begin({})
        try:
            pixels = [self._offered(held) for held in self._pixels(data_set)]
            for chunk in part10_chunks(data_set, pixels, _Values(self._value).read):
                self._receiver.write(chunk)
        except Invalid as error:
            self._receiver.fail(CANNOT_UNDERSTAND, error.what, uids_of(data_set))
        self._receiver.end()

    def _pixels(self, data_set: JsonDataSet) -> list[_Held]:
        """Return the parts of the pixel data: under its URI, or each frame below that."""
        attribute: Any = data_set.get(PIXEL_DATA) if isinstance(data_set, dict) else None
        uri = attribute.get("BulkDataURI") if isinstance(attribute, dict) else None
        if not isinstance(uri, str):
            return []
        if uri in self._bulk:
            return self._bulk[uri]
        frames: list[_Held] = []
        for below in (f"{uri}/", f"{uri}/frames/"):
            while f"{below}{len(frames) + 1}" in self._bulk:
                frames += self._bulk[f"{below}{len(frames) + 1}"]
        if not frames:
            raise Invalid("the pixel data is not among the parts", next_step="name each by Content-Location")
        return frames

    def _value(self, uri: str) -> bytes:
        held = self._bulk.get(uri)
        if held is None:
            raise Invalid("a bulk value is not among the parts", next_step="name each by Content-Location")
        if sum(one.length for one in held) > _MOST_VALUE:
            raise Invalid(f"a bulk value that is no pixel data is longer than {_MOST_VALUE} octets")
        return b"".join(chunk for one in held for chunk in self._chunks(one)(0, one.length))

    def _offered(self, held: _Held) -> Bulk:
        transfer_syntax_uid = held.media_type.parameters.get("transfer-syntax", "")
        return Bulk(held.media_type.essence, transfer_syntax_uid, held.length, self._chunks(held))

    def _chunks(self, held: _Held) -> Callable[[int, int], Iterator[bytes]]:
        def chunks(start: int, end: int) -> Iterator[bytes]:
            for place in range(start, end, _CHUNK):
                yield self._spool.read_at(held.start + place, min(_CHUNK, end - place))

        return chunks


class _Values:
    """Hands out the bulk values of one instance, so many octets in all."""

    def __init__(self, value: Callable[[str], bytes]) -> None:
        self._value = value
        self._left = _MOST_VALUE

    def read(self, uri: str) -> bytes:
        """Return one value; raises Invalid."""
        value = self._value(uri)
        self._left -= len(value)
        if self._left < 0:
            raise Invalid(f"the bulk values of an instance are longer than {_MOST_VALUE} octets together")
        return value + bytes(len(value) % 2)


def _location(headers: Mapping[str, str]) -> str:
    location = headers.get("content-location", "").strip()
    if not location:
        raise Invalid("a bulk data part has no Content-Location (PS3.18 10.5.1.4)")
    return location
