"""`headway watch`: a batch's stages, live: drawn in place on a terminal, as lines elsewhere, or as JSON lines."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live

from headway_client import watching
from headway_client.api import BatchPage
from headway_client.cli import exits
from headway_client.cli.exits import Exit
from headway_client.cli.output import note, write, write_json
from headway_client.cli.screen import screen
from headway_client.client import HeadwayClient, converted
from headway_client.lines import Lines
from headway_client.page import Page, page_of
from headway_client.report import report
from headway_client.watched import Watched
from headway_client.watching import now

JSON_EVERY_S: Final = 1.0  # at most
NEWEST_RUNNING: Final = "/api/batches?status=processing&status=stalled&limit=1"

Show = Callable[[Watched], None]


async def watch(client: HeadwayClient, arguments: argparse.Namespace) -> Exit:
    """Show the batch, the newest that runs if none is named, until it is finished."""
    batch_id = arguments.batch_id
    if batch_id is None:
        running = converted(await client.get(NEWEST_RUNNING), BatchPage).batches
        if not running:
            note("no batch is running; `headway batches` lists those that were")
            return Exit.UNKNOWN
        batch_id = running[0].batch_id
    console = Console(highlight=False)
    drawing = console.is_terminal and not console.is_dumb_terminal and not arguments.json
    with _drawn(console) if drawing else _written(arguments.json) as show:
        async with aclosing(watching.watch(client, batch_id, begun=False)) as watched_batch:
            async for watched in watched_batch:
                show(watched)
    return exits.of_batch(watched)


@contextmanager
def _drawn(console: Console) -> Iterator[Show]:
    """Draws on a screen of its own, and leaves the last picture on the one that was there before."""
    last: Page | None = None
    live = Live(console=console, screen=True, auto_refresh=False)

    def show(watched: Watched) -> None:
        nonlocal last
        last = page_of(watched, now())
        live.update(Group(*screen(last, console.width, console.height)), refresh=True)

    try:
        with live:
            yield show
    finally:
        if last is not None:
            console.print(*screen(last, console.width, console.height), sep="\n")


@contextmanager
def _written(as_json: bool) -> Iterator[Show]:
    """Writes a line when something has changed."""
    if not as_json:
        lines = Lines()
        yield lambda watched: write(*lines.of(page_of(watched, now()), time.monotonic()))
        return
    said: dict[str, Any] = {}
    said_s = -JSON_EVERY_S

    def show(watched: Watched) -> None:
        nonlocal said, said_s
        found = report(watched, now())
        if found != said and (time.monotonic() - said_s >= JSON_EVERY_S or watched.standing.is_final):
            said, said_s = found, time.monotonic()
            write_json(found)

    yield show
