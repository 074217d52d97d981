"""STOW-RS out: stored instances to one DICOMweb peer, judged instance by instance (PS3.18 10.5)."""

import json
import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx

from hilum.core.access.model import Peer
from hilum.core.archive.model import Retrieved
from hilum.core.kernel.errors import Invalid
from hilum.core.routing.model import InstanceParcel, Parcel, Receipt, Verdict
from hilum.wire.dicom.coercion import coerced

_CHUNK = 1 << 20
_MOST_ANSWER_OCTETS = 1 << 20
_LONGEST_TEXT = 500
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_PROCESSING_FAILURE = 0x0110
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_FAILED, _STORED = "00081198", "00081199"
_REFERENCED_INSTANCE, _FAILURE_REASON, _ERROR_COMMENT = "00081155", "00081197", "00000902"


@dataclass(slots=True)
class DicomWebCourier:
    """Sends one instance a request, on a connection that is kept between them."""

    peer: Peer
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    """How long the peer may be silent; how long the sending takes is not limited by it."""
    _client: httpx.Client | None = field(default=None, repr=False)

    def send(self, parcel: Parcel) -> Receipt:
        """Store an instance at the peer and return its own code and words."""
        if not isinstance(parcel, InstanceParcel):
            return Receipt(Verdict.REJECTED, "hilum", "only instances go to a DICOMweb peer")
        try:
            url = f"{_base_url(self.peer)}/studies"
        except Invalid as error:
            return Receipt(Verdict.REJECTED, "hilum", str(error))
        try:
            return self._stored(url, parcel)
        except httpx.HTTPError as error:
            self.close()
            return _of_failure(error, self.peer)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _stored(self, url: str, parcel: InstanceParcel) -> Receipt:
        if self._client is None:
            self._client = _client(self.connect_seconds, self.answer_seconds)
        boundary = secrets.token_hex(16)
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        with parcel.open_blob(parcel.retrieved.instance.blob.digest) as file:
            chunks, size = _outgoing(file, parcel.retrieved)
            head, tail = _around(boundary, parcel.retrieved.instance.transfer_syntax_uid)
            if size is not None:
                headers["Content-Length"] = str(len(head) + size + len(tail))
            body = _body(head, chunks, tail)
            with self._client.stream("POST", url, content=body, headers=headers) as response:
                return _judged(response, parcel.retrieved.instance.sop_instance_uid)


def echo(peer: Peer, seconds: float = 10.0) -> Receipt:
    """Ask for one study: the smallest question that a DICOMweb service answers (PS3.18 10.6)."""
    try:
        url = f"{_base_url(peer)}/studies"
        with _client(seconds, seconds) as client:
            headers = {"Accept": "application/dicom+json"}
            with client.stream("GET", url, params={"limit": 1}, headers=headers) as response:
                return Receipt(_verdict(response.status_code), *_said(response))
    except Invalid as error:
        return Receipt(Verdict.REJECTED, "hilum", str(error))
    except httpx.HTTPError as error:
        return Receipt(Verdict.RETRY, "connection", _words(error, peer))


def _client(connect_seconds: float, answer_seconds: float) -> httpx.Client:
    """Go straight to the peer: which proxy images pass is not left to the environment."""
    return httpx.Client(
        timeout=httpx.Timeout(answer_seconds, connect=connect_seconds),
        verify=ssl.create_default_context(),
        trust_env=False,
    )


def _base_url(peer: Peer) -> str:
    parts = urlsplit(peer.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(
            f"the URL of peer '{peer.name}' is not http:// or https:// with a host",
            next_step=f"hilum peers add {peer.name} --dicomweb https://host/path",
        )
    return peer.url.rstrip("/")


def _outgoing(file: BinaryIO, retrieved: Retrieved) -> tuple[Iterator[bytes], int | None]:
    """Return the object as it goes out, and its size where it is known before."""
    if retrieved.patient is None:
        return iter(lambda: file.read(_CHUNK), b""), retrieved.instance.blob.size
    shown = coerced(file, retrieved.patient, retrieved.instance.source)
    return shown.chunks(), shown.size


def _around(boundary: str, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    content_type = f"application/dicom; transfer-syntax={transfer_syntax_uid}"
    head = f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n"
    return head.encode("ascii"), f"\r\n--{boundary}--\r\n".encode("ascii")


def _body(head: bytes, chunks: Iterator[bytes], tail: bytes) -> Iterator[bytes]:
    yield head
    yield from chunks
    yield tail


def _judged(response: httpx.Response, sop_instance_uid: str) -> Receipt:
    """Read what became of the instance: 200 all, 202 some, 409 none (PS3.18 Table 10.5.3-1)."""
    status = response.status_code
    code, text = _said(response)
    if status not in (200, 202, 409):
        return Receipt(_verdict(status), code, text)
    answer = _answer(response)
    failed = _item(answer, _FAILED, sop_instance_uid)
    if failed is not None:
        return _of_reason(failed)
    if status == HTTPStatus.OK or _item(answer, _STORED, sop_instance_uid) is not None:
        return Receipt(Verdict.ACCEPTED, code, text)
    verdict = Verdict.UNCERTAIN if status == HTTPStatus.ACCEPTED else Verdict.REJECTED
    return Receipt(verdict, code, f"{text}: the answer does not say what became of the instance")


def _of_reason(failed: dict[str, Any]) -> Receipt:
    """Judge a Failure Reason (0008,1197): want of resources passes, all else is the same next time."""
    reason = _first(failed, _FAILURE_REASON)
    number = reason if isinstance(reason, int) else 0
    passes = number == _PROCESSING_FAILURE or number in _OUT_OF_RESOURCES
    comment = _first(failed, _ERROR_COMMENT)
    text = str(comment)[:_LONGEST_TEXT] if comment else "the peer did not store the instance"
    return Receipt(Verdict.RETRY if passes else Verdict.REJECTED, f"{number:04X}", text)


def _answer(response: httpx.Response) -> dict[str, Any]:
    """Return the Store Instances Response; nothing where it is long, or not in DICOM JSON."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _MOST_ANSWER_OCTETS:
            return {}
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]  # seen in the field
    return answer if isinstance(answer, dict) else {}


def _item(answer: dict[str, Any], sequence: str, sop_instance_uid: str) -> dict[str, Any] | None:
    attribute = answer.get(sequence)
    items = attribute.get("Value") if isinstance(attribute, dict) else None
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and _first(item, _REFERENCED_INSTANCE) == sop_instance_uid:
            return item
    return None


def _first(item: dict[str, Any], tag: str) -> object:
    attribute = item.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _verdict(status: int) -> Verdict:
    if HTTPStatus(200) <= status < HTTPStatus(300):
        return Verdict.ACCEPTED
    return Verdict.RETRY if status in _PASSING_STATUSES else Verdict.REJECTED


def _said(response: httpx.Response) -> tuple[str, str]:
    return str(response.status_code), response.reason_phrase[:_LONGEST_TEXT]


def _of_failure(error: httpx.HTTPError, peer: Peer) -> Receipt:
    """Before the last octet left, the peer cannot have stored the instance; after it, nobody knows."""
    unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.WriteError, httpx.WriteTimeout)
    verdict = Verdict.RETRY if isinstance(error, unsent) else Verdict.UNCERTAIN
    return Receipt(verdict, "connection", _words(error, peer))


def _words(error: httpx.HTTPError, peer: Peer) -> str:
    host = urlsplit(peer.url).netloc.rpartition("@")[2]
    return f"{host}: {str(error) or type(error).__name__}"[:_LONGEST_TEXT]
