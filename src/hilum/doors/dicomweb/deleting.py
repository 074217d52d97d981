"""DELETE of a study, series or instance: PS3.18 has none, so it is a rejection with a grace period."""

from starlette.requests import Request
from starlette.responses import Response

from hilum.core.archive.lifecycle import RejectionReason
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import Invalid
from hilum.doors.dicomweb.paths import uid_in_path


class Deleting:
    """Orders deletions: out of sight at once, gone after the grace period."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer `DELETE /studies/{study}` and below: `reason` is `retention` or `quality`, `detail` why in words."""
        uids = (
            uid_in_path(request, "study"),
            uid_in_path(request, "series"),
            uid_in_path(request, "instance"),
        )
        asked = request.query_params
        reason = _reason(asked.get("reason", RejectionReason.RETENTION))
        self._hub.order_deletion(caller, uids, reason, asked.get("detail", "asked for by DELETE"))
        return Response(status_code=204)


def _reason(text: str) -> RejectionReason:
    try:
        return RejectionReason(text)
    except ValueError as error:
        raise Invalid("no such reason", next_step="reason=retention or reason=quality") from error
