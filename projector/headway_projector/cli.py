"""`headway-projector`: run, migrate. Thin: arguments in, exit codes out."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import sys

from headway_events import HeadwayError

from headway_projector import app, log
from headway_projector.migrate import migrate
from headway_projector.settings import Settings

logger = logging.getLogger(__name__)


def main() -> int:
    """Run a command; 0 when it succeeded, 1 when it did not (and stderr says why)."""
    parser = argparse.ArgumentParser(prog="headway-projector", description="Project batches into PostgreSQL.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="project until SIGTERM")
    commands.add_parser("migrate", help="bring the database to today's schema")
    arguments = parser.parse_args()
    log.configure()
    try:
        settings = Settings.from_environment()
        if arguments.command == "run":
            asyncio.run(app.run(settings))
        else:
            applied = asyncio.run(migrate(settings.database_url))
            print("\n".join(applied) or "nothing to do")
    except HeadwayError as error:
        logger.critical("%s", error, extra={"action": "failed"})
        return 1
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        remedy = " Stop the other program, or set HEADWAY_PROJECTOR_HEALTH_PORT." if taken else ""
        logger.critical("The projector cannot start: %s.%s", error, remedy, extra={"action": "failed"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
