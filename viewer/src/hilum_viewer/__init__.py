"""The OHIF viewer as static files. Hilum serves them where this package is installed."""

from pathlib import Path

SITE = Path(__file__).parent / "site"
"""The folder of the files; `entry.json` in it names the script and the style that a page starts with."""
