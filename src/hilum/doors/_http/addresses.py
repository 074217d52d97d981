"""Where a request comes from, and the address that the caller knows us by."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from hilum.core.kernel.errors import Invalid

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+){1,16}")
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_MOST_HOPS = 16
_LONGEST_FORWARDED = 8192


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies whose Forwarded and X-Forwarded-* fields are believed: the configured ones and this machine."""

    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, configured: Sequence[str]) -> "Proxies":
        """Read addresses and CIDR ranges; raises Invalid."""
        try:
            return cls(tuple(ip_network(one, strict=False) for one in (*_LOOPBACK, *configured)))
        except ValueError as error:
            raise Invalid(f"a trusted proxy is not an address or a CIDR range: {error}") from error

    def trust(self, address: str) -> bool:
        """Tell whether an address is a trusted proxy."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Place:
    """Address of the client, and scheme, host and path prefix of the URL that it used."""

    address: str
    scheme: str
    host: str
    prefix: str = ""

    @property
    def base_url(self) -> str:
        """Return the public base URL, without a slash at its end."""
        return f"{self.scheme}://{self.host}{self.prefix}"


@dataclass(frozen=True, slots=True)
class Places:
    """Tells where requests come from, and by which URL: the public one, if that is known beforehand."""

    proxies: Proxies
    public: Place | None = None

    def of(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> Place:
        """Return the place of a request; raises Invalid."""
        found = place_of(scope, headers, self.proxies)
        return replace(self.public, address=found.address) if self.public else found


def public_place(url: str) -> Place | None:
    """Read a public URL, `https://host/prefix`; raises Invalid."""
    if not url:
        return None
    parts = urlsplit(url)
    prefix = parts.path.rstrip("/")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc) or parts.query:
        raise Invalid("the public URL is not http(s)://host/prefix", next_step="mend http.public_url")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise Invalid("the path of the public URL is not a prefix", next_step="mend http.public_url")
    return Place("", parts.scheme, parts.netloc, prefix)


def is_loopback(address: str) -> bool:
    """Tell whether an address is of this machine."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """Return a Host value without its port and brackets, in lower case."""
    name = host.rpartition(":")[0] if re.search(r":[0-9]*$", host) and not host.endswith("]") else host
    return name.strip("[]").lower()


def place_of(scope: Mapping[str, Any], headers: Mapping[str, str], proxies: Proxies) -> Place:
    """Return where a request comes from; forwarded fields count only from a trusted proxy. Raises Invalid."""
    address = scope["client"][0] if scope.get("client") else ""
    scheme, host, prefix = scope.get("scheme", "http"), _with_port(scope, headers.get("host", "")), ""
    if proxies.trust(address):
        told = _forwarded(headers.get("forwarded", ""))
        scheme = _first(headers.get("x-forwarded-proto", "")) or told.get("proto", "") or scheme
        host = _first(headers.get("x-forwarded-host", "")) or told.get("host", "") or host
        prefix = _first(headers.get("x-forwarded-prefix", "")).rstrip("/")
        address = _client(headers.get("x-forwarded-for", "") or told.get("for", ""), proxies) or address
    if scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise Invalid("Host or X-Forwarded-Host/-Proto is not a host name or scheme (RFC 9110 7.2)")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise Invalid("X-Forwarded-Prefix is not a path")
    return Place(address, scheme, host, prefix)


def _with_port(scope: Mapping[str, Any], host: str) -> str:
    """Return Host with the port of this socket, where a client on this machine left it out (RFC 9110 7.2).

    dicomweb-client does, and could not follow a URL without it. A proxy's Host is left alone: it names the proxy.
    """
    server, port = scope.get("server") or ("", None)
    own = is_loopback(server) and (host == server or host.lower() == "localhost")
    is_default = port == (443 if scope.get("scheme") == "https" else 80)
    return f"{host}:{port}" if own and port and not is_default else host


def _forwarded(value: str) -> dict[str, str]:
    """Read Forwarded (RFC 7239 4): host and proto as the first proxy saw them, and all addresses of `for`."""
    told: dict[str, str] = {}
    hops: list[str] = []
    for element in value[-_LONGEST_FORWARDED:].split(","):
        for pair in element.split(";"):
            name, _, said = pair.strip().partition("=")
            said = said.strip().strip('"')
            if name.lower() == "for":
                hops.append(_without_port(said))
            elif name.lower() in ("host", "proto"):
                told.setdefault(name.lower(), said)
    return {**told, "for": ",".join(hops)}


def _without_port(node: str) -> str:
    """Return the address of a node: `192.0.2.1:80`, `[2001:db8::1]:80` (RFC 7239 6)."""
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return node.partition(":")[0] if node.count(":") == 1 else node


def _first(value: str) -> str:
    return value.split(",", 1)[0].strip()


def _client(forwarded_for: str, proxies: Proxies) -> str:
    """Return the last address that is not a trusted proxy: what stands before it anybody may have written."""
    hops = [hop.strip().strip("[]") for hop in forwarded_for.split(",")[-_MOST_HOPS:]]
    for hop in reversed(hops):
        if not _is_address(hop):
            return ""
        if not proxies.trust(hop):
            return hop
    return hops[0] if hops else ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
