"""The command line: what a person or a script at the machine may ask of Hilum."""

from hilum.cli.frame import main

__all__ = ["main"]
