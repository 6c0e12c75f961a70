"""One long-running program: start it detached with a log and a pid file, find it again, stop it and leave nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra.local.errors import PortTaken, ServiceDied, ServiceNotReady, StackError

POLL_S = 0.05
SAME_PROCESS_S = 1.0  # a pid's start time is read with clock-tick precision


@dataclass
class Service:
    """A program and the files that belong to it.

    `healthy` says None when the program answers, else what is wrong. `stop_signal` is the one that ends it cleanly.
    `user`, if set, is whom root becomes to run it. With `tied` it dies when the thread that started it does: for
    tests, which must leave nothing behind even when they are killed.
    """

    name: str
    command: Sequence[str]
    directory: Path
    healthy: Callable[[], str | None]
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)  # the setting that moves each port, and the port
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 20.0
    user: str | None = None
    tied: bool = False

    @property
    def log(self) -> Path:
        """Where the program's output goes."""
        return self.directory / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.directory / f"{self.name}.pid"

    def process(self) -> psutil.Process | None:
        """The running process, or None. A pid that the system has given to another program is not taken for ours."""
        try:
            noted = json.loads(self._pid_file.read_text())
            process = psutil.Process(noted["pid"])
            same = abs(process.create_time() - noted["started"]) < SAME_PROCESS_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
            return None

    def start(self) -> None:
        """Start the program unless it runs; returns before it is healthy.

        Raises:
            PortTaken: another program listens where this one would.
        """
        if self.process() is not None:
            return
        for setting, port in self.ports.items():
            if _is_taken(port):
                raise PortTaken(self.name, port, setting)
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [*self._wrapper(), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                cwd="/",
                start_new_session=True,
            )
        self._child = child  # kept so that an ended child is reaped, not seen as a zombie
        started = psutil.Process(child.pid).create_time()
        self._pid_file.write_text(json.dumps({"pid": child.pid, "started": started}))

    def wait(self, timeout_s: float) -> None:
        """Wait until the program is healthy.

        Raises:
            ServiceDied: it ended.
            ServiceNotReady: it was not healthy in time.
        """
        deadline = time.monotonic() + timeout_s
        while (wrong := self.healthy()) is not None:
            if self.process() is None:
                raise ServiceDied(self.name, self.log)
            if time.monotonic() > deadline:
                raise ServiceNotReady(self.name, timeout_s, wrong, self.log)
            time.sleep(POLL_S)

    def kill(self) -> None:
        """Kill the program and its children at once, as a crash would."""
        process = self.process()
        if process is None:
            return
        family = [*process.children(recursive=True), process]
        for member in family:
            _signal(member, signal.SIGKILL)
        psutil.wait_procs(family, timeout=self.stop_timeout_s)

    def stop(self) -> None:
        """Stop the program and wait for its end; kills it and its children when it does not end in time."""
        process = self.process()
        if process is not None:
            family = [*process.children(recursive=True), process]
            _signal(process, signal.SIGCONT)
            _signal(process, self.stop_signal)
            _, alive = psutil.wait_procs(family, timeout=self.stop_timeout_s)
            for member in alive:
                _signal(member, signal.SIGKILL)
            _, alive = psutil.wait_procs(alive, timeout=self.stop_timeout_s)
            if alive:
                raise StackError(f"{self.name} (pid {alive[0].pid}) could not be killed.")
        self._pid_file.unlink(missing_ok=True)

    def _wrapper(self) -> list[str]:
        options = []
        if self.user is not None and os.geteuid() == 0:
            options += [f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        if self.tied:
            options.append("--pdeathsig=KILL")
        if not options:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise StackError("setpriv (util-linux) was not found; run as an ordinary user instead of root.")
        return [setpriv, *options, "--"]


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
