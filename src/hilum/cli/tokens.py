"""Make bearer tokens for programs that call the HTTP doors."""

from datetime import timedelta
from typing import Annotated

import typer

from hilum.cli.frame import tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import say, show_json, show_table


def create_token(
    scope: Annotated[
        list[str],
        typer.Option(
            help="A permission, `archive.*`, or `*`; may be repeated. See docs/reference/permissions.md."
        ),
    ],
    name: Annotated[str, typer.Option(help="Who will use it; stands in the audit trail.")] = "command-line",
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Lifetime. [default: no end]")] = None,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """Create a token and print its secret, once."""
    hub = hub_of(settings_of(data, config, database, objects))
    lifetime = timedelta(days=days) if days else None
    secret = hub.create_token(operator(), name, tuple(scope), lifetime)
    if as_json:
        show_json({"name": name, "scopes": scope, "days": days, "token": secret})
        return
    say(secret)
    tell("shown once; send it as `Authorization: Bearer ...`")


def list_tokens(
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """List the tokens, without their secrets."""
    hub = hub_of(settings_of(data, config, database, objects))
    rows = [
        {
            "key": token.key,
            "name": token.name,
            "scopes": token.scopes,
            "created": token.created,
            "expires": token.expires,
            "revoked": token.revoked,
        }
        for token in hub.tokens(operator())
    ]
    show_table(rows, ("key", "name", "scopes", "created", "expires", "revoked"), as_json=as_json)


def revoke_token(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its key from `hilum token list`, or its name.")],
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """End a token for good, from its next use on."""
    revoked = hub_of(settings_of(data, config, database, objects)).revoke_token(operator(), key)
    tell(f"{revoked.name} ({revoked.key}) is revoked")


COMMANDS = {"create": create_token, "list": list_tokens, "revoke": revoke_token}
