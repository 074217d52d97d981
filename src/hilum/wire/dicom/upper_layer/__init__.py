"""The DICOM upper layer (PS3.8) without I/O, for both roles: start at `connection.Connection`."""
