"""How a stream stands, as those who follow it are told. Pure."""

from __future__ import annotations

import msgspec


class Connection(msgspec.Struct, frozen=True):
    """What has become of a try to read a stream."""

    live: bool
    """Whether the stream is there; else the client is about to try again."""
    reason: str = ""
    """Why it is not there."""
