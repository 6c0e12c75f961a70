"""As many streams as are allowed, and their places are free again when they end."""

from __future__ import annotations

import pytest
from headway_gateway.errors import TooManyStreams
from headway_gateway.limits import StreamLimits


def test_an_address_has_so_many_streams_and_another_has_its_own() -> None:
    limits = StreamLimits(10, 2)
    limits.enter("192.0.2.1")
    limits.enter("192.0.2.1")
    with pytest.raises(TooManyStreams, match=r"2 streams from 192\.0\.2\.1"):
        limits.enter("192.0.2.1")
    limits.enter("192.0.2.2")
    limits.leave("192.0.2.1")
    limits.enter("192.0.2.1")


def test_one_network_of_ipv6_is_one_address() -> None:
    limits = StreamLimits(10, 1)
    limits.enter("2001:db8::1")
    with pytest.raises(TooManyStreams):
        limits.enter("2001:db8::2")
    limits.leave("2001:db8::1")
    limits.enter("2001:db8::2")


def test_all_addresses_together_have_no_more_than_the_whole() -> None:
    limits = StreamLimits(3, 3)
    for number in range(3):
        limits.enter(f"192.0.2.{number}")
    with pytest.raises(TooManyStreams):
        limits.enter("192.0.2.9")
    limits.leave("192.0.2.0")
    limits.enter("192.0.2.9")
