"""A client's address is what a trusted proxy says, and nothing that the client itself has written."""

from __future__ import annotations

import ipaddress

import pytest
from headway_gateway.forwarded import Client, client_of, counted_as
from headway_gateway.settings import ProxyHeader

TRUSTED = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "fd00::/8")]


def client(peer: str, header: ProxyHeader = "X-Forwarded-For", **headers: str) -> Client:
    return client_of(peer, {name.replace("_", "-"): value for name, value in headers.items()}, TRUSTED, header)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.7", "192.0.2.7"),  # what stands before it the client wrote itself
        ("10.0.0.1", "203.0.113.9, 192.0.2.7, 10.9.9.9", "192.0.2.7"),  # by way of two proxies
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),  # a client on the proxies' own network
        ("10.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("fd00::1", "::ffff:192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # no proxy of ours
        ("", "203.0.113.9", ""),
    ],
)
def test_the_address_is_the_last_one_that_is_no_proxys(peer: str, forwarded: str, address: str) -> None:
    assert client(peer, X_Forwarded_For=forwarded).address == address


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("for=192.0.2.7;proto=https", Client("192.0.2.7", https=True)),
        ('For="[2001:db8::1]:4711"; Proto=HTTPS;by=10.0.0.1', Client("2001:db8::1", https=True)),
        ('for="192.0.2.7:80"', Client("192.0.2.7", https=False)),
        ("for=203.0.113.9;proto=https, for=192.0.2.7;proto=http", Client("192.0.2.7", https=False)),
        ('for="203.0.113.9, for=192.0.2.7;proto=https', Client("192.0.2.7", https=True)),
        ("for=192.0.2.7;proto=https, for=10.0.0.2;proto=http", Client("192.0.2.7", https=True)),
        ("for=_hidden", Client("10.0.0.1", https=False)),
        ("", Client("10.0.0.1", https=False)),
    ],
)
def test_the_standard_header_is_read_as_its_rfc_says(forwarded: str, expected: Client) -> None:
    assert client("10.0.0.1", "Forwarded", Forwarded=forwarded) == expected


def test_only_the_header_that_the_proxies_write_is_looked_at() -> None:
    assert client("10.0.0.1", "X-Forwarded-For", Forwarded="for=203.0.113.9;proto=https") == ("10.0.0.1", False)
    assert client("10.0.0.1", "Forwarded", X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https") == (
        "10.0.0.1", False,
    )  # fmt: skip


@pytest.mark.parametrize(("scheme", "https"), [("https", True), ("http", False), ("http, https", True), ("", False)])
def test_the_scheme_is_the_nearest_proxys_word(scheme: str, https: bool) -> None:
    assert client("10.0.0.1", X_Forwarded_For="192.0.2.7", X_Forwarded_Proto=scheme).https is https
    assert client("192.0.2.1", X_Forwarded_For="192.0.2.7", X_Forwarded_Proto=scheme).https is False


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_addresses_that_one_client_has_are_counted_together(address: str, name: str) -> None:
    assert counted_as(address) == name
