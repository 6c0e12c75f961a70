"""The `headway` command as people and scripts run it: to its end, in the background, or in a terminal of its own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from support.eventually import eventually
from support.programs import Program

PROGRAM: Final = str(Path(sys.executable).with_name("headway"))
IN_A_TERMINAL: Final = ("setsid", "--ctty")  # its own, so that Ctrl-C reaches it
TIMEOUT_S: Final = 60.0
READ_BYTES: Final = 64 * 1024
CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HOME: Final = "\x1b[H"  # what each picture begins with
ENVIRONMENT: Final = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC", "TERM": "xterm-256color"}


def headway(url: str, *arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, on the gateway at an address."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], env=environment(url, settings), capture_output=True, text=True,
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


def environment(url: str, settings: dict[str, str]) -> dict[str, str]:
    """What the command finds in its environment."""
    return {**ENVIRONMENT, "HEADWAY_GATEWAY_URL": url, **settings}


async def followed(gateway: Program) -> None:
    """Wait until a stream of the gateway is open."""
    await eventually(lambda: gateway.metric('headway_gateway_streams{mode="events"}'), lambda streams: streams > 0)


class Running:
    """The command in the background, its output read line by line; killed in the end if it is still there."""

    def __init__(self, url: str, *arguments: object, **settings: str) -> None:
        self._process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)], env=environment(url, settings), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self.notes: list[str] = []
        self._readers = [
            threading.Thread(target=_read_lines, args=(stream, into), daemon=True)
            for stream, into in ((self._process.stdout, self.lines), (self._process.stderr, self.notes))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    async def says(self, text: str) -> None:
        """Wait until a line has a text."""
        await eventually(lambda: self.lines, lambda lines: any(text in line for line in lines))

    async def notes_that(self, text: str) -> None:
        """Wait until a line of stderr has a text."""
        await eventually(lambda: self.notes, lambda lines: any(text in line for line in lines))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, once it has ended and all that it wrote is read."""
        code = await asyncio.to_thread(self._process.wait, TIMEOUT_S)
        for reader in self._readers:
            await asyncio.to_thread(reader.join)
        return code


def _read_lines(stream: IO[str] | None, into: list[str]) -> None:
    assert stream is not None
    with stream:
        into.extend(_each(stream))


def _each(stream: IO[str]) -> Iterator[str]:
    for line in stream:
        yield line.rstrip("\n")


class Terminal:
    """The command in a terminal of a size; what it draws is read as it comes."""

    def __init__(self, url: str, *arguments: object, columns: int = 80, rows: int = 24, **settings: str) -> None:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._modes = termios.tcgetattr(there)
        self._there = there  # kept open, so that its modes can be looked at when the command has ended
        self._process = subprocess.Popen(
            [*IN_A_TERMINAL, PROGRAM, *map(str, arguments)], env=environment(url, settings), stdin=there, stdout=there,
            stderr=there,
        )  # fmt: skip
        self._drawn = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._there)
        self._reader.join()
        os.close(self._here)

    @property
    def written(self) -> str:
        """All that was written so far, with its control sequences."""
        return self._drawn.decode(errors="replace")

    @property
    def picture(self) -> list[str]:
        """The lines of the last whole picture; all that was written where nothing is drawn in place."""
        before, *pictures = self.written.split(HOME)
        whole = before if not pictures else pictures[-2] if len(pictures) > 1 else ""
        return [line.rstrip() for line in CONTROL.sub("", whole).split("\n")]

    async def shows(self, *texts: str) -> list[str]:
        """The first picture that has all of these texts."""
        return await eventually(lambda: self.picture, lambda lines: all(text in "\n".join(lines) for text in texts))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._here, keys.encode())

    async def ended(self) -> int:
        """Its exit code; fails where it has left the terminal otherwise than it was."""
        code = await asyncio.to_thread(self._process.wait, TIMEOUT_S)
        assert termios.tcgetattr(self._there) == self._modes
        return code

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end was closed
            while data := os.read(self._here, READ_BYTES):
                self._drawn += data
