"""Runs one command from its arguments to its exit code, and leaves the terminal as it was."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NoReturn

from headway_events import HeadwayError

from headway_client.cli import exits
from headway_client.cli.arguments import parser
from headway_client.cli.exits import Exit
from headway_client.cli.lists import batches, errors
from headway_client.cli.tail import tail
from headway_client.cli.wait import wait
from headway_client.cli.watch import watch
from headway_client.client import HeadwayClient
from headway_client.reconnection import WATCHED_MOST_S
from headway_client.settings import Settings
from headway_client.wording import printable

Command = Callable[[HeadwayClient, argparse.Namespace], Awaitable[Exit]]
COMMANDS: Final[dict[str, Command]] = {
    "watch": watch, "batches": batches, "errors": errors, "tail": tail, "wait": wait,
}  # fmt: skip


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; its exit code."""
    read = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not of UTF-8 is no reason to fail
    try:
        return asyncio.run(_run(read))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at its end
        return Exit.PIPE
    except HeadwayError as error:
        print(f"headway: {printable(str(error))}", file=sys.stderr)
        return exits.of_error(error)


async def _run(arguments: argparse.Namespace) -> Exit:
    settings = Settings.from_environment(arguments.url, arguments.token)
    patience_s = getattr(arguments, "patience", None)
    async with HeadwayClient(
        settings.url, token=settings.token, patience_s=patience_s, most_delay_s=WATCHED_MOST_S
    ) as client:
        return await COMMANDS[arguments.command](client, arguments)


def _terminated(*_: object) -> NoReturn:
    raise SystemExit(Exit.TERMINATED)
