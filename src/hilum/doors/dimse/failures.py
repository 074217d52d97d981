"""Core errors to statuses, service by service (PS3.7 Annex C; PS3.4 B.2.3, C.4, F.7.2, J.3)."""

from collections.abc import Mapping
from enum import Enum

from hilum.core.kernel.errors import Busy, Conflict, HilumError, Invalid, NotFound, Refused
from hilum.wire.dicom.data_sets import AttributeProblem
from hilum.wire.dicom.dimse.messages import CFindRequest, CGetRequest, CMoveRequest, Request
from hilum.wire.dicom.dimse.status import Status

_LONGEST_COMMENT = 64
"""Error Comment (0000,0902) is LO."""


class Service(Enum):
    """Rows of the table below."""

    STORAGE = "storage"
    FIND = "find"
    RETRIEVE = "retrieve"
    NORMALIZED = "normalized"


_TABLE: Mapping[Service, Mapping[type[HilumError], int]] = {
    Service.STORAGE: {
        Invalid: Status.CANNOT_UNDERSTAND,
        NotFound: Status.PROCESSING_FAILURE,
        Conflict: Status.DUPLICATE_SOP_INSTANCE,
        Refused: Status.NOT_AUTHORIZED,
        Busy: Status.OUT_OF_RESOURCES,
    },
    Service.FIND: {
        Invalid: Status.DOES_NOT_MATCH_SOP_CLASS,
        NotFound: Status.SUCCESS,
        Conflict: Status.UNABLE_TO_PROCESS,
        Refused: Status.NOT_AUTHORIZED,
        Busy: Status.OUT_OF_RESOURCES,
    },
    Service.RETRIEVE: {
        Invalid: Status.DOES_NOT_MATCH_SOP_CLASS,
        NotFound: Status.MOVE_DESTINATION_UNKNOWN,
        Conflict: Status.UNABLE_TO_PROCESS,
        Refused: Status.NOT_AUTHORIZED,
        Busy: Status.UNABLE_TO_COUNT_MATCHES,
    },
    Service.NORMALIZED: {
        Invalid: Status.INVALID_ARGUMENT_VALUE,
        NotFound: Status.NO_SUCH_SOP_INSTANCE,
        Conflict: Status.PROCESSING_FAILURE,
        Refused: Status.NOT_AUTHORIZED,
        Busy: Status.RESOURCE_LIMITATION,
    },
}


def status_of(service: Service, error: HilumError) -> int:
    """Return the status that tells this error."""
    if isinstance(error, AttributeProblem):
        return error.status
    return next(
        (int(status) for kind, status in _TABLE[service].items() if isinstance(error, kind)),
        int(Status.PROCESSING_FAILURE),
    )


def unexpected_status(request: Request) -> int:
    """Return the status of a fault of our own: 0110, which queries and retrievals do not have (PS3.7 9.1)."""
    if isinstance(request, CFindRequest | CGetRequest | CMoveRequest):
        return Status.UNABLE_TO_PROCESS
    return Status.PROCESSING_FAILURE


def comment_of(what: str) -> str:
    """Return an Error Comment: what failed, cut to what LO holds, in the default repertoire."""
    return what.encode("ascii", "replace").decode()[:_LONGEST_COMMENT]
