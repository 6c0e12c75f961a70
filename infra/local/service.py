"""One long-running program: start it detached with a log and a pid file, find it again, stop it and leave nothing."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra.local.errors import PortTaken, ServiceDied, ServiceNotReady, StackError

POLL_S = 0.05
RELEASE_S = 2.0  # for the children of a killed program to end
FREE_PORTS = range(15_000, 32_768)  # below those that systems give to clients, so that none takes it meanwhile


@dataclass
class Service:
    """A program and the files that belong to it.

    `command` is asked when the program starts and not before: to stop it no tool need be there.
    `healthy` says None when the program answers, else what is wrong. `stop_signal` is the one that ends it cleanly.
    `user`, if set, is whom root becomes to run it. With `tied` it dies when the thread that started it does: for
    tests, which must leave nothing behind even when they are killed.
    """

    name: str
    command: Callable[[], Sequence[str]]
    directory: Path
    healthy: Callable[[], str | None]
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)  # the setting that moves each port, and the port
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 20.0
    user: str | None = None
    tied: bool = False
    _log_begins: int = field(default=0, init=False)  # where in the log file the present run does

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
            if _birth(process) != noted["birth"]:
                return None
            if process.status() == psutil.STATUS_ZOMBIE:
                process.wait(timeout=0)  # reaps it where it is a child of this process
                return None
        except (FileNotFoundError, ValueError, KeyError, psutil.Error):
            return None
        return process

    def start(self) -> None:
        """Start the program unless it runs; returns before it is healthy.

        Raises:
            PortTaken: another program listens where this one would.
        """
        if self.process() is not None:
            return
        for setting, port in self.ports.items():
            if not _becomes_free(port):
                raise PortTaken(self.name, port, setting, owner=_listener(port))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._log_begins = self.log.stat().st_size if self.log.exists() else 0
        command = [*self._wrapper(), *self.command()]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawnp(
            command[0],
            command,
            {**os.environ, **self.environment},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), append, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._pid_file.write_text(json.dumps({"pid": pid, "birth": _birth(psutil.Process(pid))}))

    def wait(self, timeout_s: float) -> None:
        """Wait until the program is healthy.

        Raises:
            ServiceDied: it ended.
            ServiceNotReady: it was not healthy in time.
        """
        deadline = time.monotonic() + timeout_s
        while (wrong := self.healthy()) is not None:
            if self.process() is None:
                raise ServiceDied(self.name, self.log, self._log_begins)
            if time.monotonic() > deadline:
                raise ServiceNotReady(self.name, timeout_s, wrong, self.log, self._log_begins)
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
    while _is_taken(port := random.SystemRandom().choice(FREE_PORTS)):
        pass
    return port


def _birth(process: psutil.Process) -> str:
    """What tells a process from every other that ever had its pid.

    Not psutil's `create_time` where there is /proc: that is a time of day, and so moves when the clock is set.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        after_name = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return str(process.create_time())
    return f"{boot} {after_name[19]}"  # field 22, counted from 3: clock ticks from boot to the start


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _becomes_free(port: int) -> bool:
    """Whether nobody listens on a port, or soon nobody does: what was just killed may have had a child that does."""
    deadline = time.monotonic() + RELEASE_S
    while _is_taken(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _listener(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program"


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
