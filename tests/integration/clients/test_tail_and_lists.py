"""`headway tail`, `headway batches`, `headway errors`: what is there and what comes, for people and for programs."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable

import pytest
from headway_events import Event

from infra.local.service import free_port
from support.batches import batch_events
from support.headway import PROGRAM, Running, environment, followed, headway
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.tokens import SECRET, token
from support.topics import Topics

SUCCESS, USAGE, UNKNOWN, AWAY, REFUSED, PIPE = 0, 2, 6, 7, 8, 141


@pytest.fixture
async def finished(projector: Program, topics: Topics, tables: Tables, batch_id: int) -> list[Event]:
    """A finished batch of ten files, three of which failed."""
    events = list(batch_events(batch_id, 10, failed=3))
    await projected(topics, tables, batch_id, events, name="night\x1b[2J")
    return events


async def test_events_are_written_as_they_come_each_once_while_the_gateway_comes_and_goes(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    events = list(batch_events(batch_id, 10, failed=3))
    topics.create(batch_id)
    topics.write_events(events[:4])
    with Running(gateway.url, "tail", batch_id, "--from", "earliest") as tailing:
        await tailing.says("audio00002.wav")
        await asyncio.to_thread(gateway.kill)
        await tailing.notes_that("offline since")
        topics.write_events(events[4:])
        await asyncio.to_thread(gateway.run)
        assert await tailing.ended() == SUCCESS
    assert [line.partition(" ")[0] for line in tailing.lines] == [str(offset) for offset in range(len(events))]
    assert tailing.lines[0].endswith("Denoise: ▶️ Started: 10 files")
    assert tailing.lines[8].endswith("Denoise: ❌ audio00007.wav: Error · no such file")
    assert tailing.lines[-1].endswith("🏁 Batch complete")
    assert "headway: live again" in tailing.notes


async def test_from_latest_nothing_that_was_before_is_written(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    events = list(batch_events(batch_id, 10))
    topics.create(batch_id)
    topics.write_events(events[:5])
    with Running(gateway.url, "tail", batch_id) as tailing:
        await followed(gateway)
        topics.write_events(events[5:])
        assert await tailing.ended() == SUCCESS
    assert tailing.lines[0].startswith("5 [")
    assert len(tailing.lines) == len(events) - 5


def test_json_lines_have_the_data_as_it_was_written(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    pretty = (
        b'{\n "eventType": "file_complete", "batchId": %d,\r\n "stage": "denoise", "fileName": "a\\nb", "extra": 1}'
    )
    topics.write(topic, [pretty % batch_id])
    topics.write_events(batch_events(batch_id, 2))
    done = headway(gateway.url, "tail", batch_id, "--from", "earliest", "--json")
    first, *others = map(json.loads, done.stdout.splitlines())
    assert (first["id"], first["event"], first["data"]["fileName"], first["data"]["extra"]) == (
        "0", "file_complete", "a\nb", 1,
    )  # fmt: skip
    assert [one["event"] for one in others] == [
        "stage_start", "file_complete", "file_complete", "stage_complete", "batch_complete",
    ]  # fmt: skip


def test_events_are_chosen_by_offset_stage_and_type(
    gateway: Program, finished: list[Event], topics: Topics, batch_id: int
) -> None:
    done = headway(gateway.url, "tail", batch_id, "--from", "8", "--stage", "denoise", "--type", "file_error")
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == ["8", "9", "10"]


def test_who_asks_for_a_finished_batch_from_latest_is_told_where_its_events_are(
    gateway: Program, finished: list[Event], batch_id: int
) -> None:
    done = headway(gateway.url, "tail", batch_id)
    assert (done.returncode, done.stdout) == (SUCCESS, "")
    assert "--from earliest" in done.stderr


def test_batches_are_listed_newest_first_with_their_stages(
    gateway: Program, finished: list[Event], topics: Topics, batch_id: int
) -> None:
    done = headway(gateway.url, "batches")
    lines = done.stdout.splitlines()
    assert done.returncode == SUCCESS
    assert lines[0].startswith(f"{batch_id} night\\x1b[2J  Complete with errors ⚠️  20")
    assert lines[1:] == ["  Denoise: 7/10 files · 70% · 3 errors"]
    (listed,) = json.loads(headway(gateway.url, "batches", "--json").stdout)
    assert (listed["batchId"], listed["name"], listed["stages"][0]["errors"]) == (batch_id, "night\x1b[2J", 3)
    none = headway(gateway.url, "batches", "no such name")
    assert (none.returncode, none.stdout) == (SUCCESS, "")
    assert "no batch matches" in none.stderr


async def test_as_many_batches_are_listed_as_asked_for(
    projector: Program, gateway: Program, topics: Topics, batch_id: int, tables: Tables
) -> None:
    for number in range(3):
        topics.create(batch_id + number)
        topics.announce(batch_id + number)
        topics.write_events(batch_events(batch_id + number, 1))
        await tables.wait_for(batch_id + number, 4)
    done = await asyncio.to_thread(headway, gateway.url, "batches", "--limit", "2")
    assert [line.split()[0] for line in done.stdout.splitlines()[::2]] == [str(batch_id + 2), str(batch_id + 1)]


def test_errors_are_grouped_by_what_they_say(gateway: Program, finished: list[Event], batch_id: int) -> None:
    done = headway(gateway.url, "errors", batch_id)
    assert done.returncode == SUCCESS
    summary, empty, group, where = done.stdout.splitlines()
    assert (summary, empty) == ("3 files stand as failed, in 1 group.", "")
    assert group == "3 files  OSError no such file"
    assert where.startswith("  denoise · first 20")
    assert where.endswith("such as audio00007.wav")
    found = json.loads(headway(gateway.url, "errors", batch_id, "--json").stdout)
    assert (found["files"], found["groups"], found["errors"][0]["count"]) == (3, 1, 3)


@pytest.mark.parametrize("command", [("errors", 7), ("tail", 7)])
def test_a_batch_that_nobody_knows_is_unknown(
    projector: Program, gateway: Program, command: tuple[object, ...]
) -> None:
    done = headway(gateway.url, *command)
    assert (done.returncode, done.stdout) == (UNKNOWN, "")
    assert done.stderr.startswith("headway: 404: There is no batch 7")


@pytest.mark.parametrize("command", [("errors", 7), ("batches",), ("tail", 7, "--patience", 1)])
def test_a_gateway_that_is_not_there_is_said_to_be_away(command: tuple[object, ...]) -> None:
    done = headway(f"http://127.0.0.1:{free_port()}", *command)
    assert (done.returncode, done.stdout) == (AWAY, "")
    assert "Traceback" not in done.stderr


def test_without_postgresql_lists_say_that_they_cannot_be_had(make_gateway: Callable[..., Program]) -> None:
    gateway = make_gateway(HEADWAY_DATABASE_URL="postgresql://headway@127.0.0.1:1/headway")
    gateway.start()
    done = headway(gateway.url, "batches")
    while "Connect call failed" in done.stderr:
        done = headway(gateway.url, "batches")
    assert (done.returncode, done.stdout) == (AWAY, "")
    assert "503" in done.stderr


@pytest.mark.parametrize("body", [b"<html>", b'{"batches": 7}', b"[]", b"\xff"])
async def test_what_is_no_gateway_is_said_to_be_none(body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for command in (("batches",), ("errors", 7), ("tail", 7), ("wait", 7), ("watch", 7), ("watch",)):
            done = await asyncio.to_thread(headway, url, *command)
            assert (done.returncode, done.stdout) == (REFUSED, ""), (command, done)
            assert "is there" in done.stderr


def test_a_token_for_some_batches_opens_those(
    make_gateway: Callable[..., Program], finished: list[Event], batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET)
    gateway.run()
    mine = {"HEADWAY_GATEWAY_TOKEN": token(batch_id)}
    assert headway(gateway.url, "errors", batch_id).returncode == REFUSED
    assert headway(gateway.url, "errors", batch_id, **mine).returncode == SUCCESS
    assert headway(gateway.url, "tail", batch_id, "--from", "earliest", **mine).returncode == SUCCESS
    assert headway(gateway.url, "batches", **mine).stdout.startswith(f"{batch_id} ")
    assert headway(gateway.url, "batches", "--token", token(batch_id + 1)).stdout == ""


def test_a_reader_that_leaves_ends_it_without_a_word(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 20_000))
    tailing = subprocess.Popen(
        [PROGRAM, "tail", str(batch_id), "--from", "earliest"], env=environment(gateway.url, {}),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tailing.stdout is not None
    assert tailing.stderr is not None
    with tailing, tailing.stderr:
        assert tailing.stdout.readline().startswith("0 [")
        tailing.stdout.close()
        assert tailing.wait(60) == PIPE
        assert tailing.stderr.read() == ""


def test_an_output_that_is_not_of_utf_8_is_no_reason_to_fail(
    gateway: Program, finished: list[Event], batch_id: int
) -> None:
    done = headway(gateway.url, "tail", batch_id, "--from", "earliest", PYTHONIOENCODING="ascii")
    assert done.returncode == SUCCESS
    assert "audio00000.wav" in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize("arguments", [("--from", "yesterday"), ("--from", "-1"), ("--type", "files")])
def test_bad_arguments_of_tail_are_told_apart(arguments: tuple[str, ...]) -> None:
    done = headway("http://127.0.0.1:1", "tail", 7, *arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")
