"""The response that belongs to a request (PS3.7 9.3, 10.3)."""

from dataclasses import fields
from typing import Any, cast, get_args

from hilum.wire.dicom.dimse.messages import Request, Response

_REPEATED = ("AffectedSOPClassUID", "AffectedSOPInstanceUID", "EventTypeID", "ActionTypeID")


def _repeats(request: type, response: type) -> tuple[tuple[str, str], ...]:
    """What the response repeats, and where the request says it: as Affected or as Requested."""
    said = {field.name.replace("Requested", "Affected"): field.name for field in fields(request)}
    has = {field.name for field in fields(response)}
    return tuple((keyword, said[keyword]) for keyword in _REPEATED if keyword in said and keyword in has)


_BY_COMMAND_FIELD: dict[int, type] = {response.command_field: response for response in get_args(Response)}
# The response's command field is the request's with bit 15 set (PS3.7 E.1).
_RESPONSES = {request: _BY_COMMAND_FIELD[request.command_field | 0x8000] for request in get_args(Request)}
_REPEATS = {request: _repeats(request, response) for request, response in _RESPONSES.items()}


def respond(request: Request, status: int, **more: Any) -> Response:  # noqa: ANN401  # the response's own fields
    """The response with this status; `more` are its further fields, by keyword."""
    kind = type(request)
    arguments = {keyword: getattr(request, name) for keyword, name in _REPEATS[kind]}
    arguments |= {"MessageIDBeingRespondedTo": request.MessageID, "Status": status}
    return cast("Response", _RESPONSES[kind](**arguments | more))
