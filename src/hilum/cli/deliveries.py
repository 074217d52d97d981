"""See what was sent to whom, and send it again."""

from dataclasses import asdict
from typing import Annotated

import typer

from hilum.cli.frame import Exit, tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import say, show_json, show_row, show_table
from hilum.core.kernel.errors import Invalid

_COLUMNS = ("key", "destination", "kind", "reference", "state", "attempts", "reason", "created")
_ATTEMPT_COLUMNS = ("number", "verdict", "code", "text", "started", "ended")


Destination = Annotated[str, typer.Option("--destination", metavar="PEER", help="Only those to this peer.")]


def list_deliveries(
    destination: Destination = "",
    state: Annotated[
        list[str] | None, typer.Option(help="waiting, sent, uncertain or dead; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, newest first.")] = 100,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """List deliveries, newest first."""
    from hilum.core.routing.model import DeliveryQuery, DeliveryState

    unknown = sorted(set(state or ()) - set(DeliveryState))
    if unknown:
        raise Invalid(
            f"no such state: {', '.join(unknown)}", next_step=f"choose of: {', '.join(DeliveryState)}"
        )
    hub = hub_of(settings_of(data, config, database, objects))
    states = tuple(DeliveryState(one) for one in state or ())
    query = DeliveryQuery(destination=destination, states=states, limit=limit)
    rows = [asdict(delivery) for delivery in hub.deliveries(operator(), query)]
    show_table(rows, _COLUMNS, as_json=as_json)


def show_delivery(
    key: Annotated[int, typer.Argument(metavar="KEY", help="Number of the delivery.")],
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """Show one delivery with every attempt and what the peer answered."""
    hub = hub_of(settings_of(data, config, database, objects))
    delivery, attempts = hub.delivery(operator(), key)
    rows = [asdict(attempt) for attempt in attempts]
    if as_json:
        show_json(asdict(delivery) | {"all_attempts": rows})
        return
    show_row(asdict(delivery), as_json=False)
    say()
    show_table(rows, _ATTEMPT_COLUMNS, as_json=False)


def replay_deliveries(
    keys: Annotated[
        list[int] | None, typer.Argument(metavar="[KEY]...", help="Numbers of deliveries.")
    ] = None,
    destination: Destination = "",
    dead: Annotated[bool, typer.Option("--dead", help="All that were given up.")] = False,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> int:
    """Send deliveries again, at their old place in the queue."""
    from hilum.core.routing.model import DeliveryQuery, DeliveryState

    if bool(keys) == dead:
        raise Invalid(
            "name deliveries by number, or all dead ones by --dead", next_step="hilum deliveries list"
        )
    hub = hub_of(settings_of(data, config, database, objects))
    caller = operator()
    chosen = list(keys or [])
    if dead:
        query = DeliveryQuery(destination=destination, states=(DeliveryState.DEAD,), limit=100_000)
        chosen = [delivery.key for delivery in hub.deliveries(caller, query)]
    replayed = hub.replay(caller, chosen)
    tell(f"{replayed} of {len(chosen)} deliveries wait again; the others were waiting already")
    return Exit.OK


COMMANDS = {"list": list_deliveries, "show": show_delivery, "replay": replay_deliveries}
