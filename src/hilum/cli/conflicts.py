"""See what contradicts the record, decide about it, and take a decision back."""

from dataclasses import asdict
from typing import Annotated

import typer

from hilum.cli.frame import tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import show_row, show_table
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import Identifier

_COLUMNS = ("key", "kind", "sop_instance_uid", "source", "created", "resolution", "detail")

Key = Annotated[int, typer.Argument(metavar="KEY", help="Number of the conflict.")]


def list_conflicts(
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Those that are resolved, the latest first.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, newest first.")] = 100,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """List open conflicts, newest first."""
    hub = hub_of(settings_of(data, config, database, objects))
    found = hub.resolved_conflicts(operator(), limit) if resolved else hub.conflicts(operator(), limit)
    show_table([asdict(one) for one in found], _COLUMNS, as_json=as_json)


def show_conflict(
    key: Key,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """Show one conflict, and how it can be resolved."""
    from hilum.core.archive.lifecycle import RESOLUTIONS

    kept = hub_of(settings_of(data, config, database, objects)).conflict(operator(), key)
    show_row(asdict(kept) | {"resolutions": list(RESOLUTIONS[kept.kind])}, as_json=as_json)


def resolve_conflict(
    key: Key,
    resolution: Annotated[str, typer.Argument(metavar="RESOLUTION", help="keep, take, accept or move.")],
    detail: Annotated[str, typer.Option("--detail", metavar="TEXT", help="Why, in words.")],
    patient: Annotated[str, typer.Option("--patient", metavar="ID", help="Whom a move leads to.")] = "",
    issuer: Annotated[
        str, typer.Option("--issuer", metavar="ISSUER", help="Issuer of that identifier.")
    ] = "",
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Resolve a conflict: keep what is in use, take the other, accept the contradiction, or move the study."""
    from hilum.core.archive.lifecycle import Resolution

    if resolution not in set(Resolution):
        raise Invalid("no such resolution", next_step=f"choose of: {', '.join(Resolution)}")
    hub = hub_of(settings_of(data, config, database, objects))
    to = Identifier(patient, issuer) if patient else None
    hub.resolve_conflict(operator(), key, Resolution(resolution), detail, to)
    tell(f"conflict {key} is resolved by '{resolution}'; hilum conflicts undo {key} takes that back")


def undo_resolution(
    key: Key,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Take a resolution back: the conflict is open again."""
    hub_of(settings_of(data, config, database, objects)).undo_resolution(operator(), key)
    tell(f"conflict {key} is open again")


COMMANDS = {
    "list": list_conflicts,
    "show": show_conflict,
    "resolve": resolve_conflict,
    "undo": undo_resolution,
}
