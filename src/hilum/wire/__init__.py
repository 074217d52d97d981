"""The standards as pure translation: bytes or resources to core values and back. No sockets, no stores."""
