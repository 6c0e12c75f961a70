"""`headway-gateway run`: serve the dashboard, the API and the streams; `headway-gateway token`: sign a token."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
import time
from typing import Final

import uvloop
from headway_events import HeadwayError

from headway_gateway import app, log, position, processes, tokens
from headway_gateway.errors import InvalidSetting
from headway_gateway.settings import Settings

logger = logging.getLogger(__name__)

MOST_HOURS: Final = 10 * 366 * 24  # ten years; arbitrary: what nobody can take back should end some day


def main() -> int:
    """Run a command; 0 when it ended as it should, 1 when it did not (and stderr says why)."""
    parser = argparse.ArgumentParser(prog="headway-gateway", description="Serve batches over HTTP.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="serve until SIGTERM")
    _add_token_arguments(commands.add_parser("token", help="print a token, signed with HEADWAY_GATEWAY_TOKEN_SECRET"))
    arguments = parser.parse_args()
    log.configure()
    try:
        settings = Settings.from_environment()
        log.configure(settings.log_level)
        if arguments.command == "token":
            print(_token(settings, arguments))
        else:
            uvloop.run(processes.run(settings.processes) if settings.processes > 1 else app.run(settings))
    except HeadwayError as error:
        logger.critical("%s", error, extra={"action": "failed"})
        return 1
    except OSError as error:
        remedy = " Stop the other program, or set HEADWAY_GATEWAY_PORT." if error.errno == errno.EADDRINUSE else ""
        logger.critical("The gateway cannot listen: %s.%s", error, remedy, extra={"action": "failed"})
        return 1
    return 0


def _add_token_arguments(parser: argparse.ArgumentParser) -> None:
    scope = parser.add_mutually_exclusive_group(required=True)
    scope.add_argument(
        "--batch", type=position.batch_id, action="append", metavar="ID", help="a batch that it is for; may be repeated"
    )
    scope.add_argument("--all", action="store_true", help="it is for all batches")
    parser.add_argument("--hours", type=_hours, required=True, help="how long it is valid")
    parser.add_argument("--subject", help="whom it is for: its claim `sub`")


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= MOST_HOURS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours above 0 and up to {MOST_HOURS:,}")
    return hours


def _token(settings: Settings, arguments: argparse.Namespace) -> str:
    if settings.token_secret is None:
        raise InvalidSetting("HEADWAY_GATEWAY_TOKEN_SECRET", "", "the secret with which the gateways check tokens")
    return tokens.sign(
        settings.token_secret,
        "*" if arguments.all else arguments.batch,
        expires_at=time.time() + arguments.hours * 3600,
        audience=settings.token_audience,
        issuer=settings.token_issuer,
        subject=arguments.subject,
    )


if __name__ == "__main__":
    sys.exit(main())
