"""Faust: membership of the group that shares the registry topic, and an agent that hears announcements.

The only module that knows Faust, but for its credentials. Its committed offsets decide nothing: an announcement that it
skips is found by the reconciliation, and where a batch stands is in PostgreSQL.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any, Final

import faust
from headway_events import Announcement, BadAnnouncement, decode_announcement

from headway_projector.broker_credentials import broker_credentials
from headway_projector.settings import Settings

logger = logging.getLogger(__name__)

SESSION_TIMEOUT_S: Final = 8.0  # a killed projector's batches are another's within this and a rebalance: below 15 s
HEARTBEAT_S: Final = 2.0
REBALANCE_TIMEOUT_S: Final = 10.0


class ControlPlane:
    """A Faust app whose assignment says which batches are this process's."""

    def __init__(self, settings: Settings) -> None:
        """Declare the app."""
        self._topic = settings.names.registry
        # There are no tables; Faust wants a directory all the same.
        self._directory = tempfile.TemporaryDirectory(prefix="headway-faust-")
        self._app: Any = faust.App(
            settings.app_id,
            broker=[f"kafka://{address}" for address in settings.bootstrap.split(",")],
            broker_credentials=broker_credentials(settings.security),
            autodiscover=False,
            datadir=self._directory.name,
            web_enabled=False,
            topic_disable_leader=True,  # no leader-election topic: nothing here has a leader
            topic_allow_declare=False,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=SESSION_TIMEOUT_S,
            broker_heartbeat_interval=HEARTBEAT_S,
            broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        )

    def listen(self, *, announced: Callable[[Announcement], Awaitable[None]], reassigned: Callable[[], None]) -> None:
        """Say whom to tell, before `start`.

        Args:
            announced: called with each announcement of the partitions assigned.
            reassigned: called when the assignment has changed.
        """
        registry = self._app.topic(self._topic, key_type=bytes, value_type=bytes, value_serializer="raw")
        self._app.agent(registry)(_listener(announced))

        async def on_change(*_: Any, **__: Any) -> None:
            reassigned()

        self._on_change = on_change  # kept: the signals hold it weakly
        self._app.on_partitions_assigned.connect(on_change)
        self._app.on_partitions_revoked.connect(on_change)

    async def start(self) -> None:
        """Join the group."""
        await self._app.start()

    async def stop(self) -> None:
        """Leave the group, so that others take over at once."""
        await self._app.stop()
        self._directory.cleanup()

    def assigned(self) -> set[int]:
        """The partitions of the registry that are this process's now."""
        consumer = self._app.consumer
        if consumer is None:
            return set()
        return {partition.partition for partition in consumer.assignment() if partition.topic == self._topic}

    @property
    def crashed(self) -> BaseException | None:
        """Why Faust has ended by itself, or None while it runs."""
        reason: BaseException | None = self._app.crash_reason
        return reason


def _listener(announced: Callable[[Announcement], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def listen(stream: Any) -> None:
        async for value in stream:
            try:
                await announced(decode_announcement(value or b""))
            except BadAnnouncement as error:
                logger.warning(
                    "A record of the registry is no announcement; passed over",
                    extra={"action": "bad_announcement", "reason": str(error)},
                )
            except Exception as error:  # noqa: BLE001 - an agent that raises drops the message and is started anew
                logger.warning(
                    "An announcement could not be acted on; the reconciliation will find the batch",
                    extra={"action": "announcement_failed", "reason": f"{type(error).__name__}: {error}"},
                )

    return listen
