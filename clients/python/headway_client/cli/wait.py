"""`headway wait`: waits until a batch is finished, and says by its exit code how it ended."""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from headway_events import Status, status_at

from headway_client.cli import exits
from headway_client.cli.exits import Exit
from headway_client.cli.output import ConnectionNotes, note, write, write_json
from headway_client.client import HeadwayClient
from headway_client.connection import Connection
from headway_client.lines import Lines
from headway_client.page import page_of
from headway_client.report import report
from headway_client.watched import STALLED_AFTER_S, Standing, Watched
from headway_client.watching import now, watch

SETTLED_S: Final = 5.0  # without a message, before a batch is given up: one that is being caught up with looks stalled


async def wait(client: HeadwayClient, arguments: argparse.Namespace) -> Exit:
    """Wait for the batch, and write how it stands in the end."""
    waiting = _Waiting(client, arguments)
    try:
        async with asyncio.timeout(arguments.timeout) as limit:
            ended = await waiting.wait()
    except TimeoutError:
        if not limit.expired():
            raise
        note(f"batch {arguments.batch_id} is not finished after {arguments.timeout:g} s")
        ended = Exit.TIMEOUT
    waiting.write(arguments.json, ended)
    return ended


class _Waiting:
    """One waiting."""

    def __init__(self, client: HeadwayClient, arguments: argparse.Namespace) -> None:
        self._client = client
        self._batch_id: int = arguments.batch_id
        self._stall = Stall(arguments.stalled_after)
        self._watched = Watched(self._batch_id)

    async def wait(self) -> Exit:
        """Wait until the batch is finished or stalled."""
        say = ConnectionNotes()
        async with aclosing(watch(self._client, self._batch_id)) as watching:
            async for watched in watching:
                self._watched = watched
                # A batch may be at its end before it was seen to be live.
                if watched.standing is not Standing.CONNECTING:
                    say(Connection(live=watched.standing is not Standing.OFFLINE, reason=watched.reason))
                if self._stall.has_come(watched, now(), time.monotonic()):
                    note(f"nothing was heard of batch {self._batch_id} for {self._stall.after_s(watched):g} s")
                    return Exit.STALLED
        return exits.of_batch(watched)

    def write(self, as_json: bool, ended: Exit) -> None:
        """How the batch stands."""
        moment = now()
        if as_json:
            write_json({**report(self._watched, moment), "exitCode": int(ended)})
        elif self._watched.batch.stages:
            write(*Lines().of(page_of(self._watched, moment), 0.0))


class Stall:
    """Whether a batch is to be given up. Never on the strength of old news alone, nor while the gateway is away."""

    def __init__(self, after_s: float | None) -> None:
        """Nothing is known yet.

        Args:
            after_s: of silence; the gateway's figure if None.
        """
        self._after_s = after_s
        self._taken = -1
        self._since_s = 0.0

    def after_s(self, watched: Watched) -> float:
        """The silence that is too long."""
        if self._after_s is not None:
            return self._after_s
        return STALLED_AFTER_S if watched.info is None else watched.info.stalled_after_s

    def has_come(self, watched: Watched, moment: datetime, clock_s: float) -> bool:
        """Whether all stages that are under way are silent for too long, and no message has come for a while."""
        if watched.taken != self._taken or watched.standing is not Standing.LIVE:
            self._taken, self._since_s = watched.taken, clock_s
        after = timedelta(seconds=self.after_s(watched))
        under_way = [
            stage for stage in map(watched.batch.current, watched.batch.stages) if stage.status is Status.PROCESSING
        ]
        silent = all(status_at(stage, moment, after) is Status.STALLED for stage in under_way)
        return bool(under_way) and silent and not watched.batch.closed and clock_s - self._since_s >= SETTLED_S
