"""What commands print: tables for people, JSON for scripts, both to standard output."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

from hilum.cli.frame import printable

Row = Mapping[str, object]


def say(line: str = "") -> None:
    """Write a line to standard output."""
    sys.stdout.write(line + "\n")


def show_table(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows: all members as JSON, or the named columns aligned, under headings."""
    if as_json:
        show_json([dict(row) for row in rows])
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        _show_coloured(columns, cells)
    else:
        _show_plain(columns, cells)


def show_row(row: Row, *, as_json: bool) -> None:
    """Print one thing: as JSON, or one member a line."""
    if as_json:
        show_json(dict(row))
        return
    width = max((len(name) for name in row), default=0)
    for name, value in row.items():
        say(f"{_heading(name):{width}}  {_cell(value)}".rstrip())


def show_json(value: object) -> None:
    """Print a value as JSON."""
    say(json.dumps(value, indent=2, ensure_ascii=False, default=_json_value))


def _show_plain(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    headings = [_heading(column) for column in columns]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for line in (headings, *cells):
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _show_coloured(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*(_heading(column) for column in columns), box=None, header_style="bold", pad_edge=False)
    for line in cells:
        table.add_row(*(Text(cell, overflow="fold") for cell in line))
    Console().print(table)


def _heading(name: str) -> str:
    return name.replace("_", " ").upper()


def _cell(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%SZ")
        case list() | tuple():
            return ", ".join(map(_cell, value)) or "-"
        case _:
            return printable(str(value))


def _json_value(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
