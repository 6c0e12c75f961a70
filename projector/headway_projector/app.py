"""The composition of a projector: what is made of what, in which order it starts, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Collection
from typing import Final, NamedTuple, TypeVar

import asyncpg
from confluent_kafka import KafkaException
from headway_events.kafka_refusals import explained

from headway_projector import health as health_module
from headway_projector.alerts import hooks_file
from headway_projector.alerts.delivery import AlertMetrics, Delivery
from headway_projector.alerts.hooks import Hooks
from headway_projector.alerts.outbox import Outbox
from headway_projector.alerts.rules import Rules
from headway_projector.alerts.silence import Silence
from headway_projector.control_plane import ControlPlane
from headway_projector.data_plane import AWAY, DataPlane
from headway_projector.dead_letters import DeadLetters, make_topics
from headway_projector.errors import ProjectorError
from headway_projector.health import Health
from headway_projector.identity import TopicIdentity
from headway_projector.janitor import Janitor
from headway_projector.lifecycle_store import LifecycleStore
from headway_projector.migrate import migrate
from headway_projector.ownership import owned
from headway_projector.reader import Reader
from headway_projector.reconcile import Reconciler
from headway_projector.settings import Settings
from headway_projector.store import Store
from headway_projector.topics import Topics

logger = logging.getLogger(__name__)

RETRY_S: Final = 1.0
CRASH_CHECK_S: Final = 1.0
STOP_TIMEOUT_S: Final = 10.0
SWITCH_INTERVAL_S: Final = 0.0005  # the loop feeds PostgreSQL while a thread folds: it must not wait 5 ms for each turn
GC_THRESHOLD: Final = 50_000  # objects; a poll makes a few for each record and no cycles, so looking often is wasted

Result = TypeVar("Result")


async def run(settings: Settings) -> None:
    """Project until SIGTERM or SIGINT.

    Raises:
        OSError: the health port is taken.
        InvalidAlerts: what is in HEADWAY_PROJECTOR_ALERTS_FILE is not understood.
        ProjectorError: a part ended by itself; the process should be started anew.
    """
    hooks = hooks_file.read(settings.alerts_file)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    health = Health(stuck_after_s=settings.stuck_after_s)
    end_health = await health_module.serve(health, settings.health_host, settings.health_port)
    try:
        starting = asyncio.create_task(_start(settings, hooks, health))
        stop_asked = asyncio.create_task(stopped.wait())
        await asyncio.wait({starting, stop_asked}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            parts = starting.result()
            await _until_stopped(parts, stop_asked)
        else:
            starting.cancel()
    finally:
        await end_health()


class _Parts(NamedTuple):
    """The running parts."""

    store: Store
    data_plane: DataPlane
    control_plane: ControlPlane
    project: asyncio.Task[None]
    background: list[asyncio.Task[None]]  # loops whose rounds may be cut short
    delivery: Delivery | None


async def _start(settings: Settings, hooks: Hooks, health: Health) -> _Parts:
    """Start everything, waiting for the servers that are away."""
    await _until_there(health, "PostgreSQL", lambda: migrate(settings.database_url))
    partitions = await _until_there(
        health,
        "Kafka",
        lambda: asyncio.to_thread(make_topics, settings.connection, settings.names, settings.replication_factor),
    )
    store = await _until_there(health, "PostgreSQL", lambda: Store.connect(settings.database_url))
    letters = DeadLetters(settings.connection, settings.names.dead_letters)
    lifecycle_store, topics = LifecycleStore(store), Topics(settings.connection, settings.names)
    identity = TopicIdentity(lifecycle_store, topics)
    rules, silence = (Rules(hooks.hooks), Silence()) if hooks.hooks else (None, None)
    data_plane = DataPlane(settings, store, Reader(settings.connection), letters, health, identity, rules)
    control_plane = ControlPlane(settings)

    def mine(batch_ids: Collection[int]) -> set[int]:
        return owned(batch_ids, assigned=control_plane.assigned(), partitions=partitions)

    reconciler = Reconciler(
        topics=topics,
        names=settings.names,
        owned=mine,
        store=store,
        data_plane=data_plane,
        health=health,
        silence=silence,
        rest_after_s=settings.rest_after_s,
    )
    janitor = Janitor(settings, store=lifecycle_store, topics=topics, owned=mine, end=data_plane.end)
    project = asyncio.create_task(data_plane.run())
    background = [asyncio.create_task(reconciler.run()), asyncio.create_task(janitor.run())]
    delivery = None if silence is None else _delivery(settings, hooks, store, silence, health)
    if delivery is not None:
        background.append(asyncio.create_task(delivery.run()))

    def reassigned() -> None:
        health.rebalances.inc()
        reconciler.look()

    control_plane.listen(announced=reconciler.announce, reassigned=reassigned)
    await _until_there(health, "Kafka", control_plane.start)
    health.turned()
    health.running()
    health.watch()
    logger.info("The projector runs", extra={"action": "started", "registry_partitions": partitions})
    return _Parts(store, data_plane, control_plane, project, background, delivery)


def _delivery(settings: Settings, hooks: Hooks, store: Store, silence: Silence, health: Health) -> Delivery:
    return Delivery(
        hooks,
        outbox=Outbox(store),
        silence=silence,
        metrics=AlertMetrics(health.registry),
        stalled_after_s=settings.stalled_after_s,
    )


async def _until_stopped(parts: _Parts, stop_asked: asyncio.Task[bool]) -> None:
    """Wait for the signal, or for a part to end by itself; then end the others in order."""
    try:
        while not stop_asked.done():
            done, _ = await asyncio.wait(
                {parts.project, *parts.background, stop_asked},
                timeout=CRASH_CHECK_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done - {stop_asked}:
                task.result()
                raise ProjectorError("A part of the projector ended by itself.")
            if (reason := parts.control_plane.crashed) is not None:
                raise ProjectorError(f"Faust ended by itself: {reason!r}") from reason
    finally:
        await _stop(parts)


async def _stop(parts: _Parts) -> None:
    for task in parts.background:
        task.cancel()
    parts.data_plane.stop()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await asyncio.gather(parts.project, return_exceptions=True)
            await parts.control_plane.stop()
            await parts.data_plane.close()
            if parts.delivery is not None:
                await parts.delivery.close()
            await parts.store.close()
    except TimeoutError:
        logger.warning("The projector did not end in time; what was not committed is projected by the next one",
                       extra={"action": "stop_timeout"})  # fmt: skip


async def _until_there(health: Health, server: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
    """The result of an attempt, made again and again until its server is there."""
    while True:
        try:
            result = await attempt()
        except (*AWAY, asyncpg.PostgresError, KafkaException) as error:
            reason = f"{type(error).__name__}: {explained(error)}{_remedy(error)}"
            health.waits_for(server, reason)
            logger.warning(
                "A server does not answer yet; trying again",
                extra={"action": "waiting", "server": server, "reason": reason},
            )
            await asyncio.sleep(RETRY_S)
        else:
            health.has(server)
            return result


def _remedy(error: Exception) -> str:
    """What to look at when PostgreSQL answers, and will not have this program."""
    refused = isinstance(
        error, ssl.SSLError | asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InsufficientPrivilegeError
    )
    return ". See HEADWAY_DATABASE_URL, and docs/operate/security.md for the role it needs" if refused else ""
