"""What a store must do for access."""

from datetime import datetime
from typing import Protocol

from hilum.core.access.model import LoginLink, Peer, Session, Token, User
from hilum.core.audit.ports import AuditTransaction


class AccessShelf(Protocol):
    """Peers, users, tokens, links and sessions."""

    def peers(self) -> list[Peer]:
        """Return all peers by name."""

    def peer(self, name: str) -> Peer | None:
        """Return one peer."""

    def peers_by_ae_title(self, ae_title: str) -> list[Peer]:
        """Return the DICOM peers with this AE title."""

    def put_peer(self, peer: Peer) -> None:
        """Add or replace a peer by name."""

    def remove_peer(self, name: str) -> bool:
        """Remove a peer; tell whether it was there."""

    def seen(self, name: str, at: datetime) -> None:
        """Note when a peer was last heard."""

    def users(self) -> list[User]:
        """Return all users by name."""

    def user(self, name: str) -> User | None:
        """Return one user."""

    def put_user(self, user: User) -> None:
        """Add or replace a user by name."""

    def token(self, digest: str) -> Token | None:
        """Return a token by the SHA-256 of its secret."""

    def tokens(self) -> list[Token]:
        """Return all tokens, newest first."""

    def put_token(self, token: Token) -> None:
        """Add or replace a token by digest."""

    def remove_expired_tokens(self, name: str, at: datetime) -> None:
        """Forget the tokens of one name that are expired by then."""

    def put_link(self, link: LoginLink) -> None:
        """Keep a login link."""

    def use_link(self, digest: str, at: datetime) -> LoginLink | None:
        """Use up a link that is unused and not expired, and return it; None otherwise."""

    def session(self, digest: str) -> Session | None:
        """Return a session."""

    def put_session(self, session: Session) -> None:
        """Keep a session."""

    def remove_session(self, digest: str) -> None:
        """End a session."""

    def remove_sessions(self, user_name: str, kept_digest: str = "") -> None:
        """End the sessions of a user, except one."""


class AccessTransaction(AuditTransaction, Protocol):
    """A transaction that sees who belongs."""

    @property
    def access(self) -> AccessShelf:
        """Peers, users, tokens, sessions."""


class Passwords(Protocol):
    """Password hashing, slow on purpose."""

    def hashed(self, password: str) -> str:
        """Return the hash to keep."""

    def verified(self, password_hash: str, password: str) -> bool:
        """Tell whether the password is right; an empty hash takes as long as any and is never right."""
