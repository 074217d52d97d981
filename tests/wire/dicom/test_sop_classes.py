"""The table of storage SOP classes is the one that its script writes."""

import pytest

from hilum.wire.dicom.sop_classes import STORAGE_SOP_CLASSES, is_storable

from .storage_sop_classes import NEWER, TABLE, generated


def test_the_table_is_what_the_dictionary_says() -> None:
    written = TABLE.read_text(encoding="utf-8")

    assert generated(written) == written
    assert len(STORAGE_SOP_CLASSES) > 200
    assert NEWER.items() <= STORAGE_SOP_CLASSES.items()


@pytest.mark.parametrize(
    ("uid", "is_stored"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", True),
        ("1.2.840.10008.5.1.4.1.1.999", True),
        ("1.2.840.113619.4.30", True),
        ("1.2.840.10008.1.3.10", False),
        ("1.2.840.10008.1.20.1", False),
        ("1.2.840.10008.5.1.4.1.2.2.1", False),
    ],
)
def test_what_is_stored_is_told_by_the_uid(uid: str, is_stored: bool) -> None:
    assert is_storable(uid) is is_stored
