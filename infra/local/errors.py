"""The ways in which the local stack can fail to run; each message names the remedy.

HeadwayError
└── StackError
    ├── MissingTool       a program the stack needs is not installed
    ├── PortTaken         a port the stack needs is used by another program
    ├── ServiceDied       a program ended while it was being waited for
    └── ServiceNotReady   a program runs but did not become healthy in time
"""

from __future__ import annotations

from pathlib import Path

from headway_events.errors import HeadwayError

LOG_LINES_SHOWN = 15


class StackError(HeadwayError):
    """The local stack failed."""


class MissingTool(StackError):
    """A program that the local stack needs is not installed."""

    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} was not found. {remedy}")
        self.tool = tool


class PortTaken(StackError):
    """A port that the local stack needs is taken."""

    def __init__(self, service: str, port: int, setting: str, owner: str) -> None:
        super().__init__(
            f"Port {port}, wanted by {service}, is taken by {owner}. "
            f"Stop that program, or set {setting} to a free port."
        )
        self.port = port
        self.owner = owner
        self.setting = setting


class ServiceDied(StackError):
    """A program of the local stack ended when it should run."""

    def __init__(self, service: str, log: Path, since: int) -> None:
        super().__init__(f"{service} ended while starting. The end of its log, {log}:\n{log_tail(log, since)}")
        self.service = service


class ServiceNotReady(StackError):
    """A program of the local stack did not become healthy in time."""

    def __init__(self, service: str, seconds: float, reason: str, log: Path, since: int) -> None:
        super().__init__(
            f"{service} did not become healthy within {seconds:g} s ({reason}). The end of its log, {log}:\n"
            f"{log_tail(log, since)}"
        )
        self.service = service


def log_tail(log: Path, since: int) -> str:
    """The last lines of a log file from byte `since` on, without the frames of Java's stack traces."""
    try:
        written = log.read_bytes()[since:].decode(errors="replace").splitlines()
    except FileNotFoundError:
        return "(no log was written)"
    telling = [line for line in written if not line.startswith("\tat ")]
    return "\n".join(telling[-LOG_LINES_SHOWN:]) or "(empty)"
