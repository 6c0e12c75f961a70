"""A run under faults from a seed: a load, faults of every kind at once, then every invariant; 0 when all hold.

make soak MINUTES=20 SEED=7
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from soak.invariants import broken
from soak.schedule import LANES, SHORTEST_RUN_S, Fault, schedule
from soak.watch import Watch
from soak.world import World, world
from support.topics import Topics

MINUTES: Final = 20.0
MOST_KINDS: Final = max(map(len, LANES))  # of a lane, which has them in turns
SHORTEST: Final = SHORTEST_RUN_S / 60


def main() -> int:
    """Run, and say what came of it; 1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="soak", description="Run everything under faults, and check every invariant.")
    parser.add_argument("--minutes", type=_minutes, default=MINUTES, help=f"of faults; at least {SHORTEST:g}")
    parser.add_argument("--seed", type=_seed, default=_seed(""), help="of the faults")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="headway-soak-"))
    directory.chmod(0o755)  # PostgreSQL does not run as root
    print(f"Seed {arguments.seed}, {arguments.minutes:g} minutes; logs in {directory}", flush=True)
    try:
        holds = asyncio.run(_soak(directory, arguments.seed, arguments.minutes * 60))
    except BaseException:
        print(f"The logs are kept in {directory}")
        raise
    if not holds:
        print(f"The logs are kept in {directory}")
        print(f"The same faults again: make soak MINUTES={arguments.minutes:g} SEED={arguments.seed}")
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    return 0


async def _soak(directory: Path, seed: int, run_s: float) -> bool:
    with world(directory) as made:
        watch = Watch(made)
        await made.start()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch.keep())
            await _befall(made, schedule(seed, run_s), run_s)
            watching.cancel()
        print("The faults are over: the workers end, the clients read on to the end", flush=True)
        await made.end_work()
        await made.read_to_the_end()
        holds = await _judge(made, watch)
        made.stop()
        if left := list(made.processes()):
            print(f"FAILED: no process is left: {left}")
            holds = False
    print(f"{len(made.batch_ids)} batches: {'every invariant holds' if holds else 'an invariant does not hold'}")
    return holds


async def _befall(made: World, lanes: Sequence[Sequence[Fault]], run_s: float) -> None:
    """Let every lane's faults happen, each at its time or once the one before it is over.

    Where servers take long to come back, a lane leaves out what would begin after the end, but has had every kind.
    """
    begun = time.monotonic()

    async def befall(faults: Sequence[Fault]) -> None:
        for number, fault in enumerate(faults):
            if number >= MOST_KINDS and time.monotonic() > begun + run_s:
                return
            await asyncio.sleep(begun + fault.at_s - time.monotonic())
            print(f"{time.monotonic() - begun:7.1f} s  {fault}", flush=True)
            await made.suffer(fault)

    async with asyncio.TaskGroup() as group:
        for faults in lanes:
            group.create_task(befall(faults))
        await asyncio.sleep(run_s)


async def _judge(made: World, watch: Watch) -> bool:
    """Print each invariant, and what is against it; whether nothing is."""
    holds = True
    async for invariant, against in broken(made, Topics(made.cluster.bootstrap, made.names), watch):
        print(f"{'FAILED' if against else 'ok'}: {invariant}", *against, sep="\n    ", flush=True)
        holds = holds and not against
    for name, peak in sorted(watch.peaks.items()):
        print(f"{name}: at most {peak.memory_mb:.0f} MB, {peak.files} open files")
    return holds


def _minutes(text: str) -> float:
    minutes = float(text or MINUTES)
    if not minutes >= SHORTEST:
        raise argparse.ArgumentTypeError(f"{text}: expected at least {SHORTEST:g}, in which every kind of fault occurs")
    return minutes


def _seed(text: str) -> int:
    return int(text) if text else random.SystemRandom().randrange(1_000_000)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also in a shell's background job
    sys.exit(main())
