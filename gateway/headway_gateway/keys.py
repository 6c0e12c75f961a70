"""What the routes find in the application and in a request."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from headway_gateway.auth import Authenticator
from headway_gateway.forwarded import Client
from headway_gateway.limits import StreamLimits
from headway_gateway.live import LiveBatches
from headway_gateway.metrics import Metrics
from headway_gateway.principal import Principal
from headway_gateway.progress import ProgressHub
from headway_gateway.settings import Settings
from headway_gateway.store import Store
from headway_gateway.streams import Streams
from headway_gateway.topic_feed import FeedHub

SETTINGS: Final = web.AppKey("settings", Settings)
STORE: Final = web.AppKey("store", Store)
HUB: Final = web.AppKey("hub", FeedHub)
LIVE: Final = web.AppKey("live", LiveBatches)
PROGRESS: Final = web.AppKey("progress", ProgressHub)
STREAMS: Final = web.AppKey("streams", Streams)
AUTHENTICATOR: Final = web.AppKey("authenticator", Authenticator)
LIMITS: Final = web.AppKey("limits", StreamLimits)
METRICS: Final = web.AppKey("metrics", Metrics)

CLIENT: Final = web.RequestKey("client", Client)
PRINCIPAL: Final = web.RequestKey("principal", Principal)
