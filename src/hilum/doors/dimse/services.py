"""Which SOP classes are served, with which transfer syntaxes and roles, and by which function. Conformance is read here."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hilum.doors.dimse import (
    commitment,
    extended,
    procedure,
    query,
    retrieve,
    storage,
    verification,
    workitems,
)
from hilum.doors.dimse.session import Session
from hilum.wire.dicom.commitment import SOP_CLASS_UID as STORAGE_COMMITMENT
from hilum.wire.dicom.dimse.messages import (
    CEchoRequest,
    CFindRequest,
    CGetRequest,
    CMoveRequest,
    CStoreRequest,
    NActionRequest,
    NCreateRequest,
    NEventReportRequest,
    NGetRequest,
    NSetRequest,
)
from hilum.wire.dicom.mpps import PERFORMED_PROCEDURE_STEP
from hilum.wire.dicom.sop_classes import STORAGE_SOP_CLASSES
from hilum.wire.dicom.transfer_syntaxes import TRANSFER_SYNTAXES
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext, Supported

VERIFICATION = "1.2.840.10008.1.1"

Serve = Callable[[Session, AcceptedContext, Any], None]
"""Handles one request of the type that it is registered for."""

_PLAIN = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
"""Of messages that are not images: all that a data set can be written in."""

_STORAGE = Supported(tuple(TRANSFER_SYNTAXES), as_scp=True, as_scu=True)
"""Stored as received, in any transfer syntax."""

SUPPORTED: Mapping[str, Supported] = {
    VERIFICATION: Supported(_PLAIN),
    STORAGE_COMMITMENT: Supported(_PLAIN, as_scp=True, as_scu=True),
    PERFORMED_PROCEDURE_STEP: Supported(_PLAIN),
    procedure.PERFORMED_PROCEDURE_STEP_RETRIEVE: Supported(_PLAIN),
    query.MODALITY_WORKLIST_FIND: Supported(_PLAIN),
    **{sop_class: Supported(_PLAIN) for sop_class in workitems.SOP_CLASSES},
    **{sop_class: Supported(_PLAIN) for sop_class in query.FIND_MODELS},
    **{sop_class: Supported(_PLAIN) for sop_class in retrieve.MOVE_MODELS},
    **{sop_class: Supported(_PLAIN) for sop_class in retrieve.GET_MODELS},
    **dict.fromkeys(STORAGE_SOP_CLASSES, _STORAGE),
}
"""What an association may agree on."""

EXTENDED: Mapping[str, bytes] = {
    **dict.fromkeys(query.FIND_MODELS, extended.FIND),
    **dict.fromkeys(retrieve.MOVE_MODELS, extended.RETRIEVE),
    **dict.fromkeys(retrieve.GET_MODELS, extended.RETRIEVE),
}
"""What extended negotiation may agree on."""

_BY_SOP_CLASS: Mapping[tuple[str, type], Serve] = {
    (VERIFICATION, CEchoRequest): verification.echo,
    (query.MODALITY_WORKLIST_FIND, CFindRequest): query.find_worklist,
    (STORAGE_COMMITMENT, NActionRequest): commitment.request_commitment,
    (STORAGE_COMMITMENT, NEventReportRequest): commitment.take_report,
    (PERFORMED_PROCEDURE_STEP, NCreateRequest): procedure.create,
    (PERFORMED_PROCEDURE_STEP, NSetRequest): procedure.change,
    (procedure.PERFORMED_PROCEDURE_STEP_RETRIEVE, NGetRequest): procedure.get,
    **workitems.SERVICES,
    **{(sop_class, CFindRequest): query.find for sop_class in query.FIND_MODELS},
    **{(sop_class, CMoveRequest): retrieve.move for sop_class in retrieve.MOVE_MODELS},
    **{(sop_class, CGetRequest): retrieve.get for sop_class in retrieve.GET_MODELS},
    **{(sop_class, CStoreRequest): storage.store for sop_class in STORAGE_SOP_CLASSES},
}


def supported_with(private_sop_classes: Iterable[str]) -> Mapping[str, Supported]:
    """Return what an association may agree on, with private storage classes; those of the standard stay as they are."""
    return {**dict.fromkeys(private_sop_classes, _STORAGE), **SUPPORTED}


def service_of(context: AcceptedContext, request: object) -> Serve | None:
    """Return who serves this request in this context."""
    known = _BY_SOP_CLASS.get((context.abstract_syntax, type(request)))
    if known is None and isinstance(request, CStoreRequest) and context.abstract_syntax not in SUPPORTED:
        return storage.store  # a private class: agreed on, so configured
    return known
