"""What the routes find in the application."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from headway_gateway.settings import Settings
from headway_gateway.store import Store
from headway_gateway.topic_feed import FeedHub


class Streams:
    """The tasks that serve a stream now: a gateway that ends lets each say goodbye."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[object]] = set()


SETTINGS: Final = web.AppKey("settings", Settings)
STORE: Final = web.AppKey("store", Store)
HUB: Final = web.AppKey("hub", FeedHub)
STREAMS: Final = web.AppKey("streams", Streams)
