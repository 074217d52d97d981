"""Load and list the rules by which stored instances and filed reports are sent on."""

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.frame import tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import say, show_table
from hilum.core.kernel.errors import Invalid


def load_rules(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file of rules.")],
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Replace the rules by those of a file."""
    from hilum.wire.routes import rules_of

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}", next_step="name a YAML file") from error
    rules = rules_of(text, str(file))
    hub_of(settings_of(data, config, database, objects)).put_rules(operator(), rules)
    tell(f"{len(rules)} rules are in force")


def list_rules(
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print the file that `load` reads.")] = False,
) -> None:
    """List the rules in force, in their order."""
    from dataclasses import asdict

    from hilum.wire.routes import text_of

    rules = hub_of(settings_of(data, config, database, objects)).rules(operator())
    if as_yaml:
        say(text_of(rules).rstrip())
        return
    columns = ("name", "event", "source", "modality", "status", "tags", "to")
    show_table([asdict(rule) for rule in rules], columns, as_json=as_json)


COMMANDS = {"load": load_rules, "list": list_rules}
