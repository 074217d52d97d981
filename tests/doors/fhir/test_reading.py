"""Read, version, negotiation and failures of the FHIR door."""

from datetime import timedelta
from typing import Any

import pytest

from hilum.core.access import policy
from hilum.core.hub import Hub
from hilum.core.reports.model import ReportStatus


def test_the_statement_lists_what_is_served(reader: Any) -> None:
    statement = reader.read("metadata")

    rest = statement["rest"][0]
    assert (statement["fhirVersion"], rest["mode"]) == ("4.0.1", "server")
    assert {one["type"] for one in rest["resource"]} == {
        "DiagnosticReport",
        "Endpoint",
        "ImagingStudy",
        "Observation",
        "Patient",
        "ServiceRequest",
    }
    assert statement["implementation"]["url"] == f"{reader.base_url}/fhir"


def test_every_parameter_of_the_statement_is_answered(reader: Any) -> None:
    writings = {"date": "2026-01-02", "reference": "x", "string": "x", "token": "x"}

    for resource in reader.read("metadata")["rest"][0]["resource"]:
        for parameter in resource["searchParam"]:
            path = f"{resource['type']}?{parameter['name']}={writings[parameter['type']]}"
            response = reader.ask(path, headers={"Prefer": "handling=strict"})
            assert response.status_code == 200, path


def test_every_resource_is_read_by_its_reference(client: Any, hospital: Any) -> None:
    hospital.patient("4711")
    order = hospital.order("4711", "1")
    hospital.study(order.study_instance_uid, "4711", "A1")
    hospital.report("4711", "1")

    report = client.found("DiagnosticReport")[0]
    followed = [
        report["subject"],
        report["basedOn"][0],
        report["imagingStudy"][0],
        *report["result"],
        client.read(report["imagingStudy"][0]["reference"])["endpoint"][0],
    ]

    kinds = [client.read(one["reference"])["resourceType"] for one in followed]
    assert kinds == ["Patient", "ServiceRequest", "ImagingStudy", "Observation", "Observation", "Endpoint"]


def test_the_endpoint_names_dicomweb_on_this_server(reader: Any) -> None:
    found = reader.read("Endpoint/wado")

    assert found["address"] == f"{reader.base_url}/dicom-web"
    assert reader.ids("Endpoint?connection-type=dicom-wado-rs") == ["wado"]
    assert reader.ids("Endpoint?status=off") == []


def test_a_version_stands_in_etag_and_is_not_sent_twice(client: Any, hospital: Any) -> None:
    public_id = hospital.patient("4711").public_id

    first = client.ask(f"Patient/{public_id}")
    again = client.ask(f"Patient/{public_id}", headers={"If-None-Match": first.headers["etag"]})
    other = client.ask(f"Patient/{public_id}", headers={"If-None-Match": 'W/"77"'})

    assert first.headers["etag"] == 'W/"1"'
    assert first.headers["last-modified"].endswith("GMT")
    assert (again.status_code, again.content) == (304, b"")
    assert other.status_code == 200


def test_a_merge_is_a_new_version_of_everything_that_it_changes(client: Any, hospital: Any) -> None:
    survivor, retired = hospital.patient("1"), hospital.patient("2", "Roe^Jane", "19800202")
    hospital.study("1.2.3", "2")
    paths = [f"Patient/{survivor.public_id}", f"Patient/{retired.public_id}", "ImagingStudy/1.2.3"]
    before = [client.ask(path).headers["etag"] for path in paths]

    hospital.merge("1", "2")

    after = [
        client.ask(path, headers={"If-None-Match": tag}) for path, tag in zip(paths, before, strict=True)
    ]
    assert [one.status_code for one in after] == [200, 200, 200]


def test_versions_of_a_report_are_kept(client: Any, hospital: Any) -> None:
    hospital.patient("4711")
    public_id = hospital.report("4711", "1", conclusion="Fracture.").public_id
    hospital.report("4711", "1", conclusion="No fracture.", status=ReportStatus.CORRECTED)

    first = client.read(f"DiagnosticReport/{public_id}/_history/1")
    newest = client.read(f"DiagnosticReport/{public_id}")

    assert (first["conclusion"], first["status"]) == ("Fracture.", "final")
    assert (newest["conclusion"], newest["meta"]["versionId"]) == ("No fracture.", "2")
    assert client.ask(f"DiagnosticReport/{public_id}/_history/3").status_code == 404


def test_the_current_version_of_any_resource_is_read_by_version(client: Any, hospital: Any) -> None:
    public_id = hospital.patient("4711").public_id

    assert client.read(f"Patient/{public_id}/_history/1")["id"] == public_id
    assert client.ask(f"Patient/{public_id}/_history/2").status_code == 404
    assert client.ask(f"Patient/{public_id}/_history/x").status_code == 404


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("Patient/nobody", "GET", 404, "not-found"),
        ("ImagingStudy/1.2.3", "GET", 404, "not-found"),
        ("ServiceRequest/x", "GET", 404, "not-found"),
        ("DiagnosticReport/x", "GET", 404, "not-found"),
        ("Observation/x", "GET", 404, "not-found"),
        ("Observation/x-1", "GET", 404, "not-found"),
        ("Endpoint/x", "GET", 404, "not-found"),
        ("Medication/x", "GET", 404, "not-supported"),
        ("Medication?code=x", "GET", 404, "not-supported"),
        ("Patient/x/y", "GET", 404, "not-found"),
        ("", "GET", 404, "not-found"),
        ("Patient/x", "PUT", 405, "not-supported"),
        ("Patient/x", "DELETE", 405, "not-supported"),
        ("Patient", "POST", 405, "not-supported"),
        ("Patient/_search", "PUT", 405, "not-supported"),
        ("Patient?birthdate=soon", "GET", 400, "invalid"),
        ("Patient?family:exact=Doe", "GET", 400, "not-supported"),
        ("Patient?_count=many", "GET", 400, "invalid"),
    ],
)
def test_a_failure_is_an_operation_outcome(
    reader: Any, path: str, method: str, status: int, code: str
) -> None:
    response = reader.ask(path, method)

    assert response.status_code == status
    assert response.json()["resourceType"] == "OperationOutcome"
    assert response.json()["issue"][0]["code"] == code


@pytest.mark.parametrize(
    ("accept", "status", "media_type"),
    [
        ("application/fhir+json", 200, "application/fhir+json"),
        ("application/fhir+json; fhirVersion=4.0", 200, "application/fhir+json"),
        ("application/json", 200, "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200, "application/fhir+json"),
        ("application/fhir+xml", 406, "application/fhir+json"),
        ("application/fhir+json; fhirVersion=5.0", 406, "application/fhir+json"),
        ("text/turtle", 406, "application/fhir+json"),
        ("nonsense", 400, "application/fhir+json"),
    ],
)
def test_json_is_negotiated(reader: Any, accept: str, status: int, media_type: str) -> None:
    response = reader.ask("metadata", headers={"Accept": accept})

    assert (response.status_code, response.headers["content-type"]) == (status, media_type)


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("json", 200),
        ("application/fhir%2Bjson", 200),
        ("application/fhir+json", 200),
        ("xml", 406),
        ("ttl", 406),
    ],
)
def test_format_stands_before_accept(reader: Any, written: str, status: int) -> None:
    response = reader.ask(f"metadata?_format={written}", headers={"Accept": "text/html"})

    assert response.status_code == status


def test_a_stranger_reads_the_statement_and_nothing_else(stranger: Any) -> None:
    assert stranger.ask("metadata").status_code == 200
    for path in ("Patient", "Patient/x", "ImagingStudy", "Endpoint/wado", "Observation?status=final"):
        response = stranger.ask(path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["issue"][0]["code"] == "login"


def test_a_token_reads_what_its_scope_allows(stranger: Any, closed_hub: Hub) -> None:
    operator = policy.local_operator("test")
    secret = closed_hub.create_token(operator, "app", ("patients.read",), timedelta(hours=1))
    bearer = {"Authorization": f"Bearer {secret}"}

    allowed = stranger.ask("Patient", headers=bearer)
    refused = [
        stranger.ask(path, headers=bearer)
        for path in (
            "ImagingStudy",
            "ImagingStudy?status=cancelled",
            "ImagingStudy?_summary=count",
            "ServiceRequest?patient=http://elsewhere/Patient/1",
            "DiagnosticReport/x",
            "Observation?status=nonsense",
        )
    ]

    assert allowed.status_code == 200
    assert [one.status_code for one in refused] == [403] * 6
    assert {one.json()["issue"][0]["code"] for one in refused} == {"forbidden"}


def test_a_forwarded_address_counts_only_from_a_trusted_proxy(reader: Any) -> None:
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "pacs.example",
        "X-Forwarded-Prefix": "/hilum",
    }

    statement = reader.ask("metadata", headers=forwarded).json()

    assert statement["implementation"]["url"] == "https://pacs.example/hilum/fhir"
