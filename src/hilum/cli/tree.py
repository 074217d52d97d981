"""The tree of commands. Each module keeps the commands of one subject; rooms are imported when a command runs."""

from typing import Annotated

import typer

import hilum
from hilum.cli import (
    archive,
    conflicts,
    deliveries,
    doctor,
    importing,
    peers,
    rejections,
    routes,
    sending,
    serving,
    tokens,
    users,
)
from hilum.cli.output import say


def application() -> typer.Typer:
    """Return the command line."""
    tree = _group("One gate for a hospital's imaging data: DICOM, DICOMweb, HL7 v2 and FHIR over one record.")
    tree.callback()(_root)
    tree.command("serve")(serving.serve)
    tree.command("demo")(serving.demo)
    tree.command("doctor")(doctor.doctor)
    tree.command("import")(importing.import_folder)
    tree.command("send")(sending.send)
    tree.command("echo")(sending.echo)
    tree.command("migrate")(serving.migrate)
    tree.command("settings")(serving.show_settings)
    for name, module in (
        ("peers", peers),
        ("deliveries", deliveries),
        ("archive", archive),
        ("conflicts", conflicts),
        ("rejections", rejections),
        ("routes", routes),
        ("token", tokens),
        ("users", users),
    ):
        subject = _group((module.__doc__ or "").split("\n", 1)[0])
        for verb, command in module.COMMANDS.items():
            subject.command(verb)(command)
        tree.add_typer(subject, name=name)
    return tree


def _group(sentence: str) -> typer.Typer:
    return typer.Typer(
        help=sentence,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _show_version(value: bool) -> None:
    if value:
        say(f"hilum {hilum.__version__}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version.")
    ] = False,
) -> None:
    pass
