"""`headway-gateway run`: serve the dashboard, the API and the streams."""

from __future__ import annotations

import argparse
import errno
import logging
import sys

import uvloop
from headway_events import HeadwayError

from headway_gateway import app, log, processes
from headway_gateway.settings import Settings

logger = logging.getLogger(__name__)


def main() -> int:
    """Run a command; 0 when it ended as it should, 1 when it did not (and stderr says why)."""
    parser = argparse.ArgumentParser(prog="headway-gateway", description="Serve batches over HTTP.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="serve until SIGTERM")
    parser.parse_args()
    log.configure()
    try:
        settings = Settings.from_environment()
        uvloop.run(processes.run(settings.processes) if settings.processes > 1 else app.run(settings))
    except HeadwayError as error:
        logger.critical("%s", error, extra={"action": "failed"})
        return 1
    except OSError as error:
        remedy = " Stop the other program, or set HEADWAY_GATEWAY_PORT." if error.errno == errno.EADDRINUSE else ""
        logger.critical("The gateway cannot listen: %s.%s", error, remedy, extra={"action": "failed"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
