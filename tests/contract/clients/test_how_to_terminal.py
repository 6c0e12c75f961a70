"""The page on terminals: its commands print what it shows, on a batch like the page's."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from headway_events import BatchComplete, Event, FileComplete, FileError, StageComplete, StageStart

from support.eventually import eventually
from support.headway import PROGRAM, Terminal, environment
from support.pipelines import DOCS
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

PAGE = (DOCS / "how-to" / "terminal.md").read_text("utf-8")
FILES = 500
DONE = 100
CHANGING = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?Z)?|\d\d:\d\d:\d\d")


class Transcript(NamedTuple):
    """Commands, and what the page says that they print."""

    commands: str
    printed: str


def transcripts() -> list[Transcript]:
    pairs = re.findall(r"^```bash\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [Transcript(*pair) for pair in pairs]


WATCH, *OTHERS = transcripts()


def story(batch_id: int, began: datetime) -> Iterator[Event]:
    """A file a second, every tenth of which fails."""

    def at(second: int) -> datetime:
        return began + timedelta(seconds=second)

    yield StageStart(batch_id=batch_id, timestamp=began, stage="denoise", total_files=FILES)
    for number in range(1, FILES + 1):
        name = f"audio{number:03}.wav"
        if number % 10 == 6:
            response = msgspec.Raw(b'{"type":"OSError","message":"no such file"}')
            yield FileError(batch_id=batch_id, timestamp=at(number), stage="denoise", file_name=name, response=response)
        else:
            yield FileComplete(batch_id=batch_id, timestamp=at(number), stage="denoise", file_name=name)
    yield StageComplete(batch_id=batch_id, timestamp=at(FILES), stage="denoise", processed_files=450, failed_files=50)
    yield BatchComplete(batch_id=batch_id, timestamp=at(FILES))


def write(topics: Topics, batch_id: int, events: list[Event]) -> None:
    topics.create(batch_id)
    topics.announce(batch_id, name="night shift")
    topics.write_events(events)


def lasting(text: str) -> list[str]:
    """The lines without what is another each time."""
    return [CHANGING.sub("TIME", line).rstrip() for line in text.splitlines()]


async def test_a_terminal_shows_the_picture_on_the_page(
    projector: Program, gateway: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=DONE)
    write(topics, batch_id, list(story(batch_id, began))[: DONE + 1])
    await tables.wait_for(batch_id, DONE + 1)
    rows = len(WATCH.printed.splitlines())
    arguments = WATCH.commands.replace("123", str(batch_id)).split()
    with Terminal(gateway.url, *arguments[1:], columns=80, rows=rows) as terminal:
        await eventually(
            lambda: lasting("\n".join(terminal.picture).replace(str(batch_id), "123")),
            lambda lines: lines == lasting(WATCH.printed),
        )


@pytest.fixture
async def finished(projector: Program, topics: Topics, tables: Tables, batch_id: int) -> None:
    """The page's batch at its end."""
    write(topics, batch_id, list(story(batch_id, datetime.now(UTC) - timedelta(seconds=FILES))))
    await tables.wait_for(batch_id, FILES + 3)


async def test_its_commands_print_what_the_page_says(
    finished: None, gateway: Program, batch_id: int, tmp_path: Path
) -> None:
    path = f"{Path(PROGRAM).parent}:{os.environ['PATH']}"
    assert len(OTHERS) >= 5
    for commands, printed in OTHERS:
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", commands.replace("123", str(batch_id))],
            env=environment(gateway.url, {"PATH": path}),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert lasting(done.stdout.replace(str(batch_id), "123")) == lasting(printed), commands
        assert done.stderr == ""


def test_every_exit_code_on_the_page_and_in_the_help_is_that_of_the_reference() -> None:
    reference = (DOCS / "reference" / "cli.md").read_text("utf-8")
    meanings = dict(re.findall(r"^\| (\d+) \| ([^|]+?) *\|", reference, re.MULTILINE))
    shown = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    for text in (shown, PAGE):
        found = set(
            re.findall(r"\b(\d) (?:the batch )?(ended|stalled|timeout|unknown|gateway not)", " ".join(text.split()))
        )
        assert len(found) == 5
        assert all(meanings[code].startswith(meaning) for code, meaning in found)
