"""An encoded header in another character set: text values only, all others byte for byte (PS3.3 C.12.1.1.2)."""

from io import BytesIO

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from hilum.wire.dicom.character_sets import UTF_8_TERM, CharacterSet
from hilum.wire.dicom.data_sets import SPECIFIC_CHARACTER_SET
from hilum.wire.dicom.elements import Coding, dictionary_vr
from hilum.wire.dicom.source import BytesSource
from hilum.wire.dicom.splice import element, places
from hilum.wire.dicom.values import TEXT_VRS


def utf_8_header(encoded: bytes, coding: Coding, characters: CharacterSet) -> bytes:
    """Return a header in UTF-8, decoded by the character set that it declares.

    pydicom reads and writes the structure only: values stay raw, so none of them can fail or be changed. Text that
    a device hid in elements of VR UN, or of private tags without VR, stays as it is.
    """
    header = read_dataset(BytesIO(encoded), coding.implicit, not coding.big_endian)
    _transcode(header, characters)
    written = BytesIO()
    file = DicomFileLike(written)
    file.is_implicit_VR, file.is_little_endian = coding.implicit, not coding.big_endian
    write_dataset(file, header)
    return _declared_utf_8(written.getvalue(), coding)


def _declared_utf_8(header: bytes, coding: Coding) -> bytes:
    """Replace (0008,0005) last: pydicom would take a new one for an order to convert."""
    place = places(BytesSource(header), coding, [SPECIFIC_CHARACTER_SET])[SPECIFIC_CHARACTER_SET]
    declaration = element(coding, SPECIFIC_CHARACTER_SET, "CS", UTF_8_TERM.encode("ascii"))
    return header[: place.begin] + declaration + header[place.end :]


def _transcode(data_set: Dataset, characters: CharacterSet) -> None:
    for tag in list(data_set.keys()):
        known = data_set.get_item(tag)
        vr = known.VR or dictionary_vr(int(tag))
        if vr == "SQ":
            for one in data_set[tag].value:
                if SPECIFIC_CHARACTER_SET not in one:
                    _transcode(one, characters)
        elif vr in TEXT_VRS and isinstance(known, RawDataElement) and known.value:
            text = characters.decode(known.value, name=vr == "PN").encode("utf-8")
            padded = text + b" " if len(text) % 2 else text
            data_set[tag] = known._replace(value=padded, length=len(padded))
