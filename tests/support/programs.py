"""Headway's own programs as processes of a test, with settings of its own."""

from __future__ import annotations

import asyncio
import functools
import itertools
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.local.service import Service, free_port
from infra.local.stack import answers
from support.eventually import eventually

HEALTHY_WITHIN_S = 60.0
METRICS_TIMEOUT_S = 5.0

_shared = itertools.count()  # tells programs apart that share a port


class Program(Service):
    """One console script under test: run it, kill it, read its log; `process()` can `suspend()` and `resume()`."""

    def __init__(
        self,
        name: str,
        *arguments: str,
        directory: Path,
        environment: Mapping[str, str],
        port_setting: str,
        port: int | None = None,
    ) -> None:
        """Describe the program; its HTTP port is a free one by default, given to it in `port_setting`."""
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            name=f"{name}-{self.port}" if port is None else f"{name}-{port}-{next(_shared)}",
            command=lambda: [str(Path(sys.executable).with_name(name)), *arguments],
            directory=directory,
            healthy=self._health,
            environment={**environment, port_setting: str(self.port)},
            tied=True,
        )

    def run(self) -> None:
        """Start it and wait until it is healthy."""
        self.start()
        self.wait(HEALTHY_WITHIN_S)

    def metric(self, series: str) -> float:
        """The value of a series of its `/metrics`, such as `batches_total{kind="late"}`; 0 while there is none."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=METRICS_TIMEOUT_S) as answer:
            lines = answer.read().decode().splitlines()
        return next((float(line.removeprefix(f"{series} ")) for line in lines if line.startswith(f"{series} ")), 0.0)

    def log_text(self) -> str:
        """Everything it has logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _health(self) -> str | None:
        return answers(f"{self.url}/healthz")


async def all_have_projected(projectors: Iterable[Program]) -> None:
    """Wait until each of them has projected something since it was started."""
    for projector in projectors:
        await asyncio.to_thread(projector.wait, HEALTHY_WITHIN_S)
        read = functools.partial(projector.metric, "headway_projector_events_total")
        await eventually(read, lambda events: events > 0)
