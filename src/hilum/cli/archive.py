"""Look after what is stored."""

from typing import Annotated

import typer

from hilum.cli.frame import Exit, tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import show_table


def verify(
    after: Annotated[
        str,
        typer.Option(
            "--after", metavar="DIGEST", help="Go on behind this digest, which an earlier run named."
        ),
    ] = "",
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> int:
    """Read every stored object and compare it with its digest; list what is altered, missing or unreadable."""
    hub, caller = hub_of(settings_of(data, config, database, objects)), operator()
    damaged: list[dict[str, object]] = []
    checked, position, more = 0, after, True
    while more:
        done = hub.verify(caller, position)
        damaged += [{"digest": digest, "state": str(state)} for digest, state in done.damaged]
        checked, position, more = checked + done.checked, done.position, bool(done.position)
        tell(
            f"{checked} objects read, {len(damaged)} damaged"
            + (f"; go on: --after {position}" if more else "")
        )
    show_table(damaged, ("digest", "state"), as_json=as_json)
    return Exit.PARTIAL if damaged else Exit.OK


COMMANDS = {"verify": verify}
