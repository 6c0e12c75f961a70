"""Faust: membership of the group that shares the registry topic, and an agent that hears announcements.

The only module that knows Faust, but for its credentials. Its committed offsets decide nothing: an announcement that it
skips is found by the reconciliation, and where a batch stands is in PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
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
LEAVE_TIMEOUT_S: Final = 5.0


class ControlPlane:
    """A Faust app whose assignment says which batches are this process's."""

    def __init__(self, settings: Settings) -> None:
        """A control plane that has yet to be told whom to tell, and to be started."""
        self._settings = settings
        self._topic = settings.names.registry
        # There are no tables; Faust wants a directory all the same.
        self._directory = tempfile.TemporaryDirectory(prefix="headway-faust-")
        self._app: Any = None

    def listen(self, *, announced: Callable[[Announcement], Awaitable[None]], reassigned: Callable[[], None]) -> None:
        """Say whom to tell, before `start`.

        Args:
            announced: called with each announcement of the partitions assigned.
            reassigned: called when the assignment has changed.
        """

        async def on_change(*_: Any, **__: Any) -> None:
            reassigned()

        self._announced = announced
        self._on_change = on_change  # kept: the signals hold it weakly

    async def start(self) -> None:
        """Join the group; may be tried again.

        Raises:
            ConnectionError: Kafka went away meanwhile, or refuses.
        """
        self._app = self._declared()  # anew each time: one that could not start stays half started
        try:
            await self._app.start()
        except Exception as error:
            await self._leave()
            raise ConnectionError(f"Faust could not start: {error!r}") from error

    async def stop(self) -> None:
        """Leave the group, so that others take over at once."""
        await self._app.stop()
        self._directory.cleanup()

    async def _leave(self) -> None:
        """Stop what has started of an app, as far as it lets itself be stopped."""
        app, self._app = self._app, None
        with contextlib.suppress(Exception):
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await app.stop()

    def _declared(self) -> Any:
        app: Any = faust.App(
            self._settings.app_id,
            broker=[f"kafka://{address}" for address in self._settings.bootstrap.split(",")],
            broker_credentials=broker_credentials(self._settings.security),
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
        registry = app.topic(self._topic, key_type=bytes, value_type=bytes, value_serializer="raw")
        app.agent(registry)(_listener(self._announced))
        app.on_partitions_assigned.connect(self._on_change)
        app.on_partitions_revoked.connect(self._on_change)
        return app

    def assigned(self) -> set[int]:
        """The partitions of the registry that are this process's now."""
        consumer = None if self._app is None else self._app.consumer
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
