"""What goes to stdout and to stderr, at once: whoever reads a pipe should not wait for more."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.text import Text

from headway_client.connection import Connection
from headway_client.wording import printable, time_of_day

_encode: Final = msgspec.json.Encoder().encode


def write(*lines: str) -> None:
    """Lines for people."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write_json(document: Any) -> None:
    """One JSON document in one line."""
    write(_encode(document).decode())


def write_texts(lines: Iterable[Text], *, wrap: bool) -> None:
    """Coloured lines on a terminal, cut or wrapped to its width; whole plain ones elsewhere."""
    console = Console(highlight=False)
    if not console.is_terminal:
        write(*(line.plain.rstrip() for line in lines))
        return
    for line in lines:
        console.print(line, no_wrap=not wrap, overflow="fold" if wrap else "ellipsis")


def note(line: str) -> None:
    """What people should know, and no program reads."""
    print(f"headway: {line}", file=sys.stderr, flush=True)


class ConnectionNotes:
    """Says when the gateway has gone and when it is there again."""

    def __init__(self) -> None:
        self._away = False

    def __call__(self, connection: Connection) -> None:
        """How the stream stands now."""
        if connection.live and self._away:
            note("live again")
        elif not connection.live and not self._away:
            note(f"offline since {time_of_day(datetime.now(UTC))}, trying again: {printable(connection.reason)}")
        self._away = not connection.live
