"""The FHIR door: the record's views by read and search (FHIR R4 4.0.1, JSON)."""

from hilum.doors.fhir.routes import fhir_door, fhir_routes

__all__ = ["fhir_door", "fhir_routes"]
