"""Data types to core values and back: CX, EI, XPN, XCN, NDL, XAD, XTN, CWE, TS (HL7 2.5.1, chapter 2.A)."""

import re
from datetime import date

from hilum.core.kernel.codes import Code
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import Identifier, uid
from hilum.wire.hl7v2.compose import Components
from hilum.wire.hl7v2.errors import Condition
from hilum.wire.hl7v2.message import NULL, Group, Repetition

_LONGEST_PATIENT_ID = 64  # LO, PS3.5 6.2: what is longer can never come back in an image
_LONGEST_IDENTIFIER = 199  # EI.1 of version 2.7, and HD.2
_LONGEST_NAME = 3 * 64 + 2  # three component groups of a PN, PS3.5 6.2
_OID = re.compile(r"[0-2](\.[0-9]+)+")
_MOMENT = re.compile(
    r"(?P<date>[0-9]{8})(?P<time>[0-9]{4}(?:[0-9]{2}(?:\.[0-9]{1,4})?)?|[0-9]{2})?(?:[+-][0-9]{4})?"
)
_PARTIAL_DATE = re.compile(r"[0-9]{4}([0-9]{2})?")
# Delimiters of a PN (PS3.5 6.2.1) and control characters have no place in a name.
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f^=\\]+")
# A control character can come in by an escape (X00); PostgreSQL and XML know no NUL.
_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+")
_LINE_END = re.compile(r"\r\n|\r|\x0b")
_NOT_IN_TEXT = re.compile(r"[\x00-\x08\x0c-\x1f\x7f]")


def plain(text: str) -> str:
    """Make one line of a text."""
    return _SPACES.sub(" ", text).strip()


def lines(text: str) -> str:
    """Make LF the only line end (VT is one of word processors), and TAB the only other control character."""
    return _NOT_IN_TEXT.sub("", _LINE_END.sub("\n", text))


def issuer(namespace: str, universal_id: str) -> str:
    """Choose the name of an HD: its namespace, which DICOM carries too (0010,0021), else the universal ID."""
    return plain(namespace) or plain(universal_id)


def patient_identifier(group: Group, place: str, found: Repetition) -> Identifier | None:
    """CX: ID number, and the assigning authority in CX.4 (HL7 2.5.1, 2.A.14)."""
    value = plain(found[1])
    if value in {"", NULL}:
        return None
    _check_length(group, place, value, _LONGEST_PATIENT_ID)
    authority = issuer(found.subcomponent(4, 1), found.subcomponent(4, 2))
    _check_length(group, place, authority, _LONGEST_IDENTIFIER)
    return Identifier(value, authority)


def entity_identifier(group: Group, place: str) -> Identifier | None:
    """EI: entity identifier, and its namespace or universal ID (HL7 2.5.1, 2.A.28)."""
    value = plain(group[f"{place}.1"])
    if value in {"", NULL}:
        return None
    namespace = issuer(group[f"{place}.2"], group[f"{place}.3"])
    _check_length(group, place, max(value, namespace, key=len), _LONGEST_IDENTIFIER)
    return Identifier(value, namespace)


def _check_length(group: Group, place: str, text: str, most: int) -> None:
    if len(text) > most:
        raise group.invalid(place, f"{place} is longer than {most} characters", Condition.DATA_TYPE)


def code(group: Group, place: str, first: int = 1) -> Code:
    """CWE or CE: identifier, text, coding system; `first` 4 reads the alternate triplet (HL7 2.5.1, 2.A.13)."""
    value, meaning, scheme = (plain(group[f"{place}.{first + offset}"]) for offset in range(3))
    return Code(value, scheme, meaning)


def person_name(family: str, given: str, middle: str, suffix: str, prefix: str) -> str:
    """Make a DICOM PN: HL7 writes suffix before prefix, DICOM prefix before suffix (PS3.5 6.2.1)."""
    parts = [plain(_NOT_IN_A_NAME.sub(" ", part)) for part in (family, given, middle, prefix, suffix)]
    return "^".join("" if part == NULL else part for part in parts).rstrip("^")


def patient_name(group: Group, place: str) -> str:
    """XPN repetitions to one PN: legal name first; XPN.8 tells alphabetic, ideographic and phonetic forms apart."""
    forms = {"A": "", "I": "", "P": ""}
    for found in sorted(group.repetitions(place), key=lambda each: each[7] not in {"L", ""}):
        form = found[8] if found[8] in forms else "A"
        family = found.subcomponent(1, 1)
        forms[form] = forms[form] or person_name(family, found[2], found[3], found[4], found[5])
    name = "=".join(forms.values()).rstrip("=")
    _check_length(group, place, name, _LONGEST_NAME)
    return name


def physician(found: Repetition) -> str:
    """XCN: the name, or the ID number where no name is given (HL7 2.5.1, 2.A.88)."""
    name = person_name(found.subcomponent(2, 1), found[3], found[4], found[5], found[6])
    return name or person_name(found[1], "", "", "", "")


def first_physician(group: Group, *places: str) -> str:
    """Name the first physician of the first field that has one."""
    names = (physician(found) for place in places for found in group.repetitions(place))
    return next((name for name in names if name), "")


def result_physician(group: Group, place: str) -> str:
    """NDL: the name stands in the subcomponents of NDL.1 (HL7 2.5.1, 2.A.47); some send an XCN instead."""
    for found in group.repetitions(place):
        parts = [found.subcomponent(1, number) for number in range(1, 7)]
        if not any(parts[1:]) and not found[2][:1].isdigit():
            return physician(found)
        return person_name(*parts[1:]) or person_name(parts[0], "", "", "", "")
    return ""


def address(found: Repetition) -> str:
    """XAD as one line."""
    street, *rest = (found.subcomponent(1, 1), found[2], found[3], f"{found[4]} {found[5]}", found[6])
    return ", ".join(part for part in map(plain, (street, *rest)) if part not in {"", NULL})


def telephone(found: Repetition) -> str:
    """XTN: the number as written, or from its parts; electronic addresses are none (HL7 2.5.1, 2.A.89)."""
    if found[2] == "NET" or found[3] in {"Internet", "X.400"}:
        return ""
    parts = [f"+{found[5]}" if found[5] else "", found[6], found[7]]
    number = plain(found[12]) or plain(found[1]) or " ".join(part for part in map(plain, parts) if part)
    return "" if number == NULL else number


def moment(group: Group, place: str) -> str:
    """TS.1 as it was sent, checked; empty when absent (HL7 2.5.1, 2.A.77)."""
    text = group[place].strip()
    if text in {"", NULL}:
        return ""
    found = _MOMENT.fullmatch(text)
    if (found is None or not _is_date(found["date"])) and not _PARTIAL_DATE.fullmatch(text):
        raise group.invalid(
            place, f"{place} is not a date or time", Condition.DATA_TYPE, "send YYYYMMDDHHMMSS"
        )
    return text


def day_and_time(group: Group, place: str) -> tuple[str, str]:
    """TS as DA and TM, in the sender's local time; a year or month alone is no DA."""
    found = _MOMENT.fullmatch(moment(group, place))
    return (found["date"], (found["time"] or "").split(".")[0]) if found else ("", "")


def checked_uid(group: Group, place: str) -> str:
    """A UID, or empty."""
    text = group[place].strip()
    if text in {"", NULL}:
        return ""
    try:
        return uid(text, place)
    except Invalid as error:
        raise group.invalid(place, error.what, Condition.DATA_TYPE, error.next_step) from error


def _is_date(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return True


def written_issuer(name: str) -> tuple[str, ...]:
    """HD: an OID is a universal ID, everything else a namespace."""
    return ("", name, "ISO") if _OID.fullmatch(name) else (name,)


def written_patient_identifier(identifier: Identifier) -> Components:
    """CX, as a medical record number."""
    return (identifier.value, "", "", written_issuer(identifier.issuer), "MR")


def written_entity_identifier(identifier: Identifier | None) -> Components:
    """EI."""
    if identifier is None:
        return ()
    return (identifier.value, *written_issuer(identifier.issuer))


def written_code(value: Code) -> Components:
    """CWE.1-3."""
    return (value.value, value.meaning, value.scheme)


def written_names(name: str) -> list[Components]:
    """XPN for each component group of a PN."""
    forms = zip("AIP", name.split("="), strict=False)
    single = "=" not in name
    return [_written_name(group, "" if single else form) for form, group in forms if group]


def _written_name(group: str, form: str) -> Components:
    family, given, middle, prefix, suffix = (group.split("^") + [""] * 5)[:5]
    return (family, given, middle, suffix, prefix, "", "L", form)


def written_result_physician(name: str) -> Components:
    """NDL.1 with the name in its subcomponents."""
    family, given, middle, prefix, suffix = (name.split("=", maxsplit=1)[0].split("^") + [""] * 5)[:5]
    return (("", family, given, middle, suffix, prefix),)
