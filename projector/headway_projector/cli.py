"""`headway-projector`: run, status, migrate, rebuild, verify, archive, alerts. Thin: arguments in, exit codes out."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import uvloop
from confluent_kafka import KafkaException
from headway_events import HeadwayError
from headway_events.kafka_refusals import explained, remedy

from headway_projector import app, log
from headway_projector.alerts import hooks_file, report
from headway_projector.alerts.outbox import Outbox
from headway_projector.errors import ParquetMissing
from headway_projector.migrate import migrate
from headway_projector.rebuild import rebuild, rebuild_from_topic
from headway_projector.settings import Settings
from headway_projector.status import status
from headway_projector.store import Store
from headway_projector.verify import verify

logger = logging.getLogger(__name__)


def main() -> int:
    """Run a command; 0 when it succeeded, 1 when it did not (and stderr says why)."""
    arguments = _parser().parse_args()
    log.configure()
    try:
        return _run(Settings.from_environment(), arguments)
    except HeadwayError as error:
        logger.critical("%s", error, extra={"action": "failed"})
        return 1
    except (OSError, asyncpg.PostgresError, KafkaException) as error:
        logger.critical("%s", _explained(error), extra={"action": "failed"})
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headway-projector", description="Project batches into PostgreSQL.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="project until SIGTERM")
    showing = commands.add_parser("status", help="print the projectors, and how far each batch is behind its topic")
    showing.add_argument("--all", action="store_true", help="every batch, not only those furthest behind")
    commands.add_parser("migrate", help="bring the database to today's schema")
    rebuilding = commands.add_parser("rebuild", help="project a batch again from its raw log")
    rebuilding.add_argument("batch", type=int)
    rebuilding.add_argument("--from-topic", action="store_true", help="forget the raw log too, and read the topic")
    verifying = commands.add_parser("verify", help="compare a batch's tables with its raw log; 1 if they differ")
    verifying.add_argument("batch", type=int)
    archiving = commands.add_parser("archive", help="write the log of finished batches to an archive of Parquet files")
    archiving.add_argument("directory", type=Path)
    alerting = commands.add_parser("alerts", help="whom batches' news is told to")
    asked = alerting.add_subparsers(dest="alerts", required=True)
    listing = asked.add_parser("list", help="print the hooks, and the alerts that are outstanding or were given up")
    listing.add_argument("--all", action="store_true", help="every alert, not only the oldest")
    trying = asked.add_parser("test", help="send a hook a test message and print the answer; 1 if it is not taken")
    trying.add_argument("name", help="the hook's")
    return parser


def _run(settings: Settings, arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "run":
            uvloop.run(app.run(settings))
        case "status":
            print(asyncio.run(_status(settings, every_batch=arguments.all)))
        case "migrate":
            print("\n".join(asyncio.run(migrate(settings.database_url))) or "nothing to do")
        case "rebuild":
            asyncio.run(_rebuild(settings, arguments.batch, from_topic=arguments.from_topic))
        case "verify":
            return asyncio.run(_verify(settings, arguments.batch))
        case "archive":
            return asyncio.run(_archive(settings, arguments.directory))
        case "alerts" if arguments.alerts == "test":
            return asyncio.run(_try_hook(settings, arguments.name))
        case "alerts":
            print(asyncio.run(_alerts(settings, every_alert=arguments.all)))
    return 0


def _explained(error: Exception) -> str:
    """What failed outside, and the remedy where there is one."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{error}. Stop the other program, or set HEADWAY_PROJECTOR_HEALTH_PORT."
    if isinstance(error, KafkaException):
        default = " See HEADWAY_KAFKA_BOOTSTRAP." if remedy(error) is None else ""
        return f"Kafka does not answer, or refuses: {explained(error)}.{default}"
    then = " Run `headway-projector migrate`." if isinstance(error, asyncpg.UndefinedTableError) else ""
    return f"PostgreSQL does not answer, or refuses: {error}. See HEADWAY_DATABASE_URL.{then}"


@contextlib.asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    store = await Store.connect(settings.database_url)
    try:
        yield store
    finally:
        await store.close()


async def _status(settings: Settings, *, every_batch: bool) -> str:
    async with _store(settings) as store:
        return await status(store, settings, every_batch=every_batch)


async def _rebuild(settings: Settings, batch_id: int, *, from_topic: bool) -> None:
    async with _store(settings) as store:
        if from_topic:
            await rebuild_from_topic(store, settings, batch_id)
            print("forgotten; the projector that owns the batch now reads its topic")
        else:
            await rebuild(store, batch_id)
            print("rebuilt")


async def _verify(settings: Settings, batch_id: int) -> int:
    async with _store(settings) as store:
        differences = await verify(store, batch_id)
    print("\n".join(differences) or "the tables are what the log says")
    return 1 if differences else 0


async def _archive(settings: Settings, directory: Path) -> int:
    try:
        from headway_projector.archive import archive  # noqa: PLC0415 - an extra, and 40 MB of memory
    except ImportError as error:
        raise ParquetMissing from error
    status = 0
    async with _store(settings) as store:
        async for done in archive(store, settings, directory):
            print(done, flush=True)
            status |= done.needs_people
    return status


async def _try_hook(settings: Settings, name: str) -> int:
    taken, answer = await report.trial(hooks_file.read(settings.alerts_file), name)
    print(answer)
    return 0 if taken else 1


async def _alerts(settings: Settings, *, every_alert: bool) -> str:
    async with _store(settings) as store:
        return await report.listing(Outbox(store), hooks_file.read(settings.alerts_file), every_alert=every_alert)


if __name__ == "__main__":
    sys.exit(main())
