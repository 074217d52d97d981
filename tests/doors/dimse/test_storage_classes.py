"""Every storage SOP class in every transfer syntax: agreed on, kept as received, found, and given back alike."""

from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence

from hilum.doors.dimse.services import supported_with
from hilum.wire.dicom.data_sets import encoded
from hilum.wire.dicom.dimse.messages import CFindRequest, CGetRequest, CStoreRequest
from hilum.wire.dicom.dimse.respond import respond
from hilum.wire.dicom.sop_classes import STORAGE_SOP_CLASSES
from hilum.wire.dicom.transfer_syntaxes import TRANSFER_SYNTAXES
from hilum.wire.dicom.upper_layer.user_information import AsynchronousOperationsWindow, RoleSelection

EXPLICIT, CT = "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2"
STUDY_FIND, STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"
PRIVATE = "1.2.840.113619.4.30"
_S, _T = "1.2.840.10008.5.1.4.1.1.", "1.2.840.10008.1.2"

FAMILIES = {
    "enhanced CT, JPEG 2000 lossless": (f"{_S}2.1", f"{_T}.4.90", "CT"),
    "legacy converted CT, JPEG-LS": (f"{_S}2.2", f"{_T}.4.80", "CT"),
    "legacy converted MR, JPEG-LS lossy": (f"{_S}4.4", f"{_T}.4.81", "MR"),
    "legacy converted PET, big endian": (f"{_S}128.1", f"{_T}.2", "PT"),
    "enhanced MR, HTJ2K": (f"{_S}4.1", f"{_T}.4.201", "MR"),
    "enhanced PET, HTJ2K RPCL": (f"{_S}130", f"{_T}.4.202", "PT"),
    "enhanced XA, HTJ2K lossy": (f"{_S}12.1.1", f"{_T}.4.203", "XA"),
    "tomosynthesis, JPEG 2000": (f"{_S}13.1.3", f"{_T}.4.91", "MG"),
    "breast projection, JPEG lossless": (f"{_S}13.1.4", f"{_T}.4.70", "MG"),
    "ultrasound volume, RLE": (f"{_S}6.2", f"{_T}.5", "US"),
    "ultrasound multi-frame, JPEG baseline": (f"{_S}3.1", f"{_T}.4.50", "US"),
    "whole slide, JPEG XL": (f"{_S}77.1.6", f"{_T}.4.110", "SM"),
    "whole slide, JPEG XL recompression": (f"{_S}77.1.6", f"{_T}.4.111", "SM"),
    "ophthalmic tomography, JPEG 2000 part 2": (f"{_S}77.1.5.4", f"{_T}.4.92", "OPT"),
    "endoscopy video, MPEG2": (f"{_S}77.1.1.1", f"{_T}.4.100", "ES"),
    "microscopy video, H.264": (f"{_S}77.1.2.1", f"{_T}.4.102", "GM"),
    "photographic video, HEVC": (f"{_S}77.1.4.1", f"{_T}.4.107", "XC"),
    "photograph, JPEG extended": (f"{_S}77.1.4", f"{_T}.4.51", "XC"),
    "dermoscopy, encapsulated uncompressed": (f"{_S}77.1.7", f"{_T}.1.98", "DMS"),
    "parametric map, deflated frames": (f"{_S}30", f"{_T}.8.1", "MR"),
    "secondary capture, implicit": (f"{_S}7", _T, "OT"),
    "multi-frame secondary capture, deflated": (f"{_S}7.2", f"{_T}.1.99", "OT"),
    "PDF": (f"{_S}104.1", EXPLICIT, "DOC"),
    "CDA": (f"{_S}104.2", EXPLICIT, "DOC"),
    "STL": (f"{_S}104.3", EXPLICIT, "M3D"),
    "structured report": (f"{_S}88.33", EXPLICIT, "SR"),
    "key objects, deflated": (f"{_S}88.59", f"{_T}.1.99", "KO"),
    "presentation state": (f"{_S}11.1", EXPLICIT, "PR"),
    "segmentation, RLE": (f"{_S}66.4", f"{_T}.5", "SEG"),
    "label map": (f"{_S}66.7", EXPLICIT, "SEG"),
    **{f"radiotherapy {last}": (f"{_S}481.{last}", EXPLICIT, "RT") for last in range(1, 26)},
    "12-lead ECG": (f"{_S}9.1.1", EXPLICIT, "ECG"),
    "EEG, big endian": (f"{_S}9.7.1", f"{_T}.2", "EEG"),
    "audio": (f"{_S}9.4.2", EXPLICIT, "AU"),
    "private": (PRIVATE, EXPLICIT, "OT"),
}  # fmt: skip
_PIXELS = bytes(range(64)) * 4


def _instance(number: int, sop_class: str, syntax: str, modality: str) -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, f"1.2.3.8.{number}.1"
    made.StudyDate, made.Modality = "20260401", modality
    made.PatientName, made.PatientID = "Doe^Jane", "P8"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.InstanceNumber = "1.2.3.8", f"1.2.3.8.{number}", "1"
    if modality in {"DOC", "M3D"}:
        made.EncapsulatedDocument = b"%PDF-1.4 of no page "
    elif modality in {"SR", "KO", "PR", "RT"}:
        item = Dataset()
        item.ReferencedSOPInstanceUID = "1.2.3.4"
        made.ReferencedSOPSequence = Sequence([item])
    elif modality in {"ECG", "EEG", "AU"}:
        wave = Dataset()
        wave.NumberOfWaveformChannels = 1
        wave.add_new(0x54001010, "OW", _PIXELS)
        made.WaveformSequence = Sequence([wave])
    else:
        made.SamplesPerPixel, made.PhotometricInterpretation, made.NumberOfFrames = 1, "MONOCHROME2", "2"
        made.Rows = made.Columns = 8
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
        made.PixelData = _PIXELS
        if TRANSFER_SYNTAXES[syntax].encapsulated:
            made.PixelData = encapsulate([_PIXELS[:128], _PIXELS[128:]])
            made["PixelData"].is_undefined_length = True
        made["PixelData"].VR = "OB" if TRANSFER_SYNTAXES[syntax].encapsulated else "OW"
    return made


def test_every_class_is_agreed_on_in_as_many_associations_as_they_need(port: int, dial: Any) -> None:
    accepted = set()
    everything = list(STORAGE_SOP_CLASSES)
    for classes in (everything[:128], everything[128:]):
        with dial(port, [(one, list(TRANSFER_SYNTAXES)[:3]) for one in classes]) as peer:
            accepted |= {one.abstract_syntax for one in peer.association.connection.contexts.values()}

    assert accepted == set(STORAGE_SOP_CLASSES)


def test_every_transfer_syntax_is_agreed_on_as_it_is_proposed(port: int, dial: Any) -> None:
    with dial(port, [(CT, [one]) for one in TRANSFER_SYNTAXES]) as peer:
        contexts = peer.association.connection.contexts.values()
        assert [one.transfer_syntax for one in contexts] == list(TRANSFER_SYNTAXES)


def test_each_family_is_stored_as_received_found_and_given_back(record: Any, serve: Any, dial: Any) -> None:
    port = serve(record.hub, supported=supported_with((PRIVATE,)))
    sent = {
        made.SOPInstanceUID: (made, syntax, encoded(made, syntax))
        for number, (sop_class, syntax, modality) in enumerate(FAMILIES.values(), 1)
        for made in [_instance(number, sop_class, syntax, modality)]
    }
    kinds = list(dict.fromkeys((sop_class, syntax) for sop_class, syntax, _ in FAMILIES.values()))
    contexts = [(sop_class, [syntax]) for sop_class, syntax in kinds]
    roles = tuple(RoleSelection(one, True, True) for one in dict.fromkeys(kind for kind, _ in kinds))
    with dial(
        port, [*contexts, (STUDY_FIND, [EXPLICIT]), (STUDY_GET, [EXPLICIT])], role_selections=roles
    ) as peer:
        for made, syntax, octets in sent.values():
            assert _stored(peer, made, syntax, octets) == 0, made.SOPClassUID
        studies = _found(peer, "STUDY", StudyInstanceUID="1.2.3.8", NumberOfStudyRelatedInstances="")
        series = _found(peer, "SERIES", StudyInstanceUID="1.2.3.8", SeriesInstanceUID="", Modality="")
        image = _found(
            peer, "IMAGE", StudyInstanceUID="1.2.3.8", SeriesInstanceUID="1.2.3.8.3", SOPClassUID=""
        )
        got = _got(peer)

    assert [int(one.NumberOfStudyRelatedInstances) for one in studies] == [len(sent)]
    assert sorted(one.Modality for one in series) == sorted(one for _, _, one in FAMILIES.values())
    assert [one.SOPClassUID for one in image] == [f"{_S}4.4"]
    assert got.keys() == sent.keys()
    assert [uid for uid in sent if got[uid] != sent[uid][2]] == [], "given back otherwise"
    assert [uid for uid in sent if record.data_set(uid) != sent[uid][2]] == []


def _context(peer: Any, sop_class: str, syntax: str) -> int:
    [found] = [
        one.context_id
        for one in peer.association.connection.contexts.values()
        if (one.abstract_syntax, one.transfer_syntax) == (sop_class, syntax)
    ]
    return int(found)


def _stored(peer: Any, made: Dataset, syntax: str, octets: bytes) -> int:
    request = CStoreRequest(
        AffectedSOPClassUID=made.SOPClassUID,
        MessageID=peer.association.next_message_id(),
        AffectedSOPInstanceUID=made.SOPInstanceUID,
    )
    peer.association.send(_context(peer, made.SOPClassUID, syntax), request, octets)
    return int(peer.hear().Status)


def _identifier(level: str, **keys: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _found(peer: Any, level: str, **keys: str) -> list[Dataset]:
    peer.heard.clear()
    request = CFindRequest(AffectedSOPClassUID=STUDY_FIND, MessageID=peer.association.next_message_id())
    status = peer.ask(STUDY_FIND, request, _identifier(level, **keys)).Status
    while status in {0xFF00, 0xFF01}:
        status = peer.hear().Status
    assert status == 0
    return [read_dataset(BytesIO(one), False, True) for one in peer.heard]


def _got(peer: Any) -> dict[str, bytes]:
    got: dict[str, bytes] = {}
    peer.heard.clear()
    request = CGetRequest(AffectedSOPClassUID=STUDY_GET, MessageID=peer.association.next_message_id())
    peer.say(STUDY_GET, request, _identifier("STUDY", StudyInstanceUID="1.2.3.8"))
    while True:
        received = peer.association.next_message()
        command = received.command
        if not isinstance(command, CStoreRequest):
            if command.Status == 0xFF00:
                continue
            assert command.Status == 0, command
            return got
        octets = b"".join(bytes(part) for part in peer.association.fragments())
        got[command.AffectedSOPInstanceUID] = octets
        peer.association.send(received.context_id, respond(command, 0))


def test_a_private_class_that_is_not_configured_is_not_agreed_on(port: int, dial: Any) -> None:
    with dial(port, [(PRIVATE, [EXPLICIT]), (CT, [EXPLICIT])]) as peer:
        accepted = [one.abstract_syntax for one in peer.association.connection.contexts.values()]

    assert accepted == [CT]


@pytest.mark.parametrize(("asked", "agreed"), [((3, 3), (3, 1)), ((0, 0), (16, 1)), ((99, 1), (16, 1))])
def test_operations_outstanding_are_agreed_on_where_offered_and_answered_in_order(
    port: int, dial: Any, numbered: Any, asked: tuple[int, int], agreed: tuple[int, int]
) -> None:
    window = AsynchronousOperationsWindow(*asked)
    made = [numbered(number) for number in range(1, agreed[0] + 1)]
    with dial(port, [(CT, [EXPLICIT])], asynchronous_operations_window=window) as peer:
        for number, one in enumerate(made, 1):
            command = CStoreRequest(
                AffectedSOPClassUID=CT, MessageID=number, AffectedSOPInstanceUID=one.SOPInstanceUID
            )
            peer.say(CT, command, one)
        answers = [peer.hear() for _ in made]
        granted = peer.accept.user_information.asynchronous_operations_window

    assert (granted.maximum_number_operations_invoked, granted.maximum_number_operations_performed) == agreed
    assert [(one.MessageIDBeingRespondedTo, one.Status) for one in answers] == [
        (number, 0) for number in range(1, len(made) + 1)
    ]


def test_without_an_offer_there_is_no_window(port: int, dial: Any) -> None:
    with dial(port, [(CT, [EXPLICIT])]) as peer:
        assert peer.accept.user_information.asynchronous_operations_window is None
