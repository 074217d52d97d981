"""Who is behind a proxy, and which URL they used."""

import pytest

from hilum.core.kernel.errors import Invalid
from hilum.doors._http.addresses import Places, Proxies, host_name, place_of, public_place

FORWARDED = {
    "host": "10.0.0.9:8080",
    "x-forwarded-for": "6.6.6.6, 203.0.113.7, 10.0.0.2",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "pacs.example.org",
    "x-forwarded-prefix": "/hilum/",
}


def _scope(address: str) -> dict[str, object]:
    return {"client": (address, 50000), "scheme": "http"}


def test_a_stranger_is_not_believed() -> None:
    proxies = Proxies.of(["10.0.0.0/24"])

    place = place_of(_scope("203.0.113.7"), FORWARDED, proxies)

    assert place.address == "203.0.113.7"
    assert place.base_url == "http://10.0.0.9:8080"


def test_a_trusted_proxy_tells_client_and_url() -> None:
    proxies = Proxies.of(["10.0.0.0/24"])

    place = place_of(_scope("10.0.0.2"), FORWARDED, proxies)

    assert place.address == "203.0.113.7"
    assert place.base_url == "https://pacs.example.org/hilum"


def test_a_proxy_on_this_machine_is_trusted() -> None:
    place = place_of(_scope("127.0.0.1"), FORWARDED, Proxies.of([]))

    assert place.scheme == "https"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "a b"},
        {"host": "evil/path"},
        {"host": ""},
        {"host": "ok", "x-forwarded-proto": "javascript"},
        {"host": "ok", "x-forwarded-prefix": "//evil.example"},
        {"host": "ok", "x-forwarded-host": "x\r\ny"},
    ],
)
def test_what_cannot_be_part_of_a_url_is_invalid(headers: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        place_of(_scope("127.0.0.1"), headers, Proxies.of([]))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:8080", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("A.B", "a.b"),
    ],
)
def test_a_host_has_a_name_and_perhaps_a_port(host: str, name: str) -> None:
    assert host_name(host) == name


def test_a_bad_range_is_named() -> None:
    with pytest.raises(Invalid, match=r"not an address"):
        Proxies.of(["10.0.0.0/99"])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("localhost", "http://localhost:8080"),
        ("127.0.0.1:9", "http://127.0.0.1:9"),
        ("pacs.example.org", "http://pacs.example.org"),
    ],
)
def test_a_client_on_this_machine_that_leaves_the_port_out_of_host_can_follow_our_urls(
    host: str, expected: str
) -> None:
    scope = {**_scope("127.0.0.1"), "server": ("127.0.0.1", 8080)}

    place = place_of(scope, {"host": host}, Proxies.of([]))

    assert place.base_url == expected


def test_a_public_url_stands_before_what_requests_say() -> None:
    places = Places(Proxies.of([]), public_place("https://pacs.example.org/hilum/"))

    place = places.of(_scope("127.0.0.1"), {"host": "10.0.0.9:8080", "x-forwarded-for": "203.0.113.7"})

    assert place.base_url == "https://pacs.example.org/hilum"
    assert place.address == "203.0.113.7"


@pytest.mark.parametrize(
    "url", ["pacs.example.org", "ftp://host", "https://host/?x=1", "https://a b/", "https://h/a//b"]
)
def test_a_public_url_that_is_none_is_invalid(url: str) -> None:
    with pytest.raises(Invalid):
        public_place(url)


@pytest.mark.parametrize(
    ("forwarded", "address", "base_url"),
    [
        ("for=203.0.113.7;proto=https;host=pacs.example.org", "203.0.113.7", "https://pacs.example.org"),
        ('for="[2001:db8::7]:4711";proto=https, for=10.0.0.2', "2001:db8::7", "https://10.0.0.9:8080"),
        ('For="203.0.113.7:99"; Host="pacs.example.org:8443"', "203.0.113.7", "http://pacs.example.org:8443"),
        ("by=_hidden;secret", "10.0.0.2", "http://10.0.0.9:8080"),
    ],
)
def test_a_trusted_proxy_may_say_it_by_the_standard_field(
    forwarded: str, address: str, base_url: str
) -> None:
    headers = {"host": "10.0.0.9:8080", "forwarded": forwarded}

    place = place_of(_scope("10.0.0.2"), headers, Proxies.of(["10.0.0.0/24"]))

    assert place.address == address
    assert place.base_url == base_url
