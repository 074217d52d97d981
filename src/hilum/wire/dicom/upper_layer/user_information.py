"""What the two sides tell each other beyond contexts: the user information item (PS3.7 D.3.3, PS3.8 D)."""

from dataclasses import dataclass, field
from enum import IntEnum

# From UUID 9855a99e-618b-456d-bc6a-f582b41a2cc9, as PS3.5 B.2 derives a UID.
IMPLEMENTATION_CLASS_UID = "2.25.202487440867743781925027013345834314953"
IMPLEMENTATION_VERSION_NAME = "HILUM_0_1"


@dataclass(frozen=True, slots=True)
class AsynchronousOperationsWindow:
    """How many operations may be outstanding; 0 is without limit (PS3.7 D.3.3.3)."""

    maximum_number_operations_invoked: int = 1
    maximum_number_operations_performed: int = 1


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """The roles that the association-requestor proposes or is granted for one SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu_role: bool
    scp_role: bool


@dataclass(frozen=True, slots=True)
class SOPClassExtendedNegotiation:
    """Service-class application information, such as relational queries (PS3.7 D.3.3.5, PS3.4 C.5)."""

    sop_class_uid: str
    service_class_application_information: bytes


@dataclass(frozen=True, slots=True)
class SOPClassCommonExtendedNegotiation:
    """The service class of a SOP class and the general SOP classes that it specialises (PS3.7 D.3.3.6)."""

    sop_class_uid: str
    service_class_uid: str
    related_general_sop_class_uids: tuple[str, ...] = ()


class UserIdentityType(IntEnum):
    """What the primary field of a user identity holds (PS3.7 D.3.3.7.1)."""

    USERNAME = 1
    USERNAME_AND_PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who asks, in the A-ASSOCIATE-RQ (PS3.7 D.3.3.7.1); the fields are secrets and stay out of repr."""

    user_identity_type: int  # one of UserIdentityType, or one that a later edition added
    primary_field: bytes = field(repr=False)
    secondary_field: bytes = field(default=b"", repr=False)
    positive_response_requested: bool = False


@dataclass(frozen=True, slots=True)
class UserIdentityResponse:
    """The acceptor's answer to a user identity, in the A-ASSOCIATE-AC (PS3.7 D.3.3.7.2)."""

    server_response: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class UserInformation:
    """All user information sub-items of one A-ASSOCIATE PDU; ours where nothing is said."""

    maximum_length: int = 0
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str = IMPLEMENTATION_VERSION_NAME
    asynchronous_operations_window: AsynchronousOperationsWindow | None = None
    role_selections: tuple[RoleSelection, ...] = ()
    extended_negotiations: tuple[SOPClassExtendedNegotiation, ...] = ()
    common_extended_negotiations: tuple[SOPClassCommonExtendedNegotiation, ...] = ()
    user_identity: UserIdentity | None = None
    user_identity_response: UserIdentityResponse | None = None


OURS = UserInformation()
