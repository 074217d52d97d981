"""The import command: settings, progress and the report."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.frame import Exit, printable, tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import show_json
from hilum.core.kernel.errors import Invalid

_EXAMPLES = 3


def import_folder(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder or file to import, with all below it.")
    ],
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    again: Annotated[
        bool, typer.Option("--again", help="Read files that an earlier import already took.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Files read at once.")] = 8,
    as_json: Json = False,
) -> int:
    """Import DICOM files. Run it again after an interruption: it goes on where it stopped."""
    if not folder.exists():
        raise Invalid(f"there is nothing at {folder}", next_step="name a folder or a DICOM file")
    settings = settings_of(data, config, database, objects)
    hub = hub_of(settings)
    from hilum.cli.file_import import FileImport, Tally
    from hilum.cli.journal import Journal

    with Journal.beside(settings.data.folder, settings.database_url, fresh=again) as journal:
        tally = Tally(started=time.monotonic())
        run = FileImport(hub, operator(), journal, settings.limits.instance, threads)
        progress = Progress()
        for result in run.results(folder):
            tally.count(result)
            progress.show(tally)
        progress.end(tally)
    if as_json:
        show_json(tally.summary())
    for line in () if as_json else tally.report(_EXAMPLES):
        tell(printable(line))
    return Exit.PARTIAL if tally.rejected else Exit.OK


class Progress:
    """One moving line on a terminal; a line now and then anywhere else."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._period = 0.2 if self._terminal else 5.0
        self._next = time.monotonic() + self._period

    def show(self, tally: object) -> None:
        """Show how far it is, not too often."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._period
        sys.stderr.write(f"\r\x1b[K{tally}" if self._terminal else f"{tally}\n")
        sys.stderr.flush()

    def end(self, tally: object) -> None:
        """Show the last figures."""
        sys.stderr.write(f"\r\x1b[K{tally}\n" if self._terminal else f"{tally}\n")
