"""Passwords as Argon2id hashes (RFC 9106), with the library's own parameters."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Argon2Passwords:
    """Core's `Passwords`."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._nobody = ""

    def hashed(self, password: str) -> str:
        """Return the hash to keep."""
        return self._hasher.hash(password)

    def verified(self, password_hash: str, password: str) -> bool:
        """Tell whether the password is right; an empty hash takes as long as any and is never right."""
        if not self._nobody:
            self._nobody = self._hasher.hash("nobody has this password")
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return bool(password_hash)
