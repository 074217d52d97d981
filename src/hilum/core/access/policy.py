"""The one decision: may this caller do that? Every use-case asks here, so every door answers alike."""

from collections.abc import Iterable, Mapping

from hilum.core.kernel.caller import Caller, CallerKind, Permission
from hilum.core.kernel.choices import View
from hilum.core.kernel.errors import Invalid, Refused
from hilum.core.kernel.peer_options import PeerOptions

_EVERYTHING = frozenset(Permission)
_WORKITEMS = frozenset(one for one in Permission if one.startswith("workitems."))
_READING = frozenset(
    {
        Permission.VERIFY,
        Permission.ARCHIVE_QUERY,
        Permission.ARCHIVE_RETRIEVE,
        Permission.WORKLIST_QUERY,
        Permission.WORKITEMS_READ,
        Permission.PATIENTS_READ,
        Permission.ORDERS_READ,
        Permission.REPORTS_READ,
    }
)

ROLES: Mapping[str, frozenset[Permission]] = {
    "administrator": _EVERYTHING,
    "viewer": _READING,
    "modality": frozenset(
        {
            Permission.VERIFY,
            Permission.ARCHIVE_STORE,
            Permission.ARCHIVE_QUERY,
            Permission.ARCHIVE_RETRIEVE,
            Permission.ARCHIVE_COMMIT,
            Permission.ARCHIVE_REJECT,
            Permission.WORKLIST_QUERY,
            Permission.PROCEDURE_REPORT,
        }
    )
    | _WORKITEMS,
    "information-system": _READING
    | (_WORKITEMS - {Permission.WORKITEMS_PERFORM})
    | {Permission.PATIENTS_WRITE, Permission.ORDERS_WRITE, Permission.REPORTS_WRITE},
    "operator": _READING
    | {
        Permission.CONFLICTS_READ,
        Permission.CONFLICTS_RESOLVE,
        Permission.ARCHIVE_REJECT,
        Permission.ARCHIVE_RESTORE,
        Permission.ARCHIVE_VERIFY,
        Permission.ROUTING_READ,
        Permission.ROUTING_REPLAY,
        Permission.PEERS_READ,
    },
}
"""What each role may do. A modality, workstation or PACS is "modality"; RIS and EHR are "information-system"."""


class NotPermitted(Refused):
    """The caller is known, and may not do this one thing."""

    def __init__(self, caller: Caller, permission: Permission) -> None:
        super().__init__(
            f"{caller.kind} '{caller.name}' may not do '{permission}'",
            next_step=f"give it a role or scope that includes '{permission}'",
        )
        self.permission = permission


def permissions_of(roles: list[str] | tuple[str, ...]) -> frozenset[Permission]:
    """Return the union of what the roles allow; an unknown role allows nothing."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))


def named(words: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions of these names; raises Invalid for any other word."""
    asked = frozenset(words)
    unknown = sorted(asked - frozenset(Permission))
    if unknown:
        raise Invalid(
            f"no such permission: {', '.join(unknown)}", next_step=f"choose of: {', '.join(Permission)}"
        )
    return frozenset(map(Permission, asked))


def may(caller: Caller, permission: Permission) -> bool:
    """Decide."""
    return permission in caller.permissions


def demand(caller: Caller, permission: Permission) -> None:
    """Raise Refused unless the caller may."""
    if not may(caller, permission):
        raise NotPermitted(caller, permission)


def open_caller(address: str, trace: str, ae_title: str = "") -> Caller:
    """Return the caller of `--open`: anybody on a loopback address, with every permission."""
    return Caller(CallerKind.OPEN, "open", _EVERYTHING, address, trace, ae_title=ae_title)


def local_operator(trace: str) -> Caller:
    """Return the caller behind the command line: who can read the data folder may do everything."""
    return Caller(CallerKind.LOCAL, "operator", _EVERYTHING, "", trace)


ENGINE = Caller(CallerKind.ENGINE, "engine", _EVERYTHING, options=PeerOptions(view=View.EVERYTHING))
"""The engine acts in Hilum's own name, and hands out rejection notes too."""
