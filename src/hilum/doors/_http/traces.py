"""The trace that one request belongs to."""

import re
import secrets

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def trace_of(traceparent: str) -> str:
    """Return the trace-id of a valid `traceparent` (W3C Trace Context 3.2), else a random one."""
    met = _TRACEPARENT.fullmatch(traceparent.strip()) if len(traceparent) <= 256 else None
    if met is None or (traceparent.strip().startswith("00") and met.group(2)):
        return secrets.token_hex(16)
    return met.group(1)
