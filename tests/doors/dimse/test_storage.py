"""C-STORE by DCMTK and pynetdicom: every transfer syntax kept octet by octet, and what is refused."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, _config

from hilum.core.archive.model import Level, Query
from hilum.core.kernel.errors import Invalid
from hilum.doors.dimse.services import SUPPORTED
from hilum.wire.dicom.data_sets import encoded
from hilum.wire.dicom.dimse.messages import CStoreRequest
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.part10 import FileMeta, read_file_meta

CT, EXPLICIT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PLAIN = [(CT, [EXPLICIT])]
BUNDLED = Path(pydicom.__file__).parent / "data"
_TRUNCATED = {"MR_truncated.dcm"}


def _is_storable(path: Path) -> bool:
    try:
        meta = read_file_meta(path.read_bytes())
        header = read_header(path.read_bytes(), meta)
    except Invalid:
        return False
    said = (meta.media_storage_sop_class_uid, meta.media_storage_sop_instance_uid)
    return said == (header.sop_class_uid, header.sop_instance_uid) and header.sop_class_uid in SUPPORTED


FILES = [
    path
    for path in sorted(BUNDLED.rglob("*"))
    if path.is_file() and path.suffix not in {".py", ".pyc", ".json", ".txt"} and path.name not in _TRUNCATED
    if _is_storable(path)
]
"""Everything that pydicom brings along and that is a whole instance."""


def _meta(path: Path) -> FileMeta:
    return read_file_meta(path.read_bytes())


def _data_set(path: Path) -> bytes:
    return path.read_bytes()[_meta(path).data_set_offset :]


def _first_of_each(files: list[Path]) -> Iterator[Path]:
    """Leave out what repeats a SOP Instance UID; the rarest transfer syntaxes stay."""
    seen: set[str] = set()
    common = Counter(_meta(path).transfer_syntax_uid for path in files)
    for path in sorted(files, key=lambda path: (common[_meta(path).transfer_syntax_uid], path)):
        uid = _meta(path).media_storage_sop_instance_uid
        if uid not in seen:
            seen.add(uid)
            yield path


@pytest.fixture
def _octet_by_octet() -> Iterator[None]:
    """Let pynetdicom send files as they are."""
    _config.STORE_SEND_CHUNKED_DATASET = True
    yield
    _config.STORE_SEND_CHUNKED_DATASET = False


def _associated(port: int, contexts: set[tuple[str, str]]) -> Any:
    entity = AE("CT1")
    for sop_class, syntax in sorted(contexts)[:128]:
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate("127.0.0.1", port, ae_title="HILUM")
    assert association.is_established
    return association


@pytest.mark.usefixtures("_octet_by_octet")
def test_every_bundled_file_in_every_transfer_syntax_is_kept_octet_by_octet(port: int, record: Any) -> None:
    files = list(_first_of_each(FILES))
    metas = {path: _meta(path) for path in files}
    contexts = {(meta.media_storage_sop_class_uid, meta.transfer_syntax_uid) for meta in metas.values()}

    association = _associated(port, contexts)
    answers = {path.name: association.send_c_store(path).Status for path in files}
    association.release()

    assert answers == {path.name: 0 for path in files}
    assert len({meta.transfer_syntax_uid for meta in metas.values()}) == 11
    for path, meta in metas.items():
        assert record.data_set(meta.media_storage_sop_instance_uid) == _data_set(path), path.name
    assert record.spooled() == []


@pytest.mark.usefixtures("_octet_by_octet")
def test_a_file_whose_pixels_are_cut_is_refused_and_leaves_nothing(port: int, record: Any) -> None:
    path = BUNDLED / "test_files" / "MR_truncated.dcm"
    meta = _meta(path)

    association = _associated(port, {(meta.media_storage_sop_class_uid, meta.transfer_syntax_uid)})
    answer = association.send_c_store(path)
    association.release()

    assert answer.Status == 0xC000
    assert answer.ErrorComment.startswith("truncated: the pixel data claims")
    assert record.counts() == (0, 0, 0)
    assert record.spooled() == []


def test_pynetdicom_stores_a_data_set_of_its_own(port: int, record: Any, ct: Dataset) -> None:
    association = _associated(port, {(CT, EXPLICIT)})
    answer = association.send_c_store(ct)
    association.release()

    assert answer.Status == 0
    assert record.counts() == (1, 1, 1)


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize("options", [["+sd"], ["+sd", "-nh"], ["-xi"], ["-xe"], ["-R"]])
def test_storescu_stores_uncompressed_files(
    run: Any, port: int, record: Any, tmp_path: Path, options: list[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("CT_small.dcm", "MR_small_implicit.dcm", "SC_rgb_small_odd.dcm", "SC_rgb_jpeg_dcmd.dcm"):
        (folder / name).write_bytes((BUNDLED / "test_files" / name).read_bytes())
    files = [folder] if "+sd" in options else sorted(folder.iterdir())

    run("storescu", *options, "127.0.0.1", port, *files)

    assert record.counts()[2] == 4


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("-xr", "MR_small_RLE.dcm"),
        ("-xv", "MR_small_jp2klossless.dcm"),
        ("-xw", "JPEG2000.dcm"),
        ("-xt", "MR_small_jpeg_ls_lossless.dcm"),
        ("-xy", "SC_rgb_jpeg_dcmtk.dcm"),
        ("-xx", "JPGExtended.dcm"),
        ("-xs", "SC_rgb_jpeg_gdcm.dcm"),
        ("-xd", "image_dfl.dcm"),
        ("-xb", "MR_small_bigendian.dcm"),
    ],
)
def test_storescu_stores_each_compression(run: Any, port: int, record: Any, option: str, name: str) -> None:
    path = BUNDLED / "test_files" / name

    run("storescu", option, "127.0.0.1", port, path)

    [kept] = record.hub.retrieve(_operator(), Query(Level.INSTANCE, {}))
    assert kept.instance.transfer_syntax_uid == _meta(path).transfer_syntax_uid
    assert kept.instance.sop_instance_uid == _meta(path).media_storage_sop_instance_uid


@pytest.mark.needs("dcmtk")
def test_a_folder_is_stored_on_one_association_and_again_without_a_duplicate(
    run: Any, port: int, record: Any, numbered: Any, to_file: Any
) -> None:
    files = [to_file(numbered(number, series=number % 3)) for number in range(1, 31)]

    first = run("storescu", "-v", "+sd", "+r", "127.0.0.1", port, files[0].parent)
    run("storescu", "+sd", "+r", "127.0.0.1", port, files[0].parent)

    assert first.stdout.count("Received Store Response (Success)") == 30
    assert record.counts() == (1, 3, 30)


def test_an_instance_that_is_not_what_the_command_says_is_refused(
    port: int, record: Any, dial: Any, numbered: Any
) -> None:
    with dial(port, [*PLAIN, ("1.2.840.10008.5.1.4.1.1.4", [EXPLICIT])]) as peer:
        other_instance = peer.store(numbered(1), sop_instance_uid="1.2.3.9")
        other_class = peer.store(numbered(1), sop_class_uid="1.2.840.10008.5.1.4.1.1.4")
        as_it_is = peer.store(numbered(1))

    assert [other_instance.Status, other_class.Status, as_it_is.Status] == [0xA900, 0xA900, 0]
    assert other_instance.ErrorComment == "SOP Class or Instance UID differs from the command"
    assert other_instance.AffectedSOPInstanceUID == "1.2.3.9"
    assert record.counts() == (1, 1, 1)


def test_a_command_of_another_sop_class_than_its_context_is_refused(
    port: int, record: Any, dial: Any, numbered: Any
) -> None:
    mr = numbered(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    request = CStoreRequest(
        AffectedSOPClassUID=mr.SOPClassUID, MessageID=7, AffectedSOPInstanceUID=mr.SOPInstanceUID
    )
    with dial(port, PLAIN) as peer:
        answer = peer.ask(CT, request, mr)

    assert (answer.Status, answer.MessageIDBeingRespondedTo) == (0x0122, 7)
    assert record.counts() == (0, 0, 0)


def test_the_same_uid_with_other_bytes_is_a_conflict_and_the_first_bytes_stay(
    port: int, record: Any, dial: Any, numbered: Any
) -> None:
    with dial(port, PLAIN) as peer:
        first = peer.store(numbered(1))
        other = peer.store(numbered(1, PatientName="Roe^Richard"))
        again = peer.store(numbered(1))

    assert [first.Status, other.Status, again.Status] == [0, 0x0111, 0]
    assert other.ErrorComment == "the same SOP Instance UID is kept with other bytes"
    assert record.data_set("1.2.3.1.1.1") == encoded(numbered(1), EXPLICIT)
    [conflict] = record.hub.conflicts(_operator())
    assert (conflict.kind, conflict.sop_instance_uid, conflict.source) == (
        "same-uid",
        "1.2.3.1.1.1",
        "TESTER",
    )
    assert conflict.blob is not None, "the other bytes are kept aside"


@pytest.mark.parametrize(
    "uid",
    ["../../etc/passwd", "1.2/3", "1..2", "1.2.3.", ".", "", "1." * 149 + "1", "1.2.3\\1.2.4", "%2e%2e"],
)
def test_what_is_no_uid_is_refused_with_a_status_and_the_association_goes_on(
    port: int, record: Any, dial: Any, numbered: Any, uid: str
) -> None:
    with dial(port, PLAIN) as peer:
        in_command = peer.store(numbered(1), sop_instance_uid=uid or " ")
        in_study = peer.store(_with_raw_uid(numbered(1), "StudyInstanceUID", uid), CT, "1.2.3.1.1.1")
        fine = peer.store(numbered(1))

    assert [in_command.Status, in_study.Status, fine.Status] == [0xC000, 0xC000, 0]
    assert "UID" in in_command.ErrorComment
    assert record.counts() == (1, 1, 1)
    assert record.spooled() == []


def _with_raw_uid(data_set: Dataset, keyword: str, uid: str) -> bytes:
    """Encode a UID as it is, right or wrong."""
    from hilum.wire.dicom.data_sets import put

    put(data_set, pydicom.datadict.tag_for_keyword(keyword), "UI", uid)
    return encoded(data_set, EXPLICIT)


def test_an_object_longer_than_the_limit_is_refused_and_the_association_goes_on(
    serve: Any, record: Any, dial: Any, numbered: Any
) -> None:
    port = serve(record.hub, longest_instance=100_000)
    with dial(port, PLAIN) as peer:
        long = peer.store(numbered(1, Rows=1000, Columns=1000, PixelData=bytes(2_000_000)))
        short = peer.store(numbered(2))

    assert [long.Status, short.Status] == [0xC000, 0]
    assert long.ErrorComment == "the instance is longer than 100000 octets"
    assert record.counts() == (1, 1, 1)
    assert record.spooled() == []


def test_a_peer_that_may_not_store_is_refused_by_status(
    serve: Any, record: Any, dial: Any, numbered: Any
) -> None:
    record.hub.open_to_all = False
    record.put_peer("VIEWER", 104, check_host=True)
    _demote(record, "VIEWER")

    with dial(serve(record.hub), PLAIN, calling="VIEWER") as peer:
        answer = peer.store(numbered(1))

    assert answer.Status == 0x0124
    assert record.counts() == (0, 0, 0)


def _demote(record: Any, name: str) -> None:
    from dataclasses import replace

    record.hub.put_peer(_operator(), replace(record.hub.peer(_operator(), name), roles=("viewer",)))


def _operator() -> Any:
    from hilum.core.access import policy

    return policy.local_operator("test")


def test_many_files_make_the_studies_that_they_say(port: int, record: Any) -> None:
    files = [path for path in _first_of_each(FILES) if "dicomdirtests" in str(path)]
    metas = [_meta(path) for path in files]
    contexts = {(meta.media_storage_sop_class_uid, meta.transfer_syntax_uid) for meta in metas}

    association = _associated(port, contexts)
    statuses = Counter(association.send_c_store(dcmread(path)).Status for path in files)
    association.release()

    headers = [read_header(path.read_bytes()) for path in files]
    assert statuses == {0: len(files)}
    assert record.counts() == (
        len({header.study_instance_uid for header in headers}),
        len({header.series_instance_uid for header in headers}),
        len(files),
    )
