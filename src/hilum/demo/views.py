"""What a browser or a program sees of the record: QIDO-RS, WADO-RS and FHIR, with a bearer token."""

from typing import Any

import httpx

from hilum.demo.stage import StepFailed


class Views:
    """The HTTP doors of a server."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    def studies(self, **matches: str) -> list[dict[str, str]]:
        """QIDO-RS: studies, with the attributes that the play shows (PS3.18 10.6)."""
        found = self._json("/dicom-web/studies", matches, "application/dicom+json")
        tags = {"PatientName": "00100010", "PatientID": "00100020", "StudyInstanceUID": "0020000D",
                "NumberOfStudyRelatedInstances": "00201208"}  # fmt: skip
        return [{keyword: _first(study, tag) for keyword, tag in tags.items()} for study in found or []]

    def patient_id_in_metadata(self, study_instance_uid: str) -> set[str]:
        """WADO-RS metadata: the Patient ID that every instance of a study shows (PS3.18 10.4)."""
        found = self._json(f"/dicom-web/studies/{study_instance_uid}/metadata", {}, "application/dicom+json")
        return {_first(instance, "00100020") for instance in found}

    def resources(self, resource_type: str, **matches: str) -> list[dict[str, Any]]:
        """FHIR search."""
        bundle = self._json(f"/fhir/{resource_type}", matches, "application/fhir+json")
        return [
            entry["resource"]
            for entry in bundle.get("entry", [])
            if entry.get("search", {}).get("mode") != "outcome"
        ]

    def resource(self, reference: str) -> dict[str, Any]:
        """FHIR read."""
        found: dict[str, Any] = self._json(f"/fhir/{reference}", {}, "application/fhir+json")
        return found

    def _json(self, path: str, matches: dict[str, str], accept: str) -> Any:  # noqa: ANN401  # JSON
        try:
            response = self._client.get(path, params=matches, headers={"Accept": accept})
        except httpx.HTTPError as error:
            raise StepFailed(f"GET {path}: {error}") from error
        if response.status_code == httpx.codes.NO_CONTENT:
            return []
        if not response.is_success:
            raise StepFailed(f"GET {path}: HTTP {response.status_code}: {response.text[:300]}")
        return response.json()


def _first(attributes: dict[str, Any], tag: str) -> str:
    values = attributes.get(tag, {}).get("Value", [""])
    value = values[0] if values else ""
    return str(value.get("Alphabetic", "")) if isinstance(value, dict) else str(value)
