"""Peers, users, tokens, links and sessions."""

from dataclasses import dataclass, field
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

    @property
    def key(self) -> str:
        """By which a person names it."""
        return self.digest[:12]


class ClaimKind(StrEnum):
    """By what an association says who its user is (PS3.7 D.3.3.7)."""

    NAME = "name"
    """A name alone: no proof, so it changes nothing."""
    PASSWORD = "password"  # noqa: S105  # a word, not a secret
    TOKEN = "token"  # noqa: S105  # a word, not a secret
    OTHER = "other"
    """Kerberos, SAML, or what a later edition adds: nothing that could be checked here."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who an association says that its user is."""

    kind: ClaimKind
    name: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


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
