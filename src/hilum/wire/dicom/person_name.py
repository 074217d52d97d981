"""Person names: up to three component groups of up to five components (PS3.5 6.2.1)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ComponentGroup:
    """One representation of a name."""

    family: str = ""
    given: str = ""
    middle: str = ""
    prefix: str = ""
    suffix: str = ""

    def __str__(self) -> str:
        """Return the group as encoded, without trailing delimiters."""
        return f"{self.family}^{self.given}^{self.middle}^{self.prefix}^{self.suffix}".rstrip("^")


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name in its alphabetic, ideographic and phonetic representation."""

    alphabetic: ComponentGroup = ComponentGroup()
    ideographic: ComponentGroup = ComponentGroup()
    phonetic: ComponentGroup = ComponentGroup()

    def __str__(self) -> str:
        """Return the value as encoded, without trailing delimiters."""
        return f"{self.alphabetic}={self.ideographic}={self.phonetic}".rstrip("=")


def parse_person_name(value: str) -> PersonName:
    """Read one value of VR PN; groups or components beyond the standard's are left out."""
    return PersonName(*(_parse_group(group) for group in value.split("=")[:3]))


def _parse_group(group: str) -> ComponentGroup:
    return ComponentGroup(*(component.strip(" ") for component in group.split("^")[:5]))
