"""Build the package `hilum-viewer` from the npm package of the OHIF viewer: fetch, check, trim, patch, compress.

    python viewer/build.py            # or `make viewer`, which installs what this builds

Needs npm. Nothing that it fetches is committed: the result lies in `viewer/src/hilum_viewer/site`, which git ignores.
Every step is strict: a release of OHIF in which a patch does not meet what it expects stops the build.
"""

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "@ohif/app@3.13.2"
SHA512 = "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
"""Subresource-integrity form of the tarball's digest, as the registry of npm publishes it."""

MINIFIER = "esbuild@0.28.2"

SITE = Path(__file__).parent / "src" / "hilum_viewer" / "site"

UNUSED = (
    # In-browser inference for one segmentation tool: 136 MB.
    "ort",
    # Service worker, analytics and login of other deployments.
    "sw.js",
    "init-service-worker.js",
    "google.js",
    "silent-refresh.html",
    "oidc-client.min.js",
    "polyfill.min.js",
    "es6-shim.min.js",
    # Served by the door, or settings of other servers.
    "index.html",
    "app-config.js",
    "manifest.json",
    "_headers",
    "_redirects",
    "serve.json",
    "customizations",
)

HERE = '("undefined"!=typeof window?window.PUBLIC_URL:self.location.pathname.replace(/[^/]*$/,""))'
"""Where the viewer stands: the page knows it from the server, a worker from its own address."""

COMPRESSED = frozenset({".js", ".css", ".wasm", ".svg", ".json"})
LEAST_COMPRESSED = 1024


@dataclass(frozen=True, slots=True)
class Patch:
    """One replacement that must happen exactly `times` over all files that match `files`."""

    files: str
    pattern: str
    replacement: str
    times: int


PATCHES = (
    # Chunks, and the WebAssembly of the workers, are looked for below the path at which the server mounts us.
    Patch("*.js", '__webpack_require__.p = "/"', f"__webpack_require__.p = {HERE}", 8),
    Patch(
        "app.bundle.*.js",
        "browserImportFunction('/dicom-microscopy-viewer/",
        f"browserImportFunction({HERE} + 'dicom-microscopy-viewer/",
        1,
    ),
    Patch("app.bundle.css", "url(/", "url(", 5),
)


def build(site: Path) -> None:
    """Make `site` anew; raises ValueError when the package is not the one that the patches were written for."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        unpack(fetch(folder), folder)
        dist = folder / "package" / "dist"
        trim(dist)
        for patch in PATCHES:
            apply(patch, dist)
        minify(dist)
        (dist / "entry.json").write_text(json.dumps(entry(dist)), encoding="utf-8")
        shutil.copy(folder / "package" / "LICENSE", dist / "LICENSE")
        for path in sorted(dist.rglob("*")):
            compress(path)
        if site.exists():
            shutil.rmtree(site)
        shutil.copytree(dist, site)


def fetch(folder: Path) -> Path:
    """Return the package's tarball, checked against its pinned digest."""
    listed = subprocess.run(
        ["npm", "pack", "--silent", PACKAGE],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    tarball = folder / listed.stdout.strip().splitlines()[-1]
    digest = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if digest != SHA512:
        raise ValueError(f"{PACKAGE} is not what was pinned: {digest}")
    return tarball


def unpack(tarball: Path, folder: Path) -> None:
    """Unpack; names that lead outside are refused by the filter."""
    with tarfile.open(tarball) as archive:
        archive.extractall(folder, filter="data")


def trim(dist: Path) -> None:
    """Remove what no page of ours asks for."""
    for name in UNUSED:
        path = dist / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in dist.rglob("*.map"):
        path.unlink()


def apply(patch: Patch, dist: Path) -> None:
    """Apply one patch; raises ValueError when it meets more or less than it should."""
    met = 0
    for path in sorted(dist.glob(patch.files)):
        text = path.read_text(encoding="utf-8")
        met += text.count(patch.pattern)
        if patch.pattern in text:
            path.write_text(text.replace(patch.pattern, patch.replacement), encoding="utf-8")
    if met != patch.times:
        raise ValueError(
            f"{patch.pattern!r} was met {met} times, not {patch.times}: read the new release first"
        )


def minify(dist: Path) -> None:
    """Minify the scripts, which the package has at full length; licence comments stay at each file's end."""
    scripts = [str(path) for path in sorted(dist.glob("*.js"))]
    command = ["npx", "--yes", MINIFIER, *scripts, "--minify", "--legal-comments=eof", "--log-level=error"]
    subprocess.run([*command, "--allow-overwrite", f"--outdir={dist}"], check=True)


def entry(dist: Path) -> dict[str, str]:
    """Return the names of the script and the style that a page starts with, and the release."""
    (script,) = dist.glob("app.bundle.*.js")
    release = re.sub(r".*@", "", PACKAGE)
    return {"script": script.name, "style": "app.bundle.css", "release": release}


def compress(path: Path) -> None:
    """Put a gzip form beside a file that gets smaller by it, so that none is compressed while somebody waits."""
    if path.suffix not in COMPRESSED or path.stat().st_size < LEAST_COMPRESSED:
        return
    whole = path.read_bytes()
    small = gzip.compress(whole, 9, mtime=0)
    if len(small) < len(whole) * 0.9:
        path.with_name(path.name + ".gz").write_bytes(small)


if __name__ == "__main__":
    build(SITE)
    total = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    sys.stdout.write(f"{PACKAGE} is in {SITE.parent.name}: {total / 2**20:.1f} MiB with its gzip forms\n")
