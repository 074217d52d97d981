"""What the standard says of a resource: the official R4 JSON schema, and a second FHIR library."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft6Validator

from hilum.wire.fhir import values

_SCHEMA = json.loads((Path(__file__).parents[2] / "data" / "fhir" / "r4.schema.json").read_text())
Check = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def valid() -> Check:
    """Return a check: it writes a resource, holds it against schema and library, and returns what was read back."""

    def check(resource: dict[str, Any]) -> dict[str, Any]:
        written = values.dumps(resource)
        read: dict[str, Any] = json.loads(written)
        kind = read["resourceType"]
        validator = Draft6Validator({**_SCHEMA, "$ref": f"#/definitions/{kind}"})
        problems = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(read)]
        assert not problems
        model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
        model.model_validate_json(written)
        return read

    return check
