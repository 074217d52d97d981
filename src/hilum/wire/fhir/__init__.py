"""FHIR R4 (4.0.1) as plain dicts: the record's views, search parameters, bundles, outcomes."""
