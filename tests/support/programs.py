"""Headway's own programs as processes of a test, with settings of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local.service import Service, free_port
from infra.local.stack import answers

HEALTHY_WITHIN_S = 60.0


class Program(Service):
    """One console script under test: run it, kill it, read its log; `process()` can `suspend()` and `resume()`."""

    def __init__(
        self, name: str, *arguments: str, directory: Path, environment: Mapping[str, str], port_setting: str
    ) -> None:
        """Describe the program; its HTTP port is a free one, given to it in `port_setting`."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            name=f"{name}-{self.port}",
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

    def log_text(self) -> str:
        """Everything it has logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _health(self) -> str | None:
        return answers(f"{self.url}/healthz")


def projector_command(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`headway-projector` with these arguments, run to its end."""
    program = str(Path(sys.executable).with_name("headway-projector"))
    return subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
