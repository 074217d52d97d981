"""A coded concept."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """Code value, coding scheme and meaning: PS3.3 8.8, CWE.1-3, FHIR Coding."""

    value: str = ""
    scheme: str = ""
    meaning: str = ""

    def __bool__(self) -> bool:
        """Tell whether anything at all was said."""
        return bool(self.value or self.meaning)


NO_CODE = Code()
