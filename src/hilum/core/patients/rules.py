"""Which record does a statement speak of?"""

from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import UNIDENTIFIED, Demographics, PatientRecord, PatientStatement


def folded_name(name: str) -> tuple[str, ...]:
    """Return the first component group of a PN for comparison: upper case, without empty tail."""
    components = name.split("=", maxsplit=1)[0].upper().split("^")
    return tuple(part for part in (" ".join(component.split()) for component in components) if part)


def agree(mine: Demographics, theirs: Demographics) -> bool:
    """Tell whether two statements can be of one person: name and birth date given and equal, sex not opposed."""
    if not (mine.name and theirs.name and mine.birth_date and theirs.birth_date):
        return False
    opposed = {mine.sex, theirs.sex} == {"M", "F"}
    return (
        folded_name(mine.name) == folded_name(theirs.name)
        and mine.birth_date == theirs.birth_date
        and not opposed
    )


def contradict(mine: Demographics, theirs: Demographics) -> bool:
    """Tell whether two statements of one identifier cannot be of one person: birth date or sex stand opposed."""
    dates = bool(mine.birth_date and theirs.birth_date and mine.birth_date != theirs.birth_date)
    sexes = {mine.sex, theirs.sex} == {"M", "F"}
    return dates or sexes


def same_without_issuer(
    identifier: Identifier, demographics: Demographics, others: list[PatientRecord], issuers: list[str]
) -> PatientRecord | None:
    """Choose the record for an identifier when value and issuer are not met exactly.

    An identifier without issuer belongs to the only domain that is known. Where several are, or the issuer is the new
    one, only equal demographics join: two hospitals may use the same number for two people.
    """
    candidates = [other for other in others if _one_is_unsaid(identifier, other.identifier)]
    agreeing = [other for other in candidates if agree(demographics, other.demographics)]
    if agreeing:
        return agreeing[0] if len({other.root_key for other in agreeing}) == 1 else None
    domains = {*issuers, identifier.issuer} - {"", UNIDENTIFIED}
    if len(candidates) != 1 or len(domains) > 1:
        return None
    return None if contradict(demographics, candidates[0].demographics) else candidates[0]


def _one_is_unsaid(mine: Identifier, theirs: Identifier) -> bool:
    issuers = {mine.issuer, theirs.issuer}
    return "" in issuers and UNIDENTIFIED not in issuers


def merged_demographics(kept: Demographics, statement: PatientStatement) -> Demographics:
    """Apply a statement: given fields replace, empty ones keep, HL7 nulls erase (HL7 2.5.1 2.5.3)."""
    said = statement.demographics
    after = {
        name: "" if name in statement.deleted else (getattr(said, name) or getattr(kept, name))
        for name in Demographics.__slots__
    }
    return Demographics(**after)
