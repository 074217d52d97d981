"""List, keep out and let in the people who sign in."""

import sys
from typing import Annotated

import typer

from hilum.cli.frame import tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import say, show_table

UserName = Annotated[str, typer.Argument(metavar="NAME")]


def list_users(
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """List the users."""
    hub = hub_of(settings_of(data, config, database, objects))
    rows = [
        {
            "name": user.name,
            "roles": user.roles,
            "created": user.created,
            "has_password": bool(user.password_hash),
            "disabled": user.disabled,
        }
        for user in hub.users(operator())
    ]
    show_table(rows, ("name", "roles", "created", "has_password", "disabled"), as_json=as_json)


def link(
    name: UserName,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Print the path of a link that signs a user in once, within an hour; the user is made when it is new."""
    secret = hub_of(settings_of(data, config, database, objects)).issue_link(operator(), name)
    say(f"/welcome/{secret}")
    tell("open it below the address of the console")


def password(
    name: UserName,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Set the password of a user, read from the terminal or standard input; the sessions of the user end."""
    hub = hub_of(settings_of(data, config, database, objects))
    if sys.stdin.isatty():
        said = typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        said = sys.stdin.readline().rstrip("\r\n")
    hub.set_user_password(operator(), name, said)
    tell(f"{name} has a new password, and has to sign in again")


def disable(
    name: UserName,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Keep a user out from now on; the sessions of the user end."""
    hub_of(settings_of(data, config, database, objects)).disable_user(operator(), name, disabled=True)
    tell(f"{name} is kept out")


def enable(
    name: UserName,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Let a user in again."""
    hub_of(settings_of(data, config, database, objects)).disable_user(operator(), name, disabled=False)
    tell(f"{name} may sign in again")


COMMANDS = {"list": list_users, "link": link, "password": password, "disable": disable, "enable": enable}
