"""Modality Performed Procedure Step: N-CREATE, N-SET, N-GET (PS3.4 F.7, F.8; RAD-6, RAD-7)."""

import uuid

from hilum.core.kernel.errors import Conflict, HilumError
from hilum.core.kernel.identifiers import uid
from hilum.doors.dimse.failures import Service, comment_of
from hilum.doors.dimse.session import Session
from hilum.wire.dicom.dimse.messages import NCreateRequest, NGetRequest, NSetRequest
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.mpps import changed_step, created_step, step_data_set
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext

PERFORMED_PROCEDURE_STEP_RETRIEVE = "1.2.840.10008.3.1.2.3.4"

MAY_NO_LONGER_BE_UPDATED = 0xA710
"""Error ID (0000,0903) beside 0110 (PS3.4 F.7.2.2.2)."""


def create(session: Session, context: AcceptedContext, request: NCreateRequest) -> None:
    """A step begins; where the peer gave it no UID, we do (PS3.7 10.1.5.1.3)."""
    try:
        step_uid = uid(request.AffectedSOPInstanceUID or _fresh_uid(), "Affected SOP Instance UID")
        step = created_step(session.data_set(), context.transfer_syntax, step_uid)
        session.hub.start_procedure(session.caller, step)
        session.respond(context, request, Status.SUCCESS, AffectedSOPInstanceUID=step_uid)
    except Conflict as error:
        comment = comment_of(error.what)
        session.respond(context, request, Status.DUPLICATE_SOP_INSTANCE, ErrorComment=comment)
    except HilumError as error:
        session.refuse(context, request, Service.NORMALIZED, error)


def change(session: Session, context: AcceptedContext, request: NSetRequest) -> None:
    """A step goes on or ends."""
    try:
        changed, _remarks = changed_step(session.data_set(), context.transfer_syntax)
        session.hub.change_procedure(session.caller, request.RequestedSOPInstanceUID, changed)
        session.respond(context, request, Status.SUCCESS)
    except Conflict as error:
        session.respond(
            context,
            request,
            Status.PROCESSING_FAILURE,
            ErrorComment=comment_of(error.what),
            ErrorID=MAY_NO_LONGER_BE_UPDATED,
        )
    except HilumError as error:
        session.refuse(context, request, Service.NORMALIZED, error)


def get(session: Session, context: AcceptedContext, request: NGetRequest) -> None:
    """Return the attributes of a step."""
    try:
        step = session.hub.performed_procedure(session.caller, request.RequestedSOPInstanceUID)
        attributes = step_data_set(step, request.AttributeIdentifierList or ())
        session.respond(context, request, Status.SUCCESS, attributes)
    except HilumError as error:
        session.refuse(context, request, Service.NORMALIZED, error)


def _fresh_uid() -> str:
    """Return a new UID below 2.25 (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"
