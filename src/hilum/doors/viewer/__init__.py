"""The diagnostic viewer (OHIF) at `/viewer`, where the package `hilum-viewer` is installed."""

from hilum.doors.viewer.door import viewer_door
from hilum.doors.viewer.files import installed_site

__all__ = ["installed_site", "viewer_door"]
