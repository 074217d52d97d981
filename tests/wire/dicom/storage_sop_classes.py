"""Writes the table of storage SOP classes from pydicom's UID dictionary: `python -m tests.wire.dicom.storage_sop_classes`."""

import re
from pathlib import Path

from pydicom._uid_dict import UID_dictionary

from hilum.wire.dicom import sop_classes

TABLE = Path(sop_classes.__file__)
_NOT_STORED = {"MediaStorageDirectoryStorage", "StorageCommitmentPushModel", "StorageCommitmentPullModel"}
"""SOP classes with "storage" in their names that are no classes of stored instances."""
NEWER = {
    "1.2.840.10008.5.1.4.1.1.9.100.1": "WaveformPresentationStateStorage",
    "1.2.840.10008.5.1.4.1.1.9.100.2": "WaveformAcquisitionPresentationStateStorage",
    "1.2.840.10008.5.1.4.1.1.66.7": "LabelMapSegmentationStorage",
    "1.2.840.10008.5.1.4.1.1.66.8": "HeightMapSegmentationStorage",
}
"""Of PS3.6 2025: not in the dictionary of pydicom 3.0.2, whose edition is 2024."""


def rows() -> dict[str, tuple[str, bool]]:
    """Return keyword, and whether it is retired, by UID in the order of the UIDs."""
    found = {
        uid: (keyword, bool(retired))
        for uid, (_, kind, _, retired, keyword) in UID_dictionary.items()
        if kind == "SOP Class" and "Storage" in keyword and keyword not in _NOT_STORED
    }
    found |= {uid: (keyword, False) for uid, keyword in NEWER.items()}
    return dict(sorted(found.items(), key=lambda row: [int(part) for part in row[0].split(".")]))


def generated(module: str) -> str:
    """Return the module with its table written anew."""
    lines = [
        f'        "{uid}": "{keyword}",{"  # retired" if retired else ""}\n'
        for uid, (keyword, retired) in rows().items()
    ]
    pattern = re.compile(r"(STORAGE_SOP_CLASSES = MappingProxyType\(\n    \{\n).*?(    \}\n\))", re.DOTALL)
    return pattern.sub(lambda around: around[1] + "".join(lines) + around[2], module)


if __name__ == "__main__":
    TABLE.write_text(generated(TABLE.read_text(encoding="utf-8")), encoding="utf-8")
