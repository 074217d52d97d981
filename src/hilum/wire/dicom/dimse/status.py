"""Status codes as tables (PS3.7 Annex C; PS3.4 by service, edition 2024e)."""

from dataclasses import dataclass
from enum import Enum, IntEnum


class Category(Enum):
    """What a status means for the operation (PS3.7 C.1 to C.5)."""

    SUCCESS = "success"
    PENDING = "pending"
    CANCEL = "cancel"
    WARNING = "warning"
    FAILURE = "failure"


class Status(IntEnum):
    """The codes that we send, by the names of the standard."""

    SUCCESS = 0x0000
    NO_SUCH_ATTRIBUTE = 0x0105
    INVALID_ATTRIBUTE_VALUE = 0x0106
    ATTRIBUTE_LIST_ERROR = 0x0107
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    NO_SUCH_SOP_INSTANCE = 0x0112
    NO_SUCH_EVENT_TYPE = 0x0113
    NO_SUCH_ARGUMENT = 0x0114
    INVALID_ARGUMENT_VALUE = 0x0115
    ATTRIBUTE_VALUE_OUT_OF_RANGE = 0x0116
    INVALID_SOP_INSTANCE = 0x0117
    NO_SUCH_SOP_CLASS = 0x0118
    CLASS_INSTANCE_CONFLICT = 0x0119
    MISSING_ATTRIBUTE = 0x0120
    MISSING_ATTRIBUTE_VALUE = 0x0121
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION_TYPE = 0x0123
    NOT_AUTHORIZED = 0x0124
    DUPLICATE_INVOCATION = 0x0210
    UNRECOGNIZED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    UNABLE_TO_COUNT_MATCHES = 0xA701
    UNABLE_TO_PERFORM_SUB_OPERATIONS = 0xA702
    MOVE_DESTINATION_UNKNOWN = 0xA801
    DOES_NOT_MATCH_SOP_CLASS = 0xA900
    COERCION_OF_DATA_ELEMENTS = 0xB000
    SUB_OPERATIONS_WITH_FAILURES = 0xB000  # the same code, in C-MOVE and C-GET
    ELEMENTS_DISCARDED = 0xB006
    CANNOT_UNDERSTAND = 0xC000
    UNABLE_TO_PROCESS = 0xC000  # the same code, in C-FIND, C-MOVE and C-GET
    CANCEL = 0xFE00
    PENDING = 0xFF00
    PENDING_WITH_UNSUPPORTED_KEYS = 0xFF01


@dataclass(frozen=True, slots=True)
class Code:
    """One row of a table: the codes from `first` to `last` mean this."""

    first: int
    last: int
    category: Category
    meaning: str


def _row(code: int, category: Category, meaning: str, *, last: int | None = None) -> Code:
    """One code, or a range of them."""
    return Code(code, code if last is None else last, category, meaning)


_W, _F, _P = Category.WARNING, Category.FAILURE, Category.PENDING

# PS3.7 Annex C.
GENERAL = (
    _row(0x0000, Category.SUCCESS, "Success"),
    _row(0x0105, _F, "No such attribute"),
    _row(0x0106, _F, "Invalid attribute value"),
    _row(0x0107, _W, "Attribute list error"),
    _row(0x0110, _F, "Processing failure"),
    _row(0x0111, _F, "Duplicate SOP instance"),
    _row(0x0112, _F, "No such SOP instance"),
    _row(0x0113, _F, "No such event type"),
    _row(0x0114, _F, "No such argument"),
    _row(0x0115, _F, "Invalid argument value"),
    _row(0x0116, _W, "Attribute value out of range"),
    _row(0x0117, _F, "Invalid SOP instance"),
    _row(0x0118, _F, "No such SOP class"),
    _row(0x0119, _F, "Class-instance conflict"),
    _row(0x0120, _F, "Missing attribute"),
    _row(0x0121, _F, "Missing attribute value"),
    _row(0x0122, _F, "Refused: SOP class not supported"),
    _row(0x0123, _F, "No such action type"),
    _row(0x0124, _F, "Refused: not authorized"),
    _row(0x0210, _F, "Duplicate invocation"),
    _row(0x0211, _F, "Unrecognized operation"),
    _row(0x0212, _F, "Mistyped argument"),
    _row(0x0213, _F, "Resource limitation"),
    _row(0xFE00, Category.CANCEL, "Cancel"),
)
# PS3.4 Table B.2-1.
STORAGE = (
    _row(0xA700, _F, "Refused: out of resources", last=0xA7FF),
    _row(0xA900, _F, "Data set does not match SOP class", last=0xA9FF),
    _row(0xB000, _W, "Coercion of data elements"),
    _row(0xB006, _W, "Elements discarded"),
    _row(0xB007, _W, "Data set does not match SOP class"),
    _row(0xC000, _F, "Cannot understand", last=0xCFFF),
)
# PS3.4 Table C.4-1 and, for worklists, Table K.4-1.
FIND = (
    _row(0xA700, _F, "Refused: out of resources"),
    _row(0xA710, _F, "Invalid prior record key"),
    _row(0xA900, _F, "Identifier does not match SOP class"),
    _row(0xB001, _W, "Matching reached response limit"),
    _row(0xC000, _F, "Unable to process", last=0xCFFF),
    _row(0xFF00, _P, "Matches are continuing"),
    _row(0xFF01, _P, "Matches are continuing, optional keys were not supported"),
)
# PS3.4 Tables C.4-2 and C.4-3; A801H is of C-MOVE only, AAxxH of the frame level and composite retrieval (Y, Z).
RETRIEVE = (
    _row(0xA701, _F, "Refused: out of resources, unable to calculate number of matches"),
    _row(0xA702, _F, "Refused: out of resources, unable to perform sub-operations"),
    _row(0xA801, _F, "Refused: move destination unknown"),
    _row(0xA900, _F, "Identifier does not match SOP class"),
    _row(0xAA00, _F, "None of the frames requested were found in the SOP instance"),
    _row(0xAA01, _F, "Unable to create new object for this SOP class"),
    _row(0xAA02, _F, "Unable to extract frames"),
    _row(0xAA03, _F, "Time-based request received for a non-time-based original SOP instance"),
    _row(0xAA04, _F, "Invalid request"),
    _row(0xB000, _W, "Sub-operations complete, one or more failures or warnings"),
    _row(0xC000, _F, "Unable to process", last=0xCFFF),
    _row(0xFF00, _P, "Sub-operations are continuing"),
)
# PS3.4 Table F.7.2-2: with 0110H this service says more than "processing failure".
PROCEDURE_STEP = (
    _row(0x0001, _W, "Requested optional attributes are not supported"),
    _row(0x0110, _F, "Performed procedure step object may no longer be updated"),
)
# PS3.4 J.3 has no codes of its own.
STORAGE_COMMITMENT: tuple[Code, ...] = ()


def _category_by_class(status: int) -> Category:
    """The status classes of PS3.7 Annex C, for a code that no table names."""
    if status in {0xFF00, 0xFF01}:
        return Category.PENDING
    if status == 0x0001 or status >> 12 == 0xB:
        return Category.WARNING
    return Category.FAILURE


def look_up(status: int, service: tuple[Code, ...] = ()) -> Code:
    """The row of a status, in the service's table first, then PS3.7's; an unknown code is told by its class."""
    for code in (*service, *GENERAL):
        if code.first <= status <= code.last:
            return code
    return Code(status, status, _category_by_class(status), "Unknown status")
