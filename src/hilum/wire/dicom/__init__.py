"""DICOM: bytes to values and back; no sockets, no stores."""
