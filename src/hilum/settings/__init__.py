"""Every setting: one typed tree, read from one TOML file, the environment and the command line."""

from hilum.settings.load import load
from hilum.settings.tree import Address, Settings

__all__ = ["Address", "Settings", "load"]
