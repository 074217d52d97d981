"""The outermost frame: exit codes, and errors in three lines instead of a traceback."""

import os
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum

from hilum.core.kernel.errors import Busy, Conflict, HilumError, Refused


class Exit(IntEnum):
    """How a command ended. These numbers are a contract with scripts."""

    OK = 0
    PARTIAL = 1
    """Some of the work was not done, or the command failed on our side."""
    USAGE = 2
    """The command line, a setting or an input file is wrong, or names something that is not there."""
    UNREACHABLE = 3
    """The peer could not be reached, or did not answer."""
    REFUSED = 4
    """Hilum or the peer refused."""


class Unreachable(Busy):
    """The peer could not be reached, or did not answer."""


_EXITS: tuple[tuple[type[HilumError], Exit], ...] = (
    (Unreachable, Exit.UNREACHABLE),
    (Refused, Exit.REFUSED),
    (Conflict, Exit.PARTIAL),
    (Busy, Exit.PARTIAL),
    (HilumError, Exit.USAGE),
)


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every failure ends here."""
    import typer

    from hilum.cli.tree import application

    try:
        code = application()(list(arguments), prog_name="hilum", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _usage(error)
    except typer.Abort:
        return _said(Exit.PARTIAL, "interrupted", "", "")
    except HilumError as error:
        return _said(exit_of(error), error.what, error.peer_said, error.next_step)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PARTIAL
    except Exception as error:  # noqa: BLE001  # the outermost frame
        return _unexpected(error)
    else:
        return int(code or 0)


def exit_of(error: HilumError) -> Exit:
    """Return the exit code of an error."""
    return next(code for kind, code in _EXITS if isinstance(error, kind))


def printable(text: str) -> str:
    """Return text without the control characters that a peer could steer a terminal with."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def tell(line: str) -> None:
    """Write a line of progress or advice where it does not disturb what a script reads."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    message = getattr(error, "message", "") or str(error)
    shown = getattr(error, "format_message", lambda: message)()
    command = context.command_path if context else "hilum"
    return _said(Exit.USAGE, shown, "", f"{command} --help")


def _unexpected(error: Exception) -> int:
    """Name the fault and its place: enough for a report, without a traceback over the terminal."""
    places = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(places[-1].filename)}:{places[-1].lineno}" if places else "?"  # noqa: PTH119  # a name only
    what = f"a fault in Hilum: {type(error).__name__} at {place}: {error}"
    return _said(Exit.PARTIAL, what, "", "please report it, with `hilum --version`")


def _said(code: Exit, what: str, peer_said: str, next_step: str) -> int:
    tell(f"hilum: {printable(what)}")
    if peer_said:
        tell(f"  the peer said: {printable(peer_said)}")
    if next_step:
        tell(f"  next: {printable(next_step)}")
    return code
