"""`headway watch`: in a terminal, in a pipe and as JSON lines, on a real gateway that comes and goes."""

from __future__ import annotations

import asyncio
import json
import re
import signal

import pytest
from headway_events import Event
from rich.cells import cell_len

from infra.local.service import free_port
from support.batches import batch_events
from support.headway import HOME, Running, Terminal, followed, headway
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

INTERRUPTED, TERMINATED, ERRORS, UNKNOWN = 130, 143, 3, 6
ON_A_SCREEN_OF_ITS_OWN, BACK = "\x1b[?1049h", "\x1b[?1049l"
CURSOR_SHOWN, CURSOR_HIDDEN = "\x1b[?25h", "\x1b[?25l"


@pytest.fixture
async def begun(projector: Program, topics: Topics, tables: Tables, batch_id: int) -> list[Event]:
    """A named batch of 20 files, 15 of which are done; what is still to come of it: five errors and its end."""
    events = list(batch_events(batch_id, 20, failed=5))
    await projected(topics, tables, batch_id, events[:16], name="night")
    return events[16:]


async def test_a_terminal_shows_the_stages_as_they_go_and_the_end_stays_on_it(
    gateway: Program, topics: Topics, begun: list[Event], batch_id: int
) -> None:
    with Terminal(gateway.url, "watch", batch_id) as terminal:
        lines = await terminal.shows("15/20 files", "audio00014.wav")
        assert lines[:2] == [f"night · batch {batch_id}", "Processing ⏳ · Live"]
        assert "🔇 Denoise · Processing ⏳" in lines
        assert f"{'█' * 45}{'░' * 15} 75%" in lines
        assert "Total: 20 | Processed: 15 | Errors: 0" in lines
        assert any(re.fullmatch(r"\[\d\d:\d\d:\d\d\] 📄 audio00014.wav: ✅ Complete", line) for line in lines)
        topics.write_events(begun[:5])
        lines = await terminal.shows("Errors: 5")
        assert f"{'█' * 45}{'▓' * 15} 75%" in lines
        assert any("❌ audio00019.wav: Error · no such file" in line for line in lines)
        topics.write_events(begun[5:])
        assert await terminal.ended() == ERRORS
        left = terminal.written.partition(BACK)[2]
    assert terminal.written.count(ON_A_SCREEN_OF_ITS_OWN) == terminal.written.count(BACK) == 1
    assert terminal.written.rfind(CURSOR_SHOWN) > terminal.written.rfind(CURSOR_HIDDEN)
    assert "Complete with errors" in left
    assert "1 of 1 stage complete · 5 errors" in left
    assert HOME not in left


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
async def test_who_leaves_finds_the_terminal_as_it_was(
    gateway: Program, begun: list[Event], batch_id: int, number: signal.Signals, code: int
) -> None:
    with Terminal(gateway.url, "watch", batch_id) as terminal:
        await terminal.shows("15/20 files")
        if number is signal.SIGINT:
            terminal.press("\x03")
        else:
            terminal.send(number)
        assert await terminal.ended() == code
    assert "Traceback" not in terminal.written
    assert terminal.written.rfind(BACK) > terminal.written.rfind(ON_A_SCREEN_OF_ITS_OWN) > -1
    assert terminal.written.rfind(CURSOR_SHOWN) > terminal.written.rfind(CURSOR_HIDDEN)


async def test_a_gateway_that_is_killed_is_offline_since_then_and_watched_on_when_it_is_back(
    gateway: Program, topics: Topics, begun: list[Event], batch_id: int
) -> None:
    with Terminal(gateway.url, "watch", batch_id, columns=120) as terminal:
        await terminal.shows("15/20 files", "Live")
        await asyncio.to_thread(gateway.kill)
        lines = await terminal.shows("Offline since")
        assert re.search(r"Processing ⏳ · Offline since \d\d:\d\d:\d\d, trying again", lines[1])
        assert "15/20 files" in lines
        topics.write_events(begun[:3])
        await asyncio.to_thread(gateway.run)
        await terminal.shows("Live", "Errors: 3")


@pytest.mark.parametrize(("columns", "rows"), [(40, 24), (20, 8), (200, 5)])
async def test_no_line_is_wider_and_no_picture_higher_than_the_terminal(
    gateway: Program, topics: Topics, tables: Tables, begun: list[Event], batch_id: int, columns: int, rows: int
) -> None:
    long = [
        event
        for stage in ("音声認識" * 20, "x" * 100, "🔇\x1b[31m", "mix")
        for event in list(batch_events(batch_id, 30, failed=10, stage=stage))[:-2]
    ]
    topics.write_events(long)
    await tables.wait_for(batch_id, 16 + len(long))
    with Terminal(gateway.url, "watch", batch_id, columns=columns, rows=rows) as terminal:
        lines = await terminal.shows("night", "more lines" if rows < 8 else "Mix")
    assert len(lines) <= rows
    assert max(map(cell_len, lines)) <= columns
    assert "\x1b[31m\n" not in terminal.written


async def test_a_batch_that_has_not_begun_is_waited_for(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    with Terminal(gateway.url, "watch", batch_id) as terminal:
        await terminal.shows(f"Batch {batch_id}", "Waiting for this batch to begin")
        topics.create(batch_id)
        topics.announce(batch_id)
        topics.write_events(batch_events(batch_id, 3))
        assert await terminal.ended() == 0


async def test_a_pipe_gets_a_line_when_something_has_changed(
    gateway: Program, topics: Topics, begun: list[Event], batch_id: int
) -> None:
    with Running(gateway.url, "watch", batch_id) as watching:
        await watching.says("Denoise: 15/20 files · 75%")
        await asyncio.to_thread(gateway.kill)
        await watching.says("Offline since")
        await asyncio.to_thread(gateway.run)
        topics.write_events(begun)
        assert await watching.ended() == ERRORS
    assert not any("\x1b" in line for line in watching.lines)
    assert any(
        re.match(r"Denoise: 15/20 files · 75% · Errors: 5 · took .*Complete with errors", line)
        for line in watching.lines
    )
    assert watching.lines[-1] == f"night · batch {batch_id}: Complete with errors ⚠️ · 1 of 1 stage complete · 5 errors"
    assert watching.notes == []


async def test_json_lines_say_the_same_for_programs(
    gateway: Program, topics: Topics, begun: list[Event], batch_id: int
) -> None:
    with Running(gateway.url, "watch", batch_id, "--json") as watching:
        await watching.says('"processed":15')
        topics.write_events(begun)
        assert await watching.ended() == ERRORS
    *_, last = map(json.loads, watching.lines)
    assert (last["batchId"], last["name"], last["status"]) == (batch_id, "night", "complete_with_errors")
    assert (last["connection"], last["closed"], last["errors"]) == ("finished", True, 5)
    assert [(stage["stage"], stage["percent"], stage["leftMs"]) for stage in last["stages"]] == [("denoise", 75, None)]


async def test_without_a_number_it_is_the_newest_batch_that_runs(
    gateway: Program, topics: Topics, tables: Tables, begun: list[Event], batch_id: int
) -> None:
    topics.create(batch_id + 1)
    topics.announce(batch_id + 1, name="newer, but over")
    topics.write_events(batch_events(batch_id + 1, 3))
    await tables.wait_for(batch_id + 1, 6)
    with Running(gateway.url, "watch") as watching:
        await watching.says(f"night · batch {batch_id}")
        topics.write_events(begun)
        assert await watching.ended() == ERRORS
    await tables.wait_for(batch_id, 23)
    none = await asyncio.to_thread(headway, gateway.url, "watch")
    assert (none.returncode, none.stdout) == (UNKNOWN, "")
    assert "no batch is running" in none.stderr


async def test_a_gateway_that_is_away_from_the_beginning_is_waited_for(
    projector: Program, gateway: Program, begun: list[Event], batch_id: int
) -> None:
    await asyncio.to_thread(gateway.kill)
    with Terminal(gateway.url, "watch", batch_id) as terminal:
        await terminal.shows(f"Batch {batch_id}", "Offline since", "Cannot connect to host")
        await asyncio.to_thread(gateway.run)
        await terminal.shows(f"night · batch {batch_id}", "15/20 files")
    with Terminal(f"http://127.0.0.1:{free_port()}", "watch", batch_id, columns=40) as terminal:
        lines = await terminal.shows("Offline since", "ClientConnectorError")
        assert max(map(cell_len, lines)) <= 40


async def test_a_terminal_that_cannot_be_drawn_on_gets_lines(
    gateway: Program, begun: list[Event], batch_id: int
) -> None:
    with Terminal(gateway.url, "watch", batch_id, TERM="dumb") as terminal:
        await terminal.shows("Denoise: 15/20 files · 75%")
        await followed(gateway)
    assert "\x1b" not in terminal.written
