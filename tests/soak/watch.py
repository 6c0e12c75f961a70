"""Looks at the programs of a run all the time: whether one has ended by itself, and what each has taken at most."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import psutil

from soak.world import World

EVERY_S: Final = 1.0
MOST_MEMORY_MB: Final = 300  # of a program; a projector's published bound
MOST_FILES: Final = 150  # open ones, connections among them


@dataclass
class Peak:
    """The most that a program was seen to have, over its lives."""

    memory_mb: float = 0.0
    files: int = 0

    def see(self, process: psutil.Process) -> None:
        """Look at the process."""
        with process.oneshot():
            self.memory_mb = max(self.memory_mb, process.memory_info().rss / 2**20)
            self.files = max(self.files, process.num_fds())


@dataclass
class Watch:
    """What was seen."""

    world: World
    peaks: dict[str, Peak] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    async def keep(self) -> None:
        """Look on, until cancelled."""
        while True:
            self._look()
            await asyncio.sleep(EVERY_S)

    def excesses(self) -> Iterator[str]:
        """Who has ended by itself, or had more than it may."""
        yield from self.ended
        for name, peak in self.peaks.items():
            if peak.memory_mb > MOST_MEMORY_MB:
                yield f"{name} had {peak.memory_mb:.0f} MB of memory; at most {MOST_MEMORY_MB} are allowed"
            if peak.files > MOST_FILES:
                yield f"{name} had {peak.files} open files; at most {MOST_FILES} are allowed"

    def _look(self) -> None:
        for program in self.world.programs:
            process = program.process()
            if process is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.peaks.setdefault(program.name, Peak()).see(process)
            elif program not in self.world.suffering:
                self.ended.add(f"{program.name} has ended by itself; its log is {program.log}")
