"""What Hilum knows and decides: plain values, no sockets, no files, no SQL, no clock."""
