"""How many streams there may be, in all and for one client. Pure."""

from __future__ import annotations

from collections import Counter

from headway_gateway.errors import TooManyStreams
from headway_gateway.forwarded import counted_as


class StreamLimits:
    """The streams that there are, by the address of their clients."""

    def __init__(self, most: int, most_by_address: int) -> None:
        self._most = most
        self._most_by_address = most_by_address
        self._streams = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> None:
        """Count one more; who enters must `leave`.

        Raises:
            TooManyStreams: that would be too many.
        """
        if self._streams >= self._most:
            raise TooManyStreams
        client = counted_as(address)
        if self._by_address[client] >= self._most_by_address:
            raise TooManyStreams(
                f"There are {self._most_by_address} streams from {client} already, the most for one address; close "
                "some. Where all clients come by a proxy, HEADWAY_GATEWAY_TRUSTED_PROXIES tells them apart"
            )
        self._streams += 1
        self._by_address[client] += 1

    def leave(self, address: str) -> None:
        """Count one less."""
        client = counted_as(address)
        self._streams -= 1
        self._by_address[client] -= 1
        if not self._by_address[client]:
            del self._by_address[client]
