"""The DIMSE messages of PS3.7 9.3 and 10.3 as values: fields are the keywords of their command elements.

A field without a default is one that a message of its kind cannot be understood without. `has_data_set` stands for
CommandDataSetType (0000,0800): 0101H is none.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class Priority(IntEnum):
    """How urgent a request is (PS3.7 9.1.1.1.5)."""

    MEDIUM = 0
    HIGH = 1
    LOW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CStoreRequest:
    """C-STORE-RQ (PS3.7 Table 9.3-1): keep the data set that follows."""

    command_field: ClassVar[int] = 0x0001
    AffectedSOPClassUID: str
    MessageID: int
    Priority: int = Priority.MEDIUM
    AffectedSOPInstanceUID: str
    MoveOriginatorApplicationEntityTitle: str | None = None
    MoveOriginatorMessageID: int | None = None
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Response:
    """What every response says (PS3.7 C)."""

    AffectedSOPClassUID: str | None = None
    MessageIDBeingRespondedTo: int
    Status: int
    OffendingElement: tuple[int, ...] | None = None
    ErrorComment: str | None = None
    ErrorID: int | None = None
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CStoreResponse(_Response):
    """C-STORE-RSP (PS3.7 Table 9.3-2)."""

    command_field: ClassVar[int] = 0x8001
    AffectedSOPInstanceUID: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CFindRequest:
    """C-FIND-RQ (PS3.7 Table 9.3-3): match the identifier that follows."""

    command_field: ClassVar[int] = 0x0020
    AffectedSOPClassUID: str
    MessageID: int
    Priority: int = Priority.MEDIUM
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CFindResponse(_Response):
    """C-FIND-RSP (PS3.7 Table 9.3-4): one match while pending, none at the end."""

    command_field: ClassVar[int] = 0x8020


@dataclass(frozen=True, slots=True, kw_only=True)
class _SubOperationsResponse(_Response):
    """What C-GET and C-MOVE responses count (PS3.7 9.1.3.1, 9.1.4.1)."""

    NumberOfRemainingSuboperations: int | None = None
    NumberOfCompletedSuboperations: int | None = None
    NumberOfFailedSuboperations: int | None = None
    NumberOfWarningSuboperations: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CGetRequest:
    """C-GET-RQ (PS3.7 Table 9.3-6): store the matches on this association."""

    command_field: ClassVar[int] = 0x0010
    AffectedSOPClassUID: str
    MessageID: int
    Priority: int = Priority.MEDIUM
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CGetResponse(_SubOperationsResponse):
    """C-GET-RSP (PS3.7 Table 9.3-7)."""

    command_field: ClassVar[int] = 0x8010


@dataclass(frozen=True, slots=True, kw_only=True)
class CMoveRequest:
    """C-MOVE-RQ (PS3.7 Table 9.3-9): store the matches at the destination."""

    command_field: ClassVar[int] = 0x0021
    AffectedSOPClassUID: str
    MessageID: int
    Priority: int = Priority.MEDIUM
    MoveDestination: str
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CMoveResponse(_SubOperationsResponse):
    """C-MOVE-RSP (PS3.7 Table 9.3-10)."""

    command_field: ClassVar[int] = 0x8021


@dataclass(frozen=True, slots=True, kw_only=True)
class CEchoRequest:
    """C-ECHO-RQ (PS3.7 Table 9.3-12)."""

    command_field: ClassVar[int] = 0x0030
    AffectedSOPClassUID: str
    MessageID: int
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CEchoResponse(_Response):
    """C-ECHO-RSP (PS3.7 Table 9.3-13)."""

    command_field: ClassVar[int] = 0x8030


@dataclass(frozen=True, slots=True, kw_only=True)
class CCancelRequest:
    """C-CANCEL-FIND/GET/MOVE-RQ (PS3.7 Tables 9.3-5, 9.3-8, 9.3-11): it has no response of its own."""

    command_field: ClassVar[int] = 0x0FFF
    MessageIDBeingRespondedTo: int
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NEventReportRequest:
    """N-EVENT-REPORT-RQ (PS3.7 Table 10.3-1): what happened to an instance."""

    command_field: ClassVar[int] = 0x0100
    AffectedSOPClassUID: str
    MessageID: int
    AffectedSOPInstanceUID: str
    EventTypeID: int
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NEventReportResponse(_Response):
    """N-EVENT-REPORT-RSP (PS3.7 Table 10.3-2)."""

    command_field: ClassVar[int] = 0x8100
    AffectedSOPInstanceUID: str | None = None
    EventTypeID: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NGetRequest:
    """N-GET-RQ (PS3.7 Table 10.3-3): all attributes where the list is absent."""

    command_field: ClassVar[int] = 0x0110
    RequestedSOPClassUID: str
    MessageID: int
    RequestedSOPInstanceUID: str
    AttributeIdentifierList: tuple[int, ...] | None = None
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NGetResponse(_Response):
    """N-GET-RSP (PS3.7 Table 10.3-4)."""

    command_field: ClassVar[int] = 0x8110
    AffectedSOPInstanceUID: str | None = None
    # Here and below: the attributes that caused 0105H or 0107H (PS3.7 C.4.2, C.5.16).
    AttributeIdentifierList: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NSetRequest:
    """N-SET-RQ (PS3.7 Table 10.3-5): change an instance by the modification list that follows."""

    command_field: ClassVar[int] = 0x0120
    RequestedSOPClassUID: str
    MessageID: int
    RequestedSOPInstanceUID: str
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NSetResponse(_Response):
    """N-SET-RSP (PS3.7 Table 10.3-6)."""

    command_field: ClassVar[int] = 0x8120
    AffectedSOPInstanceUID: str | None = None
    AttributeIdentifierList: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NActionRequest:
    """N-ACTION-RQ (PS3.7 Table 10.3-7): do something with an instance."""

    command_field: ClassVar[int] = 0x0130
    RequestedSOPClassUID: str
    MessageID: int
    RequestedSOPInstanceUID: str
    ActionTypeID: int
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NActionResponse(_Response):
    """N-ACTION-RSP (PS3.7 Table 10.3-8)."""

    command_field: ClassVar[int] = 0x8130
    AffectedSOPInstanceUID: str | None = None
    ActionTypeID: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NCreateRequest:
    """N-CREATE-RQ (PS3.7 Table 10.3-9): without an instance UID the performer chooses one."""

    command_field: ClassVar[int] = 0x0140
    AffectedSOPClassUID: str
    MessageID: int
    AffectedSOPInstanceUID: str | None = None
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NCreateResponse(_Response):
    """N-CREATE-RSP (PS3.7 Table 10.3-10)."""

    command_field: ClassVar[int] = 0x8140
    AffectedSOPInstanceUID: str | None = None
    AttributeIdentifierList: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NDeleteRequest:
    """N-DELETE-RQ (PS3.7 Table 10.3-11)."""

    command_field: ClassVar[int] = 0x0150
    RequestedSOPClassUID: str
    MessageID: int
    RequestedSOPInstanceUID: str
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NDeleteResponse(_Response):
    """N-DELETE-RSP (PS3.7 Table 10.3-12)."""

    command_field: ClassVar[int] = 0x8150
    AffectedSOPInstanceUID: str | None = None


AffectedRequest = (
    CStoreRequest
    | CFindRequest
    | CGetRequest
    | CMoveRequest
    | CEchoRequest
    | NEventReportRequest
    | NCreateRequest
)
RequestedRequest = NGetRequest | NSetRequest | NActionRequest | NDeleteRequest
Request = AffectedRequest | RequestedRequest
Response = (
    CStoreResponse
    | CFindResponse
    | CGetResponse
    | CMoveResponse
    | CEchoResponse
    | NEventReportResponse
    | NGetResponse
    | NSetResponse
    | NActionResponse
    | NCreateResponse
    | NDeleteResponse
)
Command = Request | Response | CCancelRequest
