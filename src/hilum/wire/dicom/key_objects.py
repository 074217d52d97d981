"""Key Object Selection documents (PS3.3 C.17.6): what a rejection note says (IHE RAD-66)."""

from typing import BinaryIO

from hilum.core.archive.lifecycle import REASON_OF_CODE, RejectedReference, RejectionNote
from hilum.core.kernel.errors import Invalid
from hilum.wire.dicom.data_sets import decoded, items_at, text_at, uid_at
from hilum.wire.dicom.elements import DataSet
from hilum.wire.dicom.part10 import read_file_meta
from hilum.wire.dicom.source import source_of

MOST_REFERENCES = 100_000
_LONGEST = 32 << 20

_CONCEPT_NAME, _CODE_VALUE, _CODING_SCHEME = 0x0040A043, 0x00080100, 0x00080102
_EVIDENCE = (0x0040A375, 0x0040A385)
"""Current Requested Procedure Evidence Sequence, Pertinent Other Evidence Sequence."""
_SERIES, _INSTANCES, _STUDY_UID, _SOP_UID = 0x00081115, 0x00081199, 0x0020000D, 0x00081155


def rejection_note(file: BinaryIO) -> RejectionNote | None:
    """Read a stored Key Object Selection; None where its title is none of the rejections. Raises Invalid.

    Which version the coding scheme is said to have makes no difference.
    """
    source = source_of(file)
    meta = read_file_meta(source)
    body = source.read_at(meta.data_set_offset, _LONGEST + 1)
    document = decoded(body, meta.transfer_syntax_uid)
    reason = next((REASON_OF_CODE[code] for code in _titles(document) if code in REASON_OF_CODE), None)
    return None if reason is None else RejectionNote(reason, _references(document))


def _titles(document: DataSet) -> list[str]:
    titles = items_at(document, _CONCEPT_NAME)
    return [text_at(title, _CODE_VALUE) for title in titles if text_at(title, _CODING_SCHEME) == "DCM"]


def _references(document: DataSet) -> tuple[RejectedReference, ...]:
    found = [
        RejectedReference(uid_at(study, _STUDY_UID), uid_at(instance, _SOP_UID))
        for evidence in _EVIDENCE
        for study in items_at(document, evidence)
        for series in items_at(study, _SERIES)
        for instance in items_at(series, _INSTANCES)
    ]
    if len(found) > MOST_REFERENCES:
        raise Invalid(
            f"the rejection note refers to more than {MOST_REFERENCES} instances",
            next_step="split it, study by study",
        )
    return tuple(one for one in found if one.study_instance_uid and one.sop_instance_uid)
