"""What trusted proxies say of a request: the client's address, and whether it came by https. Pure.

A header is read from its end, where the nearest proxy has written: what stands before the first address that is not a
trusted proxy's is the client's own word.

Source: RFC 7239 (Forwarded); https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from headway_gateway.settings import Network, ProxyHeader

IPV6_CLIENT_BITS: Final = 64  # one customer's: whoever has one address of it has them all

Address = IPv4Address | IPv6Address

_PAIR: Final = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^";,\s]*)\s*')
_PORT: Final = re.compile(r"(?P<v6>\[[^\]]*\])(?::\d+)?|(?P<v4>[0-9.]+):\d+")


class Client(NamedTuple):
    """Where a request comes from."""

    address: str
    https: bool


class _Hop(NamedTuple):
    """What one proxy has written."""

    address: Address | None
    https: bool | None


def client_of(peer: str, headers: Mapping[str, str], trusted: Sequence[Network], header: ProxyHeader) -> Client:
    """The client, as far as it can be believed: the peer itself unless that is a trusted proxy.

    Args:
        peer: the address of the other end of the connection.
        headers: of the request, those of one name joined by commas.
        trusted: networks of proxies.
        header: the one that they write.
    """
    nearest = _address(peer)
    client, https = peer, False
    if nearest is None or not _is_in(nearest, trusted):
        return Client(client, https)
    for hop in reversed(_hops(headers, header)):
        https = https if hop.https is None else hop.https
        if hop.address is None:
            break
        client = str(hop.address)
        if not _is_in(hop.address, trusted):
            break
    return Client(client, https)


def counted_as(address: str) -> str:
    """The address, or the network, under whose name a client's streams are counted."""
    found = _address(address)
    if isinstance(found, IPv6Address):
        return str(ipaddress.ip_network((found, IPV6_CLIENT_BITS), strict=False))
    return address


def _hops(headers: Mapping[str, str], header: ProxyHeader) -> list[_Hop]:
    if header == "Forwarded":
        return [_forwarded_hop(element) for element in headers.get("Forwarded", "").split(",") if element.strip()]
    schemes = [text.strip().lower() for text in headers.get("X-Forwarded-Proto", "").split(",")]
    hops = [_Hop(_address(text), None) for text in headers.get("X-Forwarded-For", "").split(",")]
    return [*hops[:-1], hops[-1]._replace(https=schemes[-1] == "https")]


def _forwarded_hop(element: str) -> _Hop:
    pairs = {name.lower(): value.strip('"') for name, value in _PAIR.findall(element)}
    scheme = pairs.get("proto")
    return _Hop(_address(pairs.get("for", "")), None if scheme is None else scheme.lower() == "https")


def _address(text: str) -> Address | None:
    text = text.strip()
    if found := _PORT.fullmatch(text):
        text = (found["v6"] or found["v4"]).strip("[]")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
