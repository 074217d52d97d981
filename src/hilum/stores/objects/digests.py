"""Content addresses: the only names that ever become a path or an object key."""

import re

from hilum.core.kernel.errors import Invalid

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(name: str) -> bool:
    """Tell whether a name is a SHA-256 in lower-case hexadecimal."""
    return _DIGEST.fullmatch(name) is not None


def address(digest: str) -> str:
    """Return where a blob lies, below one of 256 folders; raises Invalid for what is no digest."""
    if not is_digest(digest):
        raise Invalid(
            "a digest has 64 hexadecimal digits", next_step="name a blob by the SHA-256 of its bytes"
        )
    return f"{digest[:2]}/{digest}"
