"""The DIMSE courier against peers that take, refuse, decode little, restart or are gone."""

import io
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from hilum.core.access.model import Peer, PeerKind
from hilum.core.archive.model import (
    Blob,
    Commitment,
    CommitmentState,
    Instance,
    ReferencedInstance,
    Retrieved,
)
from hilum.core.kernel.errors import NotFound
from hilum.core.routing.model import CommitmentParcel, InstanceParcel, Verdict
from hilum.couriers.dimse import DimseCourier, echo
from hilum.transport.dicom import Timers
from hilum.wire.dicom.frame_work import work_on
from hilum.wire.dicom.part10 import read_file_meta

EXPLICIT, IMPLICIT, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.5"
CT, MR, SC, RT_PLAN = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "7", "481.5"))
VERIFICATION, PUSH = "1.2.840.10008.1.1", "1.2.840.10008.1.20.1"
THEN = datetime(2026, 1, 1, tzinfo=UTC)
QUICK = Timers(artim=1, acse=3, idle=3)

Statuses = Callable[[Any], int]


class Destination:
    """A pynetdicom SCP that can be stopped and started again on its port."""

    def __init__(self, syntaxes: list[str], answer: Statuses) -> None:
        self.got: list[Dataset] = []
        self.associations = 0
        self._answer = answer
        self._entity = AE("DEST")
        for sop_class in (CT, MR, SC, RT_PLAN):
            self._entity.add_supported_context(sop_class, syntaxes)
        self._entity.add_supported_context(VERIFICATION)
        self._entity.add_supported_context(PUSH, scu_role=False, scp_role=True)
        self.reports: list[Any] = []
        self.port = 0
        self.start()

    def start(self) -> None:
        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_EVENT_REPORT, self._report),
            (evt.EVT_ACCEPTED, self._count),
        ]
        self._server = self._entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]

    def stop(self) -> None:
        for association in self._server.active_associations:
            association.abort()
        self._server.shutdown()

    def _store(self, event: Any) -> int:
        status = self._answer(event)
        if status == 0:
            data_set = event.dataset
            data_set.file_meta = event.file_meta
            self.got.append(data_set)
        return status

    def _report(self, event: Any) -> tuple[int, None]:
        self.reports.append((event.event_type, event.event_information))
        return 0, None

    def _count(self, _event: Any) -> None:
        self.associations += 1


@pytest.fixture
def destination() -> Iterator[Callable[..., Destination]]:
    """Return a starter of destinations."""
    started: list[Destination] = []

    def start(
        syntaxes: tuple[str, ...] = (EXPLICIT, IMPLICIT), answer: Statuses = lambda _: 0
    ) -> Destination:
        started.append(Destination(list(syntaxes), answer))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def courier() -> Iterator[Callable[[int], DimseCourier]]:
    """Return a maker of couriers to a port of this machine."""
    made: list[DimseCourier] = []

    def make(port: int) -> DimseCourier:
        made.append(DimseCourier(_peer(port), "HILUM", timers=QUICK, frame_worker=work_on))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _peer(port: int) -> Peer:
    return Peer("dest", PeerKind.DICOM, "127.0.0.1", port, "DEST")


def _parcel(name: str, *, number: int = 0) -> InstanceParcel:
    octets = Path(get_testdata_file(name)).read_bytes()
    meta = read_file_meta(octets)
    instance = Instance(
        key=1,
        sop_instance_uid=meta.media_storage_sop_instance_uid,
        sop_class_uid=meta.media_storage_sop_class_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        instance_number=str(number),
        rows=0,
        columns=0,
        bits_allocated=0,
        number_of_frames=0,
        image_type="",
        content_date="",
        content_time="",
        specific_character_set="",
        blob=Blob("0" * 64, len(octets)),
        source="CT1",
        stored=THEN,
    )
    return InstanceParcel(Retrieved(instance, "1.2", "1.1", None), lambda _digest: io.BytesIO(octets))


def test_an_instance_goes_out_as_it_is_stored(destination: Any, courier: Any) -> None:
    place = destination()

    receipt = courier(place.port).send(_parcel("CT_small.dcm"))

    assert (receipt.verdict, receipt.code) == (Verdict.ACCEPTED, "0000")
    assert place.got[0].file_meta.TransferSyntaxUID == EXPLICIT
    assert place.got[0].PixelData == dcmread(get_testdata_file("CT_small.dcm")).PixelData


def test_many_instances_go_over_one_association_that_is_widened_once(destination: Any, courier: Any) -> None:
    place = destination()
    one = courier(place.port)

    receipts = [
        one.send(_parcel(name)) for name in ("CT_small.dcm", "CT_small.dcm", "MR_small.dcm", "CT_small.dcm")
    ]

    assert [receipt.code for receipt in receipts] == ["0000"] * 4
    assert place.associations == 2


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(
    "name",
    [
        "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm", "MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm",
    ],
)  # fmt: skip
def test_who_takes_one_uncompressed_syntax_only_gets_the_same_pixels(
    destination: Any, courier: Any, name: str, syntax: str
) -> None:
    place = destination((syntax,))

    receipt = courier(place.port).send(_parcel(name))

    [got], sent = place.got, dcmread(get_testdata_file(name))
    assert (receipt.code, got.file_meta.TransferSyntaxUID) == ("0000", syntax)
    assert (got.pixel_array == sent.pixel_array).all()
    assert (got.SOPInstanceUID, got.PatientName) == (sent.SOPInstanceUID, sent.PatientName)


JPEG_LS, HTJ2K, JPEG_BASELINE = (
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.50",
)


@pytest.mark.parametrize(
    ("takes", "sent_in", "arrived"),
    [
        ((EXPLICIT, JPEG_LS, HTJ2K), (HTJ2K, JPEG_LS), HTJ2K),
        ((EXPLICIT, JPEG_LS), (HTJ2K, JPEG_LS), JPEG_LS),
        ((EXPLICIT,), (HTJ2K, JPEG_LS), EXPLICIT),
        ((JPEG_LS,), (JPEG_LS,), JPEG_LS),
        ((EXPLICIT, JPEG_BASELINE), (JPEG_BASELINE,), EXPLICIT),
    ],
)
def test_a_peer_is_sent_what_it_prefers_of_what_it_takes_and_nothing_with_loss(
    destination: Any, courier: Any, takes: tuple[str, ...], sent_in: tuple[str, ...], arrived: str
) -> None:
    place = destination(takes)
    sender = courier(place.port)
    sender.peer = replace(sender.peer, options=replace(sender.peer.options, sent_in=sent_in))

    receipt = sender.send(_parcel("CT_small.dcm"))

    [got], sent = place.got, dcmread(get_testdata_file("CT_small.dcm"))
    assert (receipt.code, got.file_meta.TransferSyntaxUID) == ("0000", arrived)
    assert (got.pixel_array == sent.pixel_array).all()


def test_what_has_no_pixels_is_sent_to_such_a_peer_as_it_is(destination: Any, courier: Any) -> None:
    place = destination((EXPLICIT, IMPLICIT, JPEG_LS))
    sender = courier(place.port)
    sender.peer = replace(sender.peer, options=replace(sender.peer.options, sent_in=(JPEG_LS,)))

    receipt = sender.send(_parcel("rtplan.dcm"))

    assert receipt.code == "0000"
    assert place.got[0].file_meta.TransferSyntaxUID == IMPLICIT


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_sequences_survive_a_change_of_syntax(destination: Any, courier: Any, syntax: str) -> None:
    place = destination((syntax,))
    parcel = _parcel("image_dfl.dcm")

    receipt = courier(place.port).send(parcel)

    assert receipt.code == "0000"
    assert _plain(place.got[0]) == _plain(dcmread(get_testdata_file("image_dfl.dcm")))


def _plain(data_set: Dataset) -> dict[str, str]:
    return {str(element.tag): str(element.value) for element in data_set.iterall() if element.tag.element}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (0xA700, Verdict.RETRY),
        (0xA900, Verdict.REJECTED),
        (0xC000, Verdict.REJECTED),
        (0x0111, Verdict.REJECTED),
        (0xB000, Verdict.ACCEPTED),
    ],
)
def test_the_answer_of_the_peer_decides(
    destination: Any, courier: Any, status: int, verdict: Verdict
) -> None:
    place = destination(answer=lambda _: status)

    receipt = courier(place.port).send(_parcel("CT_small.dcm"))

    assert (receipt.verdict, receipt.code) == (verdict, f"{status:04X}")


def test_a_class_that_the_peer_does_not_take_is_rejected(destination: Any, courier: Any) -> None:
    receipt = courier(destination().port).send(_parcel("reportsi.dcm"))

    assert (receipt.verdict, receipt.code) == (Verdict.REJECTED, "0122")


def test_nobody_there_is_tried_again(courier: Any, free_port: int) -> None:
    receipt = courier(free_port).send(_parcel("CT_small.dcm"))

    assert (receipt.verdict, receipt.code) == (Verdict.RETRY, "connection")
    assert receipt.text == f"Connection refused: 127.0.0.1:{free_port}"


def test_a_peer_that_restarts_between_two_instances_gets_both(destination: Any, courier: Any) -> None:
    place = destination()
    one = courier(place.port)

    first = one.send(_parcel("CT_small.dcm"))
    place.stop()
    gone = one.send(_parcel("CT_small.dcm"))
    place.start()
    again = one.send(_parcel("CT_small.dcm"))

    assert (first.verdict, again.verdict) == (Verdict.ACCEPTED, Verdict.ACCEPTED)
    assert gone.verdict is Verdict.RETRY


def test_a_peer_that_is_mute_costs_its_time_and_no_more(courier: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        receipt = courier(mute.getsockname()[1]).send(_parcel("CT_small.dcm"))

    assert (receipt.verdict, receipt.code) == (Verdict.RETRY, "silence")
    assert receipt.text == "the peer was silent for too long"


def test_bytes_that_are_gone_are_no_fault_of_the_association(destination: Any, courier: Any) -> None:
    def gone(_digest: str) -> Any:
        raise NotFound("no such blob")

    place = destination()
    one = courier(place.port)
    with pytest.raises(NotFound):
        one.send(replace(_parcel("CT_small.dcm"), open_blob=gone))

    assert one.send(_parcel("CT_small.dcm")).code == "0000"
    assert place.associations == 1


def test_a_commitment_is_reported_in_the_role_of_its_scp(destination: Any, courier: Any) -> None:
    place = destination()
    commitment = Commitment(
        transaction_uid="1.2.3",
        peer="dest",
        ae_title="DEST",
        committed=(ReferencedInstance(CT, "1.2.4"),),
        failed=(ReferencedInstance(CT, "1.2.5", 0x0112),),
        state=CommitmentState.PLANNED,
        created=THEN,
    )

    receipt = courier(place.port).send(CommitmentParcel(commitment))

    assert (receipt.verdict, receipt.code) == (Verdict.ACCEPTED, "0000")
    [(event_type, information)] = place.reports
    assert event_type == 2
    assert information.FailedSOPSequence[0].FailureReason == 0x0112


def test_an_echo_is_answered(destination: Any) -> None:
    assert echo(_peer(destination().port), "HILUM").verdict is Verdict.ACCEPTED


def test_more_kinds_than_an_association_has_contexts_for_are_split_over_several(
    destination: Any, courier: Any
) -> None:
    place = destination()
    sender = courier(place.port)
    private = [(f"1.2.840.113619.4.{number}", EXPLICIT) for number in range(100)]

    assert sender.expect([*private, (CT, EXPLICIT)]) is None
    receipt = sender.send(_parcel("CT_small.dcm"))

    assert (receipt.verdict, receipt.code) == (Verdict.ACCEPTED, "0000")
    assert place.associations == 2
