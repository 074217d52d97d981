"""C-ECHO (PS3.4 A)."""

from hilum.core.access import policy
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.errors import HilumError
from hilum.doors.dimse.failures import Service
from hilum.doors.dimse.session import Session
from hilum.wire.dicom.dimse.messages import CEchoRequest
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext


def echo(session: Session, context: AcceptedContext, request: CEchoRequest) -> None:
    """Answer that we are here."""
    try:
        policy.demand(session.caller, Permission.VERIFY)
        session.respond(context, request, Status.SUCCESS)
    except HilumError as error:
        session.refuse(context, request, Service.NORMALIZED, error)
