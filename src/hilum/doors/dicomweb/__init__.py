"""DICOMweb (PS3.18): searching, retrieving and storing studies by HTTP, and WADO-URI beside it."""

from hilum.doors.dicomweb.door import dicomweb_doors

__all__ = ["dicomweb_doors"]
