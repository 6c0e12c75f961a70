"""A plain Faust agent in the projector's place: the same records into equal tables, checked to hold the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.backlog import Commit, projected_backlog
from bench.stack import BenchStack
from infra.local.service import Service
from infra.local.stack import program

APP = "bench.peers.plain_faust_app"


def projected(stack: BenchStack, files: int) -> list[Commit]:
    """The agent's transactions over a batch of so many files, written before it starts.

    Raises:
        RuntimeError: its tables are not what the projector's would be.
    """
    return projected_backlog(stack, 1, files, by=_worker)


@contextmanager
def _worker(stack: BenchStack, batch_ids: Sequence[int]) -> Iterator[Service]:
    (batch_id,) = batch_ids
    datadir = ("--datadir", str(stack.directory / "plain-faust"))
    service = Service(
        name="plain-faust",
        command=lambda: [sys.executable, "-m", "faust", "-A", APP, *datadir, "worker", "--without-web", "-l", "warn"],
        directory=stack.directory / "logs",
        healthy=lambda: None,
        environment={**stack.environment, "PLAIN_FAUST_BATCH": str(batch_id)},
        tied=True,
    )
    service.start()
    try:
        yield service
    finally:
        service.stop()
    _verify(stack, batch_id)


def _verify(stack: BenchStack, batch_id: int) -> None:
    """Compare the tables with a straight fold of the log: a peer that does less would be no measure."""
    command = [program("headway-projector"), "verify", str(batch_id)]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The plain Faust agent's tables differ from their log:\n{done.stdout}{done.stderr}")
