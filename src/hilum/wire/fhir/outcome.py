"""OperationOutcome: what went wrong, or what was left out (FHIR R4 2.28)."""

from collections.abc import Sequence

from hilum.wire.fhir import values
from hilum.wire.fhir.values import Element, Resource, element


def issue(severity: str, code: str, diagnostics: str) -> Element:
    """Return one issue: severity and code of issue-severity and issue-type."""
    return element(severity=severity, code=code, diagnostics=values.text(diagnostics))


def operation_outcome(issues: Sequence[Element]) -> Resource:
    """Return an OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def unknown_parameters(unknown: Sequence[str]) -> Resource:
    """Return the outcome that lists parameters which lenient handling left out (FHIR R4 3.1.1.7.4)."""
    return operation_outcome(
        [
            issue("warning", "not-supported", f"left out, since it is not known here: {name}")
            for name in unknown
        ]
    )
