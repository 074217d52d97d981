"""Status tables: every code that pynetdicom knows has the same category here."""

import pytest
from pynetdicom import status as theirs

from hilum.wire.dicom.dimse.status import (
    FIND,
    PROCEDURE_STEP,
    RETRIEVE,
    STORAGE,
    STORAGE_COMMITMENT,
    Category,
    Code,
    Status,
    look_up,
)


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (STORAGE, theirs.STORAGE_SERVICE_CLASS_STATUS),
        (FIND, theirs.QR_FIND_SERVICE_CLASS_STATUS),
        (FIND, theirs.MODALITY_WORKLIST_SERVICE_CLASS_STATUS),
        (RETRIEVE, theirs.QR_MOVE_SERVICE_CLASS_STATUS),
        (RETRIEVE, theirs.QR_GET_SERVICE_CLASS_STATUS),
        (PROCEDURE_STEP, theirs.PROCEDURE_STEP_STATUS),
        (STORAGE_COMMITMENT, theirs.STORAGE_COMMITMENT_SERVICE_CLASS_STATUS),
    ],
)
def test_every_code_has_the_category_that_pynetdicom_gives_it(
    ours: tuple[Code, ...], expected: dict[int, tuple[str, str]]
) -> None:
    for code, (category, _) in expected.items():
        row = look_up(code, ours)

        assert (row.category.value, row.meaning == "Unknown status") == (category.lower(), False)


@pytest.mark.parametrize(
    ("code", "category"),
    [
        (0xB123, Category.WARNING),
        (0xA123, Category.FAILURE),
        (0x0199, Category.FAILURE),
        (0xFF01, Category.PENDING),
    ],
)
def test_an_unknown_code_is_told_by_its_class(code: int, category: Category) -> None:
    assert look_up(code).category is category


def test_what_we_send_is_in_a_table() -> None:
    tables = (*STORAGE, *FIND, *RETRIEVE)

    assert all(look_up(code, tables).meaning != "Unknown status" for code in Status)
