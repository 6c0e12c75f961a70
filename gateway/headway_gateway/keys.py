"""What the routes find in the application and in a request."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from headway_gateway.auth import Authenticator
from headway_gateway.forwarded import Client
from headway_gateway.limits import StreamLimits
from headway_gateway.metrics import Metrics
from headway_gateway.principal import Principal
from headway_gateway.settings import Settings
from headway_gateway.store import Store
from headway_gateway.topic_feed import FeedHub


class Streams:
    """The tasks that serve a stream now: a gateway that ends lets each say goodbye."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[object]] = set()

    def end(self, task: asyncio.Task[object]) -> None:
        """Have a stream say goodbye: its client shall come again."""
        if task in self.tasks:
            self.tasks.discard(task)  # tells its handler that it is the gateway that ends it, not the client
            task.cancel()


SETTINGS: Final = web.AppKey("settings", Settings)
STORE: Final = web.AppKey("store", Store)
HUB: Final = web.AppKey("hub", FeedHub)
STREAMS: Final = web.AppKey("streams", Streams)
AUTHENTICATOR: Final = web.AppKey("authenticator", Authenticator)
LIMITS: Final = web.AppKey("limits", StreamLimits)
METRICS: Final = web.AppKey("metrics", Metrics)

CLIENT: Final = web.RequestKey("client", Client)
PRINCIPAL: Final = web.RequestKey("principal", Principal)
