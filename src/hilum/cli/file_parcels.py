"""Send files at once, past the queue: each becomes a parcel for the courier of its peer."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from hilum.app import courier_for, worker_pool
from hilum.cli.file_import import walk
from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import Blob, Header, Instance, Retrieved
from hilum.core.kernel.errors import HilumError, Invalid
from hilum.core.routing.model import InstanceParcel, Receipt, Verdict
from hilum.core.routing.ports import Courier
from hilum.couriers.mllp import MllpCourier
from hilum.settings import Settings
from hilum.wire.dicom.archive_header import indexed_header
from hilum.wire.dicom.header import read_header
from hilum.wire.hl7v2.message import Message

_LONGEST_MESSAGE = 16 << 20


def receipts(root: Path, peer: Peer, settings: Settings) -> Iterator[tuple[Path, Receipt]]:
    """Send every file at or below a path, and yield what the peer answered to each."""
    courier = courier_for(settings, peer, worker_pool(settings))
    try:
        for path, status in walk(root):
            if isinstance(status, OSError):
                yield path, Receipt(Verdict.REJECTED, "hilum", f"not readable: {status.strerror}")
                continue
            try:
                yield path, _sent(path, courier, peer)
            except HilumError as error:
                yield path, Receipt(Verdict.REJECTED, "hilum", error.what)
            except OSError as error:
                yield path, Receipt(Verdict.REJECTED, "hilum", f"not readable: {error.strerror}")
    finally:
        courier.close()


def _sent(path: Path, courier: Courier, peer: Peer) -> Receipt:
    match peer.kind:
        case PeerKind.MLLP:
            return _message_sent(path, courier)
        case _:
            return courier.send(_parcel(path))


def _message_sent(path: Path, courier: Courier) -> Receipt:
    """Send the bytes of an HL7 message as they are."""
    with path.open("rb") as file:
        content = file.read(_LONGEST_MESSAGE + 1)
    if len(content) > _LONGEST_MESSAGE:
        raise Invalid(f"longer than {_LONGEST_MESSAGE} octets: no HL7 message")
    message = Message(content)
    if not isinstance(courier, MllpCourier):
        raise Invalid("this peer takes no HL7 messages")
    return courier.send_message(content, message["MSH-10"])


def _parcel(path: Path) -> InstanceParcel:
    with path.open("rb") as file:
        header = indexed_header(read_header(file))

    def opened(_digest: str) -> BinaryIO:
        return path.open("rb")

    retrieved = Retrieved(
        instance=_instance(header, path.stat().st_size),
        series_instance_uid=header.series_instance_uid,
        study_instance_uid=header.study_instance_uid,
        patient=None,
    )
    return InstanceParcel(retrieved, opened)


def _instance(header: Header, size: int) -> Instance:
    """Return the instance of a file that is not kept here: it has no row and no digest."""
    shared = {one.name for one in fields(Instance)} & {one.name for one in fields(Header)}
    said = {name: getattr(header, name) for name in shared}
    return Instance(key=0, blob=Blob("", size), source="", stored=datetime.now(UTC), **said)
