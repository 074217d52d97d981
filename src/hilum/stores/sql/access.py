"""Peers, users, tokens, login links and sessions."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, bindparam, delete, select, update

from hilum.core.access.model import LoginLink, Peer, PeerKind, Session, Token, User
from hilum.core.kernel.peer_options import options_of, said
from hilum.stores.sql.opened import Opened
from hilum.stores.sql.putting import put
from hilum.stores.sql.schema import login_links, peers, sessions, tokens, users


def _columns(table: Table, kind: type) -> Select[Any]:
    return select(*(table.c[field.name] for field in fields(kind)))


_PEER_FIELDS = [field.name for field in fields(Peer)]
_PEERS = _columns(peers, Peer).order_by(peers.c.name)
_PEER = _PEERS.where(peers.c.name == bindparam("at"))
_PEERS_BY_AE_TITLE = _PEERS.where(peers.c.ae_title == bindparam("at"), peers.c.kind == PeerKind.DICOM.value)
_SEEN = update(peers).where(peers.c.name == bindparam("at")).values(last_seen=bindparam("now"))
_REMOVE_PEER = delete(peers).where(peers.c.name == bindparam("at"))
_USERS = _columns(users, User).order_by(users.c.name)
_USER = _USERS.where(users.c.name == bindparam("at"))
_TOKENS = _columns(tokens, Token).order_by(tokens.c.created.desc(), tokens.c.digest)
_TOKEN = _TOKENS.where(tokens.c.digest == bindparam("at"))
_REMOVE_EXPIRED_TOKENS = delete(tokens).where(
    tokens.c.name == bindparam("named"), tokens.c.expires <= bindparam("now")
)
_LINK = _columns(login_links, LoginLink).where(login_links.c.digest == bindparam("at"))
_USE_LINK = (
    update(login_links)
    .where(
        login_links.c.digest == bindparam("at"),
        login_links.c.used.is_(False),
        login_links.c.expires > bindparam("now"),
    )
    .values(used=True)
)
_SESSION = _columns(sessions, Session).where(sessions.c.digest == bindparam("at"))
_REMOVE_SESSIONS = delete(sessions).where(
    sessions.c.user_name == bindparam("at"), sessions.c.digest != bindparam("kept")
)
_REMOVE_SESSION = delete(sessions).where(sessions.c.digest == bindparam("at"))


class SqlAccess:
    """Core's `AccessShelf`."""

    def __init__(self, opened: Opened) -> None:
        """Work inside one transaction."""
        self._opened = opened

    def peers(self) -> list[Peer]:
        """Return all peers by name."""
        return [_peer(row) for row in self._opened.connection.execute(_PEERS)]

    def peer(self, name: str) -> Peer | None:
        """Return one peer."""
        row = self._opened.connection.execute(_PEER, {"at": name}).first()
        return _peer(row) if row else None

    def peers_by_ae_title(self, ae_title: str) -> list[Peer]:
        """Return the DICOM peers with this AE title."""
        return [_peer(row) for row in self._opened.connection.execute(_PEERS_BY_AE_TITLE, {"at": ae_title})]

    def put_peer(self, peer: Peer) -> None:
        """Add or replace a peer by name."""
        put(
            self._opened.connection,
            peers,
            asdict(peer) | {"kind": peer.kind.value, "options": said(peer.options)},
        )

    def remove_peer(self, name: str) -> bool:
        """Remove a peer; tell whether it was there."""
        return self._opened.connection.execute(_REMOVE_PEER, {"at": name}).rowcount > 0

    def seen(self, name: str, at: datetime) -> None:
        """Note when a peer was last heard."""
        self._opened.connection.execute(_SEEN, {"at": name, "now": at})

    def users(self) -> list[User]:
        """Return all users by name."""
        return [User(*row) for row in self._opened.connection.execute(_USERS)]

    def user(self, name: str) -> User | None:
        """Return one user."""
        row = self._opened.connection.execute(_USER, {"at": name}).first()
        return User(*row) if row else None

    def put_user(self, user: User) -> None:
        """Add or replace a user by name."""
        put(self._opened.connection, users, asdict(user))

    def token(self, digest: str) -> Token | None:
        """Return a token by the SHA-256 of its secret."""
        row = self._opened.connection.execute(_TOKEN, {"at": digest}).first()
        return Token(*row) if row else None

    def tokens(self) -> list[Token]:
        """Return all tokens, newest first."""
        return [Token(*row) for row in self._opened.connection.execute(_TOKENS)]

    def put_token(self, token: Token) -> None:
        """Add or replace a token by digest."""
        put(self._opened.connection, tokens, asdict(token))

    def remove_expired_tokens(self, name: str, at: datetime) -> None:
        """Forget the tokens of one name that are expired by then."""
        self._opened.connection.execute(_REMOVE_EXPIRED_TOKENS, {"named": name, "now": at})

    def put_link(self, link: LoginLink) -> None:
        """Keep a login link."""
        put(self._opened.connection, login_links, asdict(link))

    def use_link(self, digest: str, at: datetime) -> LoginLink | None:
        """Use up a link that is unused and not expired, and return it; None otherwise."""
        if self._opened.connection.execute(_USE_LINK, {"at": digest, "now": at}).rowcount != 1:
            return None
        row = self._opened.connection.execute(_LINK, {"at": digest}).first()
        return LoginLink(*row) if row else None

    def session(self, digest: str) -> Session | None:
        """Return a session."""
        row = self._opened.connection.execute(_SESSION, {"at": digest}).first()
        return Session(*row) if row else None

    def put_session(self, session: Session) -> None:
        """Keep a session."""
        put(self._opened.connection, sessions, asdict(session))

    def remove_session(self, digest: str) -> None:
        """End a session."""
        self._opened.connection.execute(_REMOVE_SESSION, {"at": digest})

    def remove_sessions(self, user_name: str, kept_digest: str = "") -> None:
        """End the sessions of a user, except one."""
        self._opened.connection.execute(_REMOVE_SESSIONS, {"at": user_name, "kept": kept_digest})


def _peer(row: Sequence[Any]) -> Peer:
    values = dict(zip(_PEER_FIELDS, row, strict=True))
    kind, options = PeerKind(values["kind"]), options_of(values["options"] or {})
    return Peer(**values | {"kind": kind, "options": options})
