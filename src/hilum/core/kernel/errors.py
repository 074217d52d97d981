"""The one tree of errors. Every door maps these five, once, to its own codes."""


class HilumError(Exception):
    """A failure that says what failed, what the peer said, and what to do next."""

    def __init__(self, what: str, *, peer_said: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.peer_said = peer_said
        self.next_step = next_step

    def __str__(self) -> str:
        """Return the three parts as one line."""
        parts = [self.what]
        if self.peer_said:
            parts.append(f"the peer said: {self.peer_said}")
        if self.next_step:
            parts.append(f"next: {self.next_step}")
        return "; ".join(parts)


class Invalid(HilumError):
    """What came in breaks the standard or a limit; sending it again will not help."""


class NotFound(HilumError):
    """The thing asked for is not here, or the caller may not know that it is."""


class Conflict(HilumError):
    """It contradicts what is already kept; a person has to decide."""


class Refused(HilumError):
    """The caller may not do this."""


class Busy(HilumError):
    """Not now: a resource is missing (disk, database, peer); the same call may succeed later."""
