"""Bundle of type searchset (FHIR R4 2.36, 3.1.1.7)."""

from collections.abc import Mapping, Sequence

from hilum.wire.fhir.values import Element, Resource


def searchset(
    base_url: str,
    links: Mapping[str, str],
    matches: Sequence[Resource],
    total: int | None,
    outcome: Resource | None = None,
) -> Resource:
    """Return a page of a search: matches with their full URLs, the total if it is known, and what was left out."""
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = [{"relation": relation, "url": url} for relation, url in links.items()]
    entries = [_match(base_url, one) for one in matches]
    if outcome is not None:
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    if entries:
        bundle["entry"] = entries
    return bundle


def _match(base_url: str, resource: Resource) -> Element:
    return {
        "fullUrl": f"{base_url}/{resource['resourceType']}/{resource['id']}",
        "resource": resource,
        "search": {"mode": "match"},
    }
