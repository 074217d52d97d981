"""TLS by the BCP 195 profile (PS3.15 B.12; RFC 9325): our certificate, whom we believe, and clear words for failures."""

import hashlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

import structlog
from cryptography import x509

from hilum.core.access.certificates import Certificate, is_named
from hilum.core.access.model import Peer
from hilum.core.kernel.errors import Invalid
from hilum.transport.secure_socket import SecureSocket

log = structlog.get_logger()

CIPHERS = "ECDHE+AESGCM:!aNULL"
"""For TLS 1.2: the suites that RFC 9325 4.2 recommends. Those of TLS 1.3 are all sound."""

_HANDSHAKE_SECONDS = 10.0

HANDSHAKE = b"\x16"
"""First octet of a TLS connection; an association starts with 01 (PS3.8 9.3.2)."""


class Entrance(Enum):
    """What a port takes."""

    PLAIN = "plain"
    SECURE = "secure"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Identity:
    """Files in PEM form: our certificate with its chain, its key, and the authorities that we believe.

    Without `authorities` those of the operating system are believed. `client_certificates` is `required`, `optional`
    or `none`: what a caller must show.
    """

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None
    client_certificates: str = "required"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are named."""
        return tuple(file for file in (self.certificate, self.key, self.authorities) if file is not None)

    def check(self) -> None:
        """Raise Invalid when we cannot be a server with these files."""
        if self.certificate is None or self.key is None:
            raise Invalid(
                "TLS needs a certificate and its key", next_step="set tls.certificate and tls.key (PEM files)"
            )
        if self.client_certificates != "none" and self.authorities is None:
            raise Invalid(
                "client certificates are asked for, and no authority is named that could have signed them",
                next_step="set tls.authorities (a PEM file), or tls.client_certificates = none",
            )
        _server_context(self)


NO_IDENTITY = Identity()


@dataclass(slots=True)
class ServerTls:
    """Accepts TLS connections. Files that changed are read anew; while they are unreadable the old ones serve on."""

    identity: Identity
    _context: ssl.SSLContext | None = None
    _stamps: tuple[int, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accepted(self, below: socket.socket, seconds: float) -> SecureSocket:
        """Shake hands with a caller; raises OSError, whose words `why` gives."""
        secured = SecureSocket(below, self._current(), server_side=True)
        secured.handshake(seconds)
        return secured

    def _current(self) -> ssl.SSLContext:
        with self._lock:
            stamps = _stamps(self.identity)
            if self._context is None or stamps != self._stamps:
                self._context = self._renewed()
                self._stamps = stamps
            return self._context

    def _renewed(self) -> ssl.SSLContext:
        try:
            return _server_context(self.identity)
        except Invalid as error:
            if self._context is None:
                raise
            log.warning("certificates not read anew; the old ones serve on", reason=error.what)
            return self._context


def greeted(below: socket.socket, tls: ServerTls, entrance: Entrance, seconds: float) -> SecureSocket | None:
    """Shake hands with a caller as the port demands; None when it speaks plainly where it may. Raises OSError."""
    below.settimeout(seconds)
    if entrance is Entrance.EITHER and below.recv(1, socket.MSG_PEEK) != HANDSHAKE:
        return None
    return tls.accepted(below, seconds)


def opened(below: socket.socket, peer: Peer, identity: Identity) -> SecureSocket:
    """Shake hands with a peer that we call; raises OSError, whose words `why` gives, and Invalid for our own files.

    Its certificate must be signed by an authority that we believe, and name its host or be the one that it is bound to.
    """
    wanted = peer.options.certificate
    context = _client_context(identity)
    context.check_hostname = not wanted
    secured = SecureSocket(below, context, server_side=False, server_hostname=peer.host)
    secured.handshake(_HANDSHAKE_SECONDS)
    shown = certificate_of(secured)
    if wanted and (shown is None or not is_named(shown, wanted)):
        secured.close()
        raise ssl.SSLCertVerificationError(OTHER_CERTIFICATE)
    return secured


def certificate_of(secured: SecureSocket) -> Certificate | None:
    """Return what the other side showed, once it was verified."""
    encoded = secured.certificate
    if encoded is None:
        return None
    return Certificate(
        hashlib.sha256(encoded).hexdigest(), frozenset(names_of(x509.load_der_x509_certificate(encoded)))
    )


def names_of(certificate: x509.Certificate) -> Iterator[str]:
    """Yield the common name and the alternative names, in lower case."""
    for attribute in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        yield str(attribute.value).lower()
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for kind in (x509.DNSName, x509.IPAddress, x509.UniformResourceIdentifier):
        yield from (str(value).lower() for value in named.get_values_for_type(kind))


def expiry_of(file: Path) -> datetime:
    """Return when the first certificate of a PEM file ends; raises Invalid."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError, IndexError) as error:
        raise _unreadable((file,), error) from error


def why(error: OSError) -> str:
    """Say why a handshake failed, whose fault it is, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = getattr(error, "verify_code", 0)
        return _VERIFYING.get(code) or f"its certificate is not accepted: {error.args[-1]}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return next((words for part, words in _ALERTS if part in reason), f"no TLS: {reason or error}")
    return "closed during the TLS handshake" if isinstance(error, ConnectionError) else "no TLS in time"


OTHER_CERTIFICATE = (
    "it showed another certificate than the one it is bound to: hilum peers set NAME certificate=..."
)

_VERIFYING = {  # numbers of OpenSSL's X509_V_ERR_...
    9: "its certificate is not valid yet: compare the clocks",
    10: "its certificate has expired: it needs a new one",
    18: "its certificate is self-signed and not among tls.authorities: add it there",
    19: "an authority that is not among tls.authorities signed its certificate: add that authority there",
    20: "an authority that is not among tls.authorities signed its certificate: add that authority there",
    21: "its certificate comes without its chain: let it send the intermediate ones, or add them to tls.authorities",
    23: "its certificate was revoked",
    62: "its certificate names another host: mend the host of the peer, or bind it: hilum peers set NAME certificate=...",
    64: "its certificate names another address: mend the host of the peer, or bind it: hilum peers set NAME certificate=...",
}

_ALERTS = (  # what OpenSSL calls the alerts of RFC 8446 6, and failures of its own
    (
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        "it showed no certificate: give it one, or set tls.client_certificates",
    ),
    ("UNKNOWN_CA", "it does not know the authority that signed our certificate: add that authority there"),
    ("CERTIFICATE_EXPIRED", "it says that our certificate has expired: renew tls.certificate"),
    ("CERTIFICATE_REQUIRED", "it wants a certificate of ours: set tls.certificate and tls.key"),
    ("HANDSHAKE_FAILURE", "it refused the handshake: it may want a certificate of ours, or other ciphers"),
    ("BAD_CERTIFICATE", "it does not accept our certificate"),
    ("CERTIFICATE_UNKNOWN", "it does not accept our certificate"),
    ("NO_SHARED_CIPHER", "it offers only ciphers that BCP 195 does not allow"),
    ("UNSUPPORTED_PROTOCOL", "it speaks a TLS older than 1.2, which BCP 195 does not allow"),
    ("PROTOCOL_VERSION", "it speaks a TLS older than 1.2, which BCP 195 does not allow"),
    (
        "WRONG_VERSION_NUMBER",
        "it does not speak TLS on this port: set tls=no for it, or name its secure port",
    ),
    ("HTTP_REQUEST", "it does not speak TLS on this port"),
)


def _server_context(identity: Identity) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity)
    wanted = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL}
    context.verify_mode = wanted.get(identity.client_certificates, ssl.CERT_NONE)
    return context


def _client_context(identity: Identity) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_CLIENT, identity)
    if identity.authorities is None:
        context.load_default_certs()
    return context


def _context(protocol: int, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        if identity.certificate is not None:
            context.load_cert_chain(identity.certificate, identity.key, password=_no_password)
        if identity.authorities is not None:
            context.load_verify_locations(identity.authorities)
    except (OSError, ValueError) as error:
        raise _unreadable(identity.files, error) from error
    return context


def _no_password() -> str:
    """Return no password: OpenSSL would ask the terminal for it, where nobody sits."""
    return ""


def _unreadable(files: Iterable[Path], error: Exception) -> Invalid:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
    return Invalid(
        f"a certificate, key or authority cannot be read: {', '.join(map(str, files))}",
        peer_said=str(reason),
        next_step="name PEM files that belong together and that this user may read; keys without password",
    )


def _stamps(identity: Identity) -> tuple[int, ...]:
    try:
        return tuple(file.stat().st_mtime_ns for file in identity.files)
    except OSError:
        return ()
