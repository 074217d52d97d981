"""The files of an installed viewer, all known by name before the first request: no path is built from a request."""

import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class File:
    """One file: where it lies, its media type, and whether a gzip form lies beside it."""

    path: Path
    media_type: str
    compressed: Path | None
    immutable: bool


@dataclass(frozen=True, slots=True)
class ViewerSite:
    """What the package brings: its files by name, and the script and style that a page starts with."""

    files: Mapping[str, File]
    script: str
    style: str


def installed_site() -> ViewerSite | None:
    """Return the viewer that is installed beside Hilum (`make viewer`), or None."""
    found = find_spec("hilum_viewer")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "site"
    return site_of(folder) if (folder / "entry.json").is_file() else None


def site_of(folder: Path) -> ViewerSite:
    """List a folder that the build script made."""
    entry = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".gz")
    files = {path.relative_to(folder).as_posix(): _file(path) for path in paths}
    return ViewerSite(files, entry["script"], entry["style"])


def _file(path: Path) -> File:
    compressed = path.with_name(path.name + ".gz")
    kind = "application/wasm" if path.suffix == ".wasm" else mimetypes.guess_type(path.name)[0]
    return File(
        path=path,
        media_type=kind or "application/octet-stream",
        compressed=compressed if compressed.is_file() else None,
        immutable=_is_hashed(path.name),
    )


def _is_hashed(name: str) -> bool:
    """Tell whether a name carries the hash of its content: 16 hexadecimal digits before the suffix."""
    parts = name.split(".")
    return len(parts) > 1 and len(parts[-2]) == 16 and all(digit in "0123456789abcdef" for digit in parts[-2])
