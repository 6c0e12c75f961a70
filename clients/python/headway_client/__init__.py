"""Follow batches of a Headway gateway: live counts and events, resumed by themselves."""

from __future__ import annotations

from headway_client.api import BatchInfo, StageInfo
from headway_client.blocking import BlockingClient
from headway_client.client import HeadwayClient
from headway_client.connection import Connection
from headway_client.errors import (
    BadAddress,
    BadRequest,
    BadStream,
    ClientError,
    Forbidden,
    GatewayAway,
    Gone,
    NotFound,
    Problem,
    Unauthorized,
)
from headway_client.messages import EventMessage, Message, OtherMessage, Reset, Snapshot, Update
from headway_client.notebook import BatchView

__all__ = [
    "BadAddress",
    "BadRequest",
    "BadStream",
    "BatchInfo",
    "BatchView",
    "BlockingClient",
    "ClientError",
    "Connection",
    "EventMessage",
    "Forbidden",
    "GatewayAway",
    "Gone",
    "HeadwayClient",
    "Message",
    "NotFound",
    "OtherMessage",
    "Problem",
    "Reset",
    "Snapshot",
    "StageInfo",
    "Unauthorized",
    "Update",
]
