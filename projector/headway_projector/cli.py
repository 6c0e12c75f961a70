"""`headway-projector`: run, migrate, rebuild, verify. Thin: arguments in, exit codes out."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import sys

import uvloop
from headway_events import HeadwayError

from headway_projector import app, log
from headway_projector.migrate import migrate
from headway_projector.rebuild import rebuild, rebuild_from_topic
from headway_projector.settings import Settings
from headway_projector.store import Store
from headway_projector.verify import verify

logger = logging.getLogger(__name__)


def main() -> int:
    """Run a command; 0 when it succeeded, 1 when it did not (and stderr says why)."""
    parser = argparse.ArgumentParser(prog="headway-projector", description="Project batches into PostgreSQL.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="project until SIGTERM")
    commands.add_parser("migrate", help="bring the database to today's schema")
    rebuilding = commands.add_parser("rebuild", help="project a batch again from its raw log")
    rebuilding.add_argument("batch", type=int)
    rebuilding.add_argument("--from-topic", action="store_true", help="forget the raw log too, and read the topic")
    verifying = commands.add_parser("verify", help="compare a batch's tables with its raw log; 1 if they differ")
    verifying.add_argument("batch", type=int)
    arguments = parser.parse_args()
    log.configure()
    try:
        settings = Settings.from_environment()
        match arguments.command:
            case "run":
                uvloop.run(app.run(settings))
            case "migrate":
                print("\n".join(asyncio.run(migrate(settings.database_url))) or "nothing to do")
            case "rebuild":
                asyncio.run(_rebuild(settings, arguments.batch, from_topic=arguments.from_topic))
            case "verify":
                return asyncio.run(_verify(settings, arguments.batch))
    except HeadwayError as error:
        logger.critical("%s", error, extra={"action": "failed"})
        return 1
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        remedy = " Stop the other program, or set HEADWAY_PROJECTOR_HEALTH_PORT." if taken else ""
        logger.critical("The projector cannot start: %s.%s", error, remedy, extra={"action": "failed"})
        return 1
    return 0


async def _rebuild(settings: Settings, batch_id: int, *, from_topic: bool) -> None:
    store = await Store.connect(settings.database_url)
    try:
        if from_topic:
            await rebuild_from_topic(store, settings, batch_id)
            print("forgotten; the projector that owns the batch now reads its topic")
        else:
            await rebuild(store, batch_id)
            print("rebuilt")
    finally:
        await store.close()


async def _verify(settings: Settings, batch_id: int) -> int:
    store = await Store.connect(settings.database_url)
    try:
        differences = await verify(store, batch_id)
    finally:
        await store.close()
    print("\n".join(differences) or "the tables are what the log says")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
