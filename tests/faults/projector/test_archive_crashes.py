"""Whenever an archiver is killed, the next leaves the archive with the log of each batch, once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from support.archive import archived, as_archived, parts
from support.batches import batch_events
from support.commands import headway_projector
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

FILES = 400
KILLS = 6


def kill_in_the_middle(command: list[str], environment: dict[str, str], after_s: float) -> None:
    """Run a command, and kill it so long after the first line that it has printed."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)
        process.kill()


async def test_archivers_killed_at_random_moments_leave_each_batch_once_and_whole(
    projector: Program, environment: dict[str, str], topics: Topics, tables: Tables, batch_id: int, tmp_path: Path
) -> None:
    chance = random.Random(batch_id)
    batches = range(batch_id, batch_id + 40)
    topics.create_all(batches)
    topics.announce_all(batches)
    topics.write_events(event for one in batches for event in batch_events(one, FILES))
    await tables.wait_for_all(batches, len(batches) * (FILES + 3))
    command = [str(Path(sys.executable).with_name("headway-projector")), "archive", str(tmp_path / "archive")]
    for _ in range(KILLS):
        kill_in_the_middle(command, environment, chance.uniform(0, 0.1))
    written = sum(len(parts(tmp_path / "archive", one)) for one in batches)
    assert KILLS <= written < len(batches)
    assert headway_projector(environment, "archive", str(tmp_path / "archive")).returncode == 0
    for one in batches:
        assert len(parts(tmp_path / "archive", one)) == 1
        assert archived(tmp_path / "archive", one) == as_archived(one, (await tables.of_batch(one)).log)
    left = list((tmp_path / "archive" / ".writing").iterdir())
    assert len(left) <= KILLS
    for path in left:
        os.utime(path, (0, 0))
    headway_projector(environment, "archive", str(tmp_path / "archive"))
    assert list((tmp_path / "archive" / ".writing").iterdir()) == []
