"""What a device is known to write, whatever its data sets declare (PS3.3 C.12.1.1.2 is not kept by all)."""

from dataclasses import dataclass

from hilum.wire.dicom.elements import DataSet, Element

_SPECIFIC_CHARACTER_SET = 0x00080005


@dataclass(frozen=True, slots=True)
class Assumption:
    """Defined terms of (0008,0005), several with backslashes: `always`, or only where a data set declares none."""

    always: str = ""
    if_absent: str = ""

    def applied(self, data_set: DataSet) -> DataSet:
        """Return the data set as if it declared what is assumed; items that declare their own keep it."""
        declared = data_set.get(_SPECIFIC_CHARACTER_SET)
        is_declared = declared is not None and bool(declared.value.strip(b" \0"))
        assumed = self.always or ("" if is_declared else self.if_absent)
        if not assumed:
            return data_set
        value = assumed.encode("ascii", "replace")
        element = Element(_SPECIFIC_CHARACTER_SET, "CS", 0, len(value), value, None, big_endian=False)
        return {**data_set, _SPECIFIC_CHARACTER_SET: element}


NOTHING_ASSUMED = Assumption()
