"""Admit callers: associations, messages, tokens, passwords, links and sessions."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from hilum.core.access import policy
from hilum.core.access.admission import Resolve, Sender, by_sender, calls_from
from hilum.core.access.certificates import Line, shows_what_it_must
from hilum.core.access.model import LoginLink, Peer, PeerKind, Session, Token, User
from hilum.core.access.ports import AccessTransaction
from hilum.core.audit.model import Outcome
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, CallerKind, Permission
from hilum.core.kernel.choices import View
from hilum.core.kernel.errors import Conflict, Invalid, NotFound, Refused
from hilum.core.kernel.peer_options import PeerOptions

LINK_LIFETIME = timedelta(hours=1)
SESSION_LIFETIME = timedelta(hours=12)
HEARD_PERIOD = timedelta(minutes=1)
VIEWER_LIFETIME = timedelta(minutes=15)
SHORTEST_PASSWORD = 12

_FOR_VIEWING = (
    Permission.ARCHIVE_QUERY,
    Permission.ARCHIVE_RETRIEVE,
    Permission.ARCHIVE_STORE,
    Permission.PATIENTS_READ,
    Permission.REPORTS_READ,
)


def digest_of(secret: str) -> str:
    """Return the SHA-256 under which a random secret is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def admit_association(candidates: Iterable[Peer], line: Line, trace: str, resolve: Resolve) -> Caller:
    """Return which of the peers with a calling AE title this is (PS3.15 node authentication); raises Refused."""
    there = [one for one in candidates if not one.check_host or calls_from(one, line.address, resolve)]
    for peer in there:
        if shows_what_it_must(peer, line):
            return _peer_caller(peer, line.address, trace)
    if there:
        raise Refused(
            "the peer came without TLS, or with another certificate than the one it is bound to",
            next_step="look at what it must show: hilum peers show NAME",
        )
    raise Refused(
        "the calling AE title is not known from this address",
        next_step="add it: hilum peers add NAME --dicom AET@HOST:PORT",
    )


def admit_address(
    candidates: Iterable[Peer], kind: PeerKind, line: Line, trace: str, resolve: Resolve, sender: Sender
) -> Caller:
    """Return the caller behind an address and, where several share it, the sender it names (MLLP); raises Refused."""
    there = [one for one in candidates if one.kind is kind and calls_from(one, line.address, resolve)]
    peer = by_sender((one for one in there if shows_what_it_must(one, line)), sender)
    if peer is not None:
        return _peer_caller(peer, line.address, trace)
    if there:
        raise Refused(
            "no peer at this address has this sending application, facility and certificate",
            next_step="set what it writes and shows: hilum peers set NAME sending_application=... certificate=...",
        )
    raise Refused(
        "no peer of this kind is known at this address",
        next_step=f"add it: hilum peers add NAME --{kind} HOST:PORT",
    )


def note_heard(tx: AccessTransaction, caller: Caller) -> None:
    """Note when a peer was last heard, once a minute at most."""
    known = tx.access.peer(caller.name) if caller.kind is CallerKind.PEER else None
    if known is not None and (known.last_seen is None or known.last_seen < tx.now - HEARD_PERIOD):
        tx.access.seen(known.name, tx.now)


def note_refusal(tx: AccessTransaction, caller: Caller | None, what: str, address: str, trace: str) -> None:
    """Write a refusal to the trail, in a transaction of its own: the refused one was rolled back.

    A name that a stranger claimed is not a known one, so it is not kept.
    """
    stranger = Caller(CallerKind.PEER, "unknown", frozenset(), address, trace)
    record(tx, caller or stranger, f"access.refused.{what}", "Hilum", outcome=Outcome.REFUSED)


def speak_for_user(tx: AccessTransaction, caller: Caller, user: User) -> Caller:
    """Return the caller of an association whose user was checked: what both the user and the peer may do."""
    permissions = caller.permissions & policy.permissions_of(user.roles)
    acting = replace(caller, kind=CallerKind.USER, name=user.name, permissions=permissions)
    record(tx, acting, "access.sign-in", f"User/{user.name}", detail=f"by {caller.peer}")
    return acting


def speak_for_token(tx: AccessTransaction, caller: Caller, secret: str) -> Caller:
    """Return the caller of an association that brought a bearer token: what both may do; raises Refused."""
    held = admit_token(tx, secret, caller.address, caller.trace)
    permissions = caller.permissions & held.permissions
    acting = replace(caller, kind=CallerKind.TOKEN, name=held.name, permissions=permissions)
    record(tx, acting, "access.sign-in", f"Token/{held.name}", detail=f"by {caller.peer}")
    return acting


def admit_token(tx: AccessTransaction, secret: str, address: str, trace: str) -> Caller:
    """Return the caller behind a bearer token (RFC 6750); raises Refused."""
    token = tx.access.token(digest_of(secret))
    expired = token is not None and token.expires is not None and token.expires <= tx.now
    if token is None or token.revoked or expired:
        raise Refused("the token is unknown, revoked or expired", next_step="hilum token create --scope ...")
    permissions = _permissions_of_scopes(token.scopes)
    options = PeerOptions(view=_view_of_scopes(token.scopes))
    return Caller(CallerKind.TOKEN, token.name, permissions, address, trace, options=options)


def admit_session(tx: AccessTransaction, secret: str, address: str, trace: str) -> tuple[Caller, Session]:
    """Return the caller behind a session cookie; raises Refused."""
    session = tx.access.session(digest_of(secret))
    user = tx.access.user(session.user_name) if session else None
    if session is None or user is None or user.disabled or session.expires <= tx.now:
        raise Refused("the session is over", next_step="sign in again")
    return Caller(CallerKind.USER, user.name, policy.permissions_of(user.roles), address, trace), session


def open_session(tx: AccessTransaction, user: User, address: str, trace: str) -> tuple[str, Session]:
    """Start a session for a user whose password or link was checked; returns the cookie's secret."""
    secret = tx.fresh_key() + tx.fresh_key()
    session = Session(digest_of(secret), user.name, tx.now + SESSION_LIFETIME, tx.fresh_key())
    tx.access.put_session(session)
    caller = Caller(CallerKind.USER, user.name, policy.permissions_of(user.roles), address, trace)
    record(tx, caller, "access.sign-in", f"User/{user.name}")
    return secret, session


def close_session(tx: AccessTransaction, caller: Caller, secret: str) -> None:
    """End a session."""
    tx.access.remove_session(digest_of(secret))
    record(tx, caller, "access.sign-out", f"User/{caller.name}")


def active_user(tx: AccessTransaction, name: str) -> User | None:
    """Return the user when it may sign in."""
    user = tx.access.user(name)
    return None if user is None or user.disabled else user


def issue_link(tx: AccessTransaction, caller: Caller, user_name: str) -> str:
    """Return the secret of a link that signs `user_name` in once; the user is made when it is new."""
    policy.demand(caller, Permission.ACCESS_ADMINISTER)
    if tx.access.user(user_name) is None:
        tx.access.put_user(User(user_name, "", ("administrator",), tx.now))
    secret = tx.fresh_key()
    tx.access.put_link(LoginLink(digest_of(secret), user_name, tx.now + LINK_LIFETIME))
    record(tx, caller, "access.link", f"User/{user_name}")
    return secret


def use_link(tx: AccessTransaction, secret: str, address: str, trace: str) -> tuple[str, Session]:
    """Sign in by a link, once; raises Refused."""
    link = tx.access.use_link(digest_of(secret), tx.now)
    user = active_user(tx, link.user_name) if link else None
    if user is None:
        raise Refused(
            "the link was used or is too old", next_step="make another: hilum serve prints one at first start"
        )
    return open_session(tx, user, address, trace)


def set_password(tx: AccessTransaction, caller: Caller, password_hash: str, session_secret: str) -> None:
    """Keep the Argon2id hash of the caller's own password; every other session of the user ends."""
    user = tx.access.user(caller.name) if caller.kind is CallerKind.USER else None
    if user is None:
        raise Refused("only a signed-in user has a password")
    tx.access.put_user(replace(user, password_hash=password_hash))
    tx.access.remove_sessions(user.name, digest_of(session_secret) if session_secret else "")
    record(tx, caller, "access.password", f"User/{user.name}")


def set_user_password(tx: AccessTransaction, caller: Caller, name: str, password_hash: str) -> None:
    """Keep the Argon2id hash of anybody's password; every session of the user ends. Raises NotFound."""
    policy.demand(caller, Permission.ACCESS_ADMINISTER)
    tx.access.put_user(replace(_existing_user(tx, name), password_hash=password_hash))
    tx.access.remove_sessions(name)
    record(tx, caller, "access.password", f"User/{name}")


def disable_user(tx: AccessTransaction, caller: Caller, name: str, *, disabled: bool) -> None:
    """Keep a user out, and end the sessions; or let it in again. Raises NotFound."""
    policy.demand(caller, Permission.ACCESS_ADMINISTER)
    tx.access.put_user(replace(_existing_user(tx, name), disabled=disabled))
    if disabled:
        tx.access.remove_sessions(name)
    record(tx, caller, "access.disable" if disabled else "access.enable", f"User/{name}")


def revoke_token(tx: AccessTransaction, caller: Caller, key: str) -> Token:
    """End a token for good, by its key or its name; raises NotFound, and Conflict when several have that name."""
    policy.demand(caller, Permission.ACCESS_ADMINISTER)
    named = [one for one in tx.access.tokens() if key in (one.key, one.name) and not one.revoked]
    if not named:
        raise NotFound("no token in force has this key or name", next_step="hilum token list")
    if len(named) > 1:
        raise Conflict(
            "several tokens have this name", next_step="revoke one by its key, from: hilum token list"
        )
    tx.access.put_token(replace(named[0], revoked=True))
    record(tx, caller, "access.revoke", f"Token/{named[0].name}", detail=named[0].key)
    return named[0]


def check_password_rule(password: str) -> None:
    """Raise Invalid when a new password is too short (NIST SP 800-63B 5.1.1.2 asks length, not tricks)."""
    if not SHORTEST_PASSWORD <= len(password) <= 256:
        raise Invalid(
            f"a password has {SHORTEST_PASSWORD} to 256 characters", next_step="choose a longer sentence"
        )


def has_users(tx: AccessTransaction) -> bool:
    """Tell whether anybody ever signed in; at first start nobody did."""
    return any(user.password_hash for user in tx.access.users())


def create_token(
    tx: AccessTransaction, caller: Caller, name: str, scopes: tuple[str, ...], lifetime: timedelta | None
) -> str:
    """Return the secret of a new bearer token; it is shown once and kept only as a digest."""
    policy.demand(caller, Permission.ACCESS_ADMINISTER)
    if not scopes:
        raise Invalid(
            "a token needs at least one scope", next_step=f"choose of: {', '.join(Permission)}, or *"
        )
    _permissions_of_scopes(scopes)
    secret = "hilum_" + tx.fresh_key() + tx.fresh_key()
    expires = tx.now + lifetime if lifetime else None
    tx.access.put_token(Token(digest_of(secret), name, scopes, tx.now, expires))
    record(tx, caller, "access.token", f"Token/{name}", detail=" ".join(scopes))
    return secret


def viewer_token(tx: AccessTransaction, caller: Caller) -> str:
    """Return a token of some minutes with which the viewer asks in the caller's name: no more than both may do."""
    policy.demand(caller, Permission.ARCHIVE_RETRIEVE)
    name = f"{caller.name} in the viewer"
    tx.access.remove_expired_tokens(name, tx.now)
    secret = "hilum_" + tx.fresh_key() + tx.fresh_key()
    scopes = tuple(one.value for one in _FOR_VIEWING if policy.may(caller, one))
    tx.access.put_token(Token(digest_of(secret), name, scopes, tx.now, tx.now + VIEWER_LIFETIME))
    record(tx, caller, "access.viewer-token", f"Token/{name}", detail=" ".join(scopes))
    return secret


def peers(tx: AccessTransaction, caller: Caller) -> list[Peer]:
    """Return the configured peers."""
    policy.demand(caller, Permission.PEERS_READ)
    return tx.access.peers()


def peer(tx: AccessTransaction, caller: Caller, name: str) -> Peer:
    """Return one peer; raises NotFound."""
    policy.demand(caller, Permission.PEERS_READ)
    return _existing_peer(tx, name)


def put_peer(tx: AccessTransaction, caller: Caller, new: Peer) -> None:
    """Add or replace a peer."""
    policy.demand(caller, Permission.PEERS_WRITE)
    unknown = [role for role in new.roles if role not in policy.ROLES]
    if unknown:
        raise Invalid(
            f"no such role: {', '.join(unknown)}", next_step=f"choose of: {', '.join(policy.ROLES)}"
        )
    policy.named(new.options.permissions)
    tx.access.put_peer(new)
    record(tx, caller, "peers.put", f"Peer/{new.name}")


def remove_peer(tx: AccessTransaction, caller: Caller, name: str) -> None:
    """Remove a peer; raises NotFound."""
    policy.demand(caller, Permission.PEERS_WRITE)
    if not tx.access.remove_peer(name):
        raise NotFound(f"no peer is called '{name}'", next_step="hilum peers list")
    record(tx, caller, "peers.remove", f"Peer/{name}")


def _existing_user(tx: AccessTransaction, name: str) -> User:
    found = tx.access.user(name)
    if found is None:
        raise NotFound(f"no user is called '{name}'", next_step="hilum users list")
    return found


def _existing_peer(tx: AccessTransaction, name: str) -> Peer:
    found = tx.access.peer(name)
    if found is None:
        raise NotFound(f"no peer is called '{name}'", next_step="hilum peers list")
    return found


def _peer_caller(peer: Peer, address: str, trace: str) -> Caller:
    return Caller(
        CallerKind.PEER,
        peer.name,
        policy.named(peer.options.permissions) or policy.permissions_of(peer.roles),
        address,
        trace,
        peer.default_issuer,
        peer.ae_title,
        peer.name,
        peer.options,
    )


def _permissions_of_scopes(scopes: tuple[str, ...]) -> frozenset[Permission]:
    """Return what scopes allow: a permission, `capability.*`, or `*`; raises Invalid for any other word."""
    allowed: set[Permission] = set()
    for scope in scopes:
        matching = {one for one in Permission if scope in ("*", one) or _covers(scope, one)}
        if not matching:
            raise Invalid(f"no such scope: '{scope}'", next_step=f"choose of: {', '.join(Permission)}, or *")
        allowed |= matching
    return frozenset(allowed)


def _view_of_scopes(scopes: tuple[str, ...]) -> View:
    """Return what a token sees of rejected instances: what is not named is not shown, not even to `*`."""
    if Permission.VIEW_EVERYTHING in scopes:
        return View.EVERYTHING
    return View.QUALITY if Permission.VIEW_QUALITY in scopes else View.REGULAR


def _covers(scope: str, permission: Permission) -> bool:
    return scope.endswith(".*") and permission.startswith(scope[:-1])
