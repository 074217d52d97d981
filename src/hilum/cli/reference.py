"""Write the reference pages from the code: `python -m hilum.cli.reference DIR`. A test compares them."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import typer.main

from hilum.cli.frame import Exit, exit_of
from hilum.cli.tree import application
from hilum.core.access.policy import ROLES
from hilum.core.kernel import errors
from hilum.core.kernel.caller import Permission
from hilum.core.kernel.events import Event
from hilum.core.kernel.peer_options import OPTIONS, text_of
from hilum.settings import Address, Settings
from hilum.settings.load import FILE_NAME, variable_of
from hilum.settings.tree import FIELDS
from hilum.settings.values import expected

_WIDTH = 100
_GENERATED = "<!-- Written by `make docs`; change the code, not this page. -->"


def pages() -> Mapping[str, str]:
    """Return every generated page by its file name."""
    return {
        "settings.md": _page(_settings()),
        FILE_NAME: "\n".join(_example()) + "\n",
        "events.md": _page(_events()),
        "errors.md": _page(_errors()),
        "permissions.md": _page(_permissions()),
        "peer-options.md": _page(_peer_options()),
        "command-line.md": _page(_command_line()),
    }


def main() -> None:
    """Write the pages below the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def _page(lines: Iterator[str]) -> str:
    return "\n".join([_GENERATED, "", *lines]).rstrip() + "\n"


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield (
        f"One tree. A value comes from the command line, else from the environment, else from `{FILE_NAME}` in the "
        "data folder (or the file that `--config` names), else from the defaults below. An unknown key is an error "
        f"that names the nearest known one. `hilum settings` shows what is in force; [{FILE_NAME}]({FILE_NAME}) is a "
        "file with every setting. Relative paths in a file are relative to its folder."
    )
    for section in fields(Settings):
        yield f"\n## {section.name}\n"
        yield _sentence_of(type(getattr(Settings(), section.name)))
        for path, setting in FIELDS.items():
            if path.startswith(f"{section.name}."):
                yield f"\n### {path}\n"
                yield setting.metadata["sentence"]
                yield ""
                yield f"- value: {_expected(setting)}"
                yield (
                    f"- default: `{_literal(setting.default)}`"
                    if setting.default is not None
                    else "- default: none"
                )
                yield f"- variable: `{variable_of(path)}`"


def _example() -> Iterator[str]:
    yield f"# Every setting with its default. Copy to {FILE_NAME} in the data folder and uncomment what you change."
    yield "# Written by `make docs`."
    for section in fields(Settings):
        yield ""
        yield f"# {_sentence_of(type(getattr(Settings(), section.name)))}"
        yield f"[{section.name}]"
        for path, setting in FIELDS.items():
            if path.startswith(f"{section.name}."):
                default = '"FILE"' if setting.default is None else _literal(setting.default)
                yield f"# {setting.metadata['sentence']} ({_expected(setting)})"
                yield f"# {setting.name} = {default}"


def _expected(setting: Any) -> str:  # noqa: ANN401  # a dataclass field of any type
    unit = setting.metadata["unit"]
    return expected(setting) + (f", in {unit}" if unit else "")


def _literal(value: object) -> str:
    """Return a default as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return f'"{value}"' if isinstance(value, str | Path | Address) else str(value)


def _events() -> Iterator[str]:
    for capability in _capabilities():
        importlib.import_module(f"hilum.core.{capability}.events")
    yield "# Events"
    yield ""
    yield "News is written as a row in the transaction of what it tells, and read by the engine in database order."
    for name, event in sorted(Event.types.items()):
        if event.__module__.startswith("hilum.core."):
            yield f"\n## {name}\n"
            yield f"{_sentence_of(event)} (`{event.__module__}`)"
            yield ""
            hints = get_type_hints(event)
            yield from (f"- `{one.name}`: {_type_name(hints[one.name])}" for one in fields(event))  # type: ignore[arg-type]  # every event is a dataclass


def _capabilities() -> list[str]:
    import hilum.core

    root = Path(hilum.core.__path__[0])
    return sorted(file.parent.name for file in root.glob("*/events.py") if file.parent.name != "kernel")


def _type_name(hint: Any) -> str:  # noqa: ANN401  # a type or a union of types
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield (
        "Five errors, raised in core, stores and wire, mapped once per door. Each says what failed, what the peer said, "
        "and what to do next. The [plan of rooms](../rooms.md) has the codes of each door."
    )
    for name in ("Invalid", "NotFound", "Conflict", "Refused", "Busy"):
        error = getattr(errors, name)
        yield f"\n## {name}\n"
        yield _sentence_of(error)
        yield ""
        yield f"On the command line: exit code {exit_of(error('')).value}."


def _permissions() -> Iterator[str]:
    yield "# Permissions and roles"
    yield ""
    yield (
        "A permission is also the scope of a token: `hilum token create --scope archive.query`. A scope may be "
        "`archive.*`, or `*` for everything. A peer or a user has roles."
    )
    yield "\n## Permissions\n"
    for permission in Permission:
        holders = ", ".join(role for role, held in ROLES.items() if permission in held)
        yield f"### {permission}\n"
        yield f"Roles: {holders}.\n"
    yield "## Roles\n"
    for role, held in ROLES.items():
        yield f"### {role}\n"
        yield ", ".join(f"`{permission}`" for permission in Permission if permission in held) + "\n"


def _peer_options() -> Iterator[str]:
    yield "# Options of peers"
    yield ""
    yield (
        "What holds for one peer only: `hilum peers set NAME OPTION=VALUE`, or the peer's page in the console. In force "
        "from its next association or message on. A list has commas between its members."
    )
    for name, one in OPTIONS.items():
        yield f"\n## {name}\n"
        yield one.metadata["sentence"]
        if one.metadata["choices"]:
            yield ""
            yield f"- one of: {', '.join(one.metadata['choices'])}"
        yield ""
        yield f"- default: {text_of(one.default) or 'not said'}"


def _command_line() -> Iterator[str]:
    yield "# Command line"
    yield ""
    yield (
        "Tables go to standard output, progress and advice to standard error. `--json` prints JSON wherever a table is "
        "printed. `NO_COLOR` is honoured, and output that is not a terminal is plain."
    )
    yield "\n## Exit codes\n"
    yield "| code | name | meaning |"
    yield "|---|---|---|"
    meanings = _meanings(Exit)
    yield from (
        f"| {code.value} | {code.name.lower()} | {meanings.get(code.name, 'Done.')} |" for code in Exit
    )
    yield from _command(typer.main.get_command(application()), ("hilum",))


def _meanings(enumeration: type) -> Mapping[str, str]:
    """Return the docstring below each member of an enumeration, which Python itself forgets."""
    import ast
    import inspect

    body = ast.parse(inspect.getsource(enumeration)).body[0].body  # type: ignore[attr-defined]  # a class has a body
    found = {}
    for member, below in pairwise(body):
        if (
            isinstance(member, ast.Assign)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[member.targets[0].id] = " ".join(str(below.value.value).split())  # type: ignore[attr-defined]  # a plain name
    return found


def _command(command: Any, words: tuple[str, ...]) -> Iterator[str]:  # noqa: ANN401  # typer vendors its command type
    context = command.make_context(
        words[-1], ["--help"], resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    context.info_name = " ".join(words)
    yield f"\n## {' '.join(words)}\n"
    yield "```text"
    yield "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield "```"
    for name, below in getattr(command, "commands", {}).items():
        yield from _command(below, (*words, name))


def _sentence_of(documented: type) -> str:
    return " ".join((documented.__doc__ or "").split("\n\n", 1)[0].split())


if __name__ == "__main__":
    main()
