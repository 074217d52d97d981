"""Endpoint: where the images of this server are fetched (FHIR R4 8.8; IHE IMR, SMART Imaging Access)."""

from hilum.wire.fhir import names
from hilum.wire.fhir.parameters import SearchParameter, codes
from hilum.wire.fhir.search import Parameter
from hilum.wire.fhir.values import Resource

WADO = "wado"
"""Id of the one Endpoint: DICOMweb on this server."""

STATUS = "active"
CONNECTION_TYPES = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
CONNECTION_TYPE = "dicom-wado-rs"


def endpoint(dicomweb_url: str) -> Resource:
    """Return the Endpoint of a DICOMweb base URL: a study is at `{address}/studies/{uid}` (PS3.18 10.4)."""
    return {
        "resourceType": "Endpoint",
        "id": WADO,
        "meta": {"versionId": "1"},
        "status": STATUS,
        "connectionType": {"system": CONNECTION_TYPES, "code": CONNECTION_TYPE, "display": "DICOM WADO-RS"},
        "name": "DICOMweb",
        "payloadType": [
            {"coding": [{"system": names.DCM, "code": "113014", "display": "DICOM Study"}], "text": "DICOM"}
        ],
        "payloadMimeType": ["application/dicom"],
        "address": dicomweb_url,
    }


def _by_id(query: Resource, parameter: Parameter) -> Resource | None:
    return query if query["id"] in parameter.plain().texts() else None


def _by_status(query: Resource, parameter: Parameter) -> Resource | None:
    return query if STATUS in codes(parameter, "http://hl7.org/fhir/endpoint-status") else None


def _by_connection_type(query: Resource, parameter: Parameter) -> Resource | None:
    return query if CONNECTION_TYPE in codes(parameter, CONNECTION_TYPES) else None


PARAMETERS: tuple[SearchParameter[Resource], ...] = (
    SearchParameter("_id", "token", _by_id, "Resource-id"),
    SearchParameter("connection-type", "token", _by_connection_type, "Endpoint-connection-type"),
    SearchParameter("status", "token", _by_status, "Endpoint-status"),
)
"""What is asked of the one Endpoint: it stays, or it does not."""
