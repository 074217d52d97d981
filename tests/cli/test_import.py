"""Import of folders: what is taken, what is rejected and why, and going on where it stopped."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from hilum.cli.file_import import walk
from hilum.cli.frame import Exit
from hilum.cli.journal import Journal


def bundled(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "below").mkdir(parents=True)
    shutil.copy(bundled("CT_small.dcm"), folder)
    shutil.copy(bundled("MR_small.dcm"), folder / "below")
    return folder


def test_files_below_a_folder_are_stored(hilum: Any, images: Path) -> None:
    ended = hilum("import", images, "--json")

    assert ended.code == Exit.OK
    assert ended.json["stored"] == 2
    assert ended.json["rejected"] == 0
    assert "files/s" in ended.err
    assert "MB/s" in ended.err


def test_a_second_run_passes_over_what_was_taken(hilum: Any, images: Path) -> None:
    hilum("import", images)

    ended = hilum("import", images, "--json")

    assert (ended.json["earlier"], ended.json["stored"], ended.json["duplicate"]) == (2, 0, 0)


def test_many_files_that_were_taken_are_all_passed_over(hilum: Any, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(50):
        shutil.copy(bundled("MR_small.dcm"), folder / f"{number}.dcm")
    hilum("import", folder)

    ended = hilum("import", folder, "--json")

    assert ended.json["earlier"] == 50


def test_reading_everything_again_changes_nothing(hilum: Any, images: Path) -> None:
    hilum("import", images)

    ended = hilum("import", images, "--again", "--json")

    assert ended.json["duplicate"] == 2


def test_the_journal_is_not_believed_when_the_database_was_made_anew(
    hilum: Any, images: Path, folder: Path
) -> None:
    hilum("import", images)
    for file in folder.glob("hilum.db*"):
        file.unlink()

    ended = hilum("import", images, "--json")

    assert ended.json["stored"] == 2


def test_rejects_are_grouped_by_reason_and_the_rest_goes_on(hilum: Any, images: Path) -> None:
    (images / "notes.txt").write_text("not an image " * 50)
    (images / "empty.dcm").touch()
    whole = bundled("CT_small.dcm").read_bytes()
    (images / "cut-1.dcm").write_bytes(whole[:-5000])
    (images / "cut-2.dcm").write_bytes(whole[:-7000])

    ended = hilum("import", images, "--json")

    reasons = {row["reason"]: len(row["files"]) for row in ended.json["reasons"]}
    assert ended.code == Exit.PARTIAL
    assert (ended.json["stored"], ended.json["rejected"]) == (2, 4)
    assert sorted(reasons.values()) == [1, 1, 2]
    assert any(reason.startswith("truncated") for reason in reasons)


def test_the_same_uid_with_other_bytes_is_a_conflict_and_not_overwritten(hilum: Any, images: Path) -> None:
    changed = bytearray(bundled("CT_small.dcm").read_bytes())
    changed[-200] ^= 0xFF
    hilum("import", images)
    (images / "changed.dcm").write_bytes(changed)

    ended = hilum("import", images, "--json")

    assert ended.code == Exit.PARTIAL
    assert (ended.json["conflict"], ended.json["earlier"]) == (1, 2)


def test_a_dicomdir_is_skipped_with_its_reason(hilum: Any, tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    shutil.copy(bundled("DICOMDIR"), media)

    ended = hilum("import", media, "--json")

    assert ended.code == Exit.OK
    assert ended.json["skipped"] == 1
    assert "DICOMDIR" in ended.json["reasons"][0]["reason"]


def test_nothing_at_the_path_is_a_usage_error(hilum: Any, tmp_path: Path) -> None:
    assert hilum("import", tmp_path / "absent").code == Exit.USAGE


def test_the_report_names_the_reasons_and_some_of_their_files(hilum: Any, images: Path) -> None:
    (images / "notes.txt").write_text("not an image " * 50)

    ended = hilum("import", images)

    assert ended.out == ""
    assert "rejected: not a DICOM file" in ended.err
    assert "notes.txt" in ended.err


def test_links_in_a_circle_are_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "absent")

    found = list(walk(tmp_path))

    assert [path.name for path, status in found if isinstance(status, os.stat_result)] == ["file"]
    assert [path.name for path, status in found if isinstance(status, OSError)] == ["dangling"]


def test_a_torn_line_of_the_journal_is_read_over(tmp_path: Path) -> None:
    with Journal.beside(tmp_path, "sqlite://") as journal:
        journal.add("a" * 64, "1.2.3")
    (file,) = tmp_path.glob("*.journal")
    with file.open("ab") as lines:
        lines.write(b"b" * 30)

    with Journal.beside(tmp_path, "sqlite://") as journal:
        journal.add("c" * 64, "1.2.4")
    with Journal.beside(tmp_path, "sqlite://") as journal:
        taken = [journal.taken(letter * 64) for letter in "abc"]

    assert taken == ["1.2.3", None, "1.2.4"]
