"""What can be wrong with a message, where, and by which code of HL7 table 0357."""

from enum import IntEnum

from hilum.core.kernel.errors import Invalid


class Condition(IntEnum):
    """HL7 table 0357, message error condition codes (HL7 2.5.1, 2.15.5.3)."""

    SEGMENT_SEQUENCE = 100
    REQUIRED_FIELD_MISSING = 101
    DATA_TYPE = 102
    TABLE_VALUE_NOT_FOUND = 103
    UNSUPPORTED_MESSAGE_TYPE = 200
    UNSUPPORTED_EVENT = 201
    UNSUPPORTED_PROCESSING_ID = 202
    UNSUPPORTED_VERSION = 203
    UNKNOWN_KEY = 204
    DUPLICATE_KEY = 205
    RECORD_LOCKED = 206
    APPLICATION_INTERNAL = 207


CONDITION_TEXT = {
    Condition.SEGMENT_SEQUENCE: "Segment sequence error",
    Condition.REQUIRED_FIELD_MISSING: "Required field missing",
    Condition.DATA_TYPE: "Data type error",
    Condition.TABLE_VALUE_NOT_FOUND: "Table value not found",
    Condition.UNSUPPORTED_MESSAGE_TYPE: "Unsupported message type",
    Condition.UNSUPPORTED_EVENT: "Unsupported event code",
    Condition.UNSUPPORTED_PROCESSING_ID: "Unsupported processing id",
    Condition.UNSUPPORTED_VERSION: "Unsupported version id",
    Condition.UNKNOWN_KEY: "Unknown key identifier",
    Condition.DUPLICATE_KEY: "Duplicate key identifier",
    Condition.RECORD_LOCKED: "Application record locked",
    Condition.APPLICATION_INTERNAL: "Application internal error",
}


class MessageInvalid(Invalid):
    """A message breaks HL7; `location` is an ERL such as `PID^1^3`, `condition` a code of table 0357."""

    def __init__(
        self,
        what: str,
        *,
        location: str = "",
        condition: Condition = Condition.DATA_TYPE,
        next_step: str = "",
    ) -> None:
        super().__init__(what, next_step=next_step)
        self.location = location
        self.condition = condition


class FramingInvalid(Invalid):
    """The bytes of a connection are not MLLP, or a block is longer than allowed; the connection is lost."""
