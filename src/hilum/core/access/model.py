"""Peers, users, tokens, links and sessions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hilum.core.kernel.peer_options import NO_OPTIONS, PeerOptions


class PeerKind(StrEnum):
    """How a peer is spoken to."""

    DICOM = "dicom"
    MLLP = "mllp"
    DICOMWEB = "dicomweb"
    FHIR = "fhir"


@dataclass(frozen=True, slots=True)
class Peer:
    """A configured system: where it is, what it may do, who issues its patient identifiers."""

    name: str
    kind: PeerKind
    host: str = ""
    port: int = 0
    ae_title: str = ""
    url: str = ""
    roles: tuple[str, ...] = ()
    default_issuer: str = ""
    check_host: bool = True
    """Ask that an association with this AE title also comes from `host`."""
    last_seen: datetime | None = None
    options: PeerOptions = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in. The password is kept as an Argon2id hash (RFC 9106)."""

    name: str
    password_hash: str
    roles: tuple[str, ...]
    created: datetime
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token (RFC 6750): its SHA-256 is kept, never itself."""

    digest: str
    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class LoginLink:
    """A link that signs in once, to set the first password."""

    digest: str
    user_name: str
    expires: datetime
    used: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that signed in: the SHA-256 of its cookie."""

    digest: str
    user_name: str
    expires: datetime
    csrf: str
