"""Commands that start, show and prepare a server."""

import re
from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.frame import tell
from hilum.cli.options import Config, Data, Database, Json, Objects, settings_of
from hilum.cli.output import show_table
from hilum.settings.load import variable_of
from hilum.settings.tree import FIELDS

Http = Annotated[str | None, typer.Option("--http", metavar="HOST:PORT", help="[default: 127.0.0.1:8080]")]
Dicom = Annotated[str | None, typer.Option("--dicom", metavar="HOST:PORT", help="[default: 127.0.0.1:11112]")]
DicomTls = Annotated[
    str | None,
    typer.Option("--dicom-tls", metavar="HOST:PORT", help="Associations by TLS too. [default: off]"),
]
Hl7 = Annotated[str | None, typer.Option("--hl7", metavar="HOST:PORT", help="[default: 127.0.0.1:2575]")]


def serve(
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    http: Http = None,
    dicom: Dicom = None,
    dicom_tls: DicomTls = None,
    hl7: Hl7 = None,
    roles: Annotated[
        str | None, typer.Option("--roles", metavar="LIST", help="[default: dicom,web,hl7,engine]")
    ] = None,
    open_to_all: Annotated[
        bool | None,
        typer.Option(
            "--open", help="Admit anybody without credentials; refused unless every address is loopback."
        ),
    ] = None,
) -> int:
    """Start the server and stay until it is told to stop."""
    settings = settings_of(
        data, config, database, objects,
        http__bind=http, dicom__bind=dicom, dicom__tls_bind=dicom_tls, dicom__tls="separate" if dicom_tls else None,
        hl7__bind=hl7, server__roles=roles, access__open=open_to_all,
    )  # fmt: skip
    from hilum.app import serve as serve_forever

    return serve_forever(settings)


def demo(
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Data folder of the demonstration.")
    ] = Path("hilum-data/demo"),
    dicom: Annotated[
        Path | None,
        typer.Option("--dicom", metavar="DIR", help="Images that the CT sends, instead of those of pydicom."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Leave after the day instead of staying up.")] = False,
) -> int:
    """Play one day of a hospital against a server of its own, then stay up."""
    from hilum.demo import play

    return play(data, dicom, once=once)


def migrate(
    data: Data = None, config: Config = None, database: Database = None, objects: Objects = None
) -> None:
    """Bring the database to the schema of this version."""
    settings = settings_of(data, config, database, objects)
    from hilum.app import migrate as migrate_database

    migrate_database(settings)
    tell("the database has the schema of this version")


def without_password(url: str) -> str:
    """Return a URL with its password masked; any other text as it is."""
    return re.sub(r"(//[^/:@]*:)[^@/]*@", r"\1***@", url)


def show_settings(
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """Show every setting in force, and the variable that sets it."""
    settings = settings_of(data, config, database, objects)
    rows = []
    for path in FIELDS:
        section, key = path.split(".")
        value = getattr(getattr(settings, section), key)
        shown = value if isinstance(value, bool | int | float | tuple) else without_password(str(value or ""))
        rows.append({"setting": path, "value": shown, "variable": variable_of(path)})
    show_table(rows, ("setting", "value", "variable"), as_json=as_json)
