"""Options that many commands share, and the settings and the hub that follow from them."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hilum.settings import Settings, load

if TYPE_CHECKING:
    from hilum.core.hub import Hub
    from hilum.core.kernel.caller import Caller

Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder. [default: hilum-data]")
]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings. [default: DIR/hilum.toml]")
]
Database = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="Database. [default: sqlite:///DIR/hilum.db]")
]
Objects = Annotated[
    str | None, typer.Option("--objects", metavar="URL", help="Object store. [default: DIR/objects]")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def settings_of(  # the four options of every command that touches the store
    data: Path | None,
    config: Path | None,
    database: str | None,
    objects: str | None,
    **more: Any,  # noqa: ANN401  # values by key path, `__` for the dot
) -> Settings:
    """Return the settings in force for a command."""
    options = {"data.folder": data, "database.url": database, "objects.url": objects}
    options |= {path.replace("__", ".", 1): value for path, value in more.items()}
    return load(config=config, environment=os.environ, options=options)


def hub_of(settings: Settings) -> "Hub":
    """Open the stores; the embedded database is made, or brought to our schema. Rooms are imported now, not for --help."""
    from hilum.app import build_hub, migrate

    if not settings.database.url:
        migrate(settings)
    return build_hub(settings)


def operator() -> "Caller":
    """Return who acts at the command line: whoever can read the data folder."""
    from hilum.core.access.policy import local_operator

    return local_operator(secrets.token_hex(8))
