"""Certificates that callers show, and what a peer is bound to (PS3.15 B, RFC 5280)."""

from dataclasses import dataclass

from hilum.core.access.model import Peer


@dataclass(frozen=True, slots=True)
class Certificate:
    """A verified certificate: SHA-256 of its DER form in lower-case hexadecimal, its names in lower case."""

    fingerprint: str
    names: frozenset[str] = frozenset()
    """Common name, and subject alternative names (DNS, IP, URI)."""


@dataclass(frozen=True, slots=True)
class Line:
    """The connection that a caller comes by."""

    address: str
    secure: bool = False
    """Whether it is TLS."""
    certificate: Certificate | None = None


def shows_what_it_must(peer: Peer, line: Line) -> bool:
    """Tell whether this connection can be the peer's, as far as TLS goes."""
    wanted = peer.options.certificate
    if peer.options.tls and not line.secure:
        return False
    return not wanted or (line.certificate is not None and is_named(line.certificate, wanted))


def is_named(certificate: Certificate, wanted: str) -> bool:
    """Tell whether a certificate has this fingerprint (with or without colons) or one of its names is this."""
    return fingerprint_of(wanted) == certificate.fingerprint or wanted.lower() in certificate.names


def fingerprint_of(wanted: str) -> str:
    """Return a SHA-256 fingerprint in its one way of writing; empty when this is none."""
    plain = wanted.replace(":", "").lower()
    return plain if len(plain) == 64 and set(plain) <= set("0123456789abcdef") else ""
