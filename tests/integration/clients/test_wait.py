"""`headway wait`: every exit code that scripts may rely on, on a real gateway that comes and goes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from headway_events import BatchComplete, Event, FileComplete, StageStart, WorkerHeartbeat

from infra.local.service import free_port
from support.batches import batch_events
from support.eventually import eventually
from support.headway import Running, followed, headway
from support.programs import Program
from support.tables import Tables
from support.tokens import SECRET, token
from support.topics import Topics

SUCCESS, USAGE, ERRORS, STALLED, TIMEOUT, UNKNOWN, AWAY, REFUSED, INTERRUPTED, TERMINATED = (
    0, 2, 3, 4, 5, 6, 7, 8, 130, 143,
)  # fmt: skip


@pytest.fixture
def begun(topics: Topics, batch_id: int) -> list[Event]:
    """The first events of a batch, which are in its topic, and those that are still to come."""
    events = list(batch_events(batch_id, 10))
    topics.create(batch_id)
    topics.announce(batch_id, name="night")
    topics.write_events(events[:5])
    return events[5:]


def write(topics: Topics, batch_id: int, events: Iterable[Event]) -> None:
    topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(events)


@pytest.mark.parametrize(
    ("failed", "code", "status"), [(0, SUCCESS, "Complete ✅"), (3, ERRORS, "Complete with errors")]
)
async def test_it_waits_for_the_end_and_tells_how_it_was(
    projector: Program, gateway: Program, topics: Topics, batch_id: int, failed: int, code: int, status: str
) -> None:
    *events, last = batch_events(batch_id, 10, failed=failed)
    write(topics, batch_id, events)
    with Running(gateway.url, "wait", batch_id) as waiting:
        await followed(gateway)
        topics.write_events([last])
        assert await waiting.ended() == code
    assert waiting.notes == []
    assert waiting.lines[-1].startswith(f"Batch {batch_id}: {status}")
    assert f"1 of 1 stage complete · {failed} errors" in waiting.lines[-1]


def test_its_json_is_one_document_with_the_counts_and_the_exit_code(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    write(topics, batch_id, batch_events(batch_id, 10, failed=3))
    done = headway(gateway.url, "wait", batch_id, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["exitCode"], found["status"]) == (ERRORS, ERRORS, "complete_with_errors")
    (stage,) = found["stages"]
    assert (stage["stage"], stage["processed"], stage["errors"], stage["total"]) == ("denoise", 7, 3, 10)


def test_a_batch_that_is_not_finished_in_time_is_left(
    projector: Program, gateway: Program, begun: list[Event], batch_id: int
) -> None:
    done = headway(gateway.url, "wait", batch_id, "--timeout", "8")
    assert done.returncode == TIMEOUT
    assert f"batch {batch_id} is not finished after 8 s" in done.stderr
    assert "Denoise: 4/10 files" in done.stdout


def test_a_batch_of_which_nothing_is_heard_is_stalled(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    write(topics, batch_id, [StageStart(batch_id=batch_id, timestamp=long_ago, stage="denoise", total_files=5)])
    done = headway(gateway.url, "wait", batch_id)
    assert done.returncode == STALLED
    assert f"nothing was heard of batch {batch_id} for 30 s" in done.stderr
    patient = headway(gateway.url, "wait", batch_id, "--stalled-after", "7200", "--timeout", "8")
    assert patient.returncode == TIMEOUT


async def test_a_batch_whose_workers_beat_is_not_stalled_whatever_their_clocks_say(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    beat = WorkerHeartbeat(
        batch_id=batch_id, timestamp=long_ago, stage="denoise", worker="gpu-3:1", files_in_flight=["a.wav"]
    )
    write(topics, batch_id, [StageStart(batch_id=batch_id, timestamp=long_ago, stage="denoise", total_files=1), beat])
    with Running(gateway.url, "wait", batch_id) as waiting:
        for _ in range(9):  # longer than silence has to last
            topics.write_events([beat])
            await asyncio.sleep(1)
        done = FileComplete(batch_id=batch_id, timestamp=long_ago, stage="denoise", file_name="a.wav")
        topics.write_events([done, BatchComplete(batch_id=batch_id, timestamp=long_ago)])
        assert await waiting.ended() == SUCCESS


def test_a_batch_that_nobody_knows_is_unknown(projector: Program, gateway: Program, batch_id: int) -> None:
    done = headway(gateway.url, "wait", batch_id)
    assert (done.returncode, done.stdout) == (UNKNOWN, "")
    assert f"There is no batch {batch_id}" in done.stderr


def test_a_gateway_that_is_not_there_is_given_up_when_patience_ends(batch_id: int) -> None:
    done = headway(f"http://127.0.0.1:{free_port()}", "wait", batch_id, "--patience", "1")
    assert (done.returncode, done.stdout) == (AWAY, "")
    assert "headway: offline since" in done.stderr
    assert "Nothing was received" in done.stderr


def test_what_the_gateway_refuses_is_told_apart(
    make_gateway: Callable[..., Program], projector: Program, topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET)
    gateway.run()
    write(topics, batch_id, batch_events(batch_id, 3))
    assert headway(gateway.url, "wait", batch_id).returncode == REFUSED
    assert headway(gateway.url, "wait", batch_id, HEADWAY_GATEWAY_TOKEN=token(batch_id + 1)).returncode == REFUSED
    assert headway(gateway.url, "wait", batch_id, HEADWAY_GATEWAY_TOKEN=token(batch_id)).returncode == SUCCESS
    assert headway(gateway.url, "wait", batch_id, "--token", token(batch_id)).returncode == SUCCESS


@pytest.mark.parametrize("arguments", [(), ("night",), (1, "--timeout", "soon"), (2**63,), (1, "--url", "localhost")])
def test_bad_arguments_are_told_apart(arguments: tuple[object, ...]) -> None:
    done = headway("http://127.0.0.1:1", "wait", *arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "headway" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
async def test_signals_end_it_without_a_traceback(batch_id: int, number: signal.Signals, code: int) -> None:
    with Running(f"http://127.0.0.1:{free_port()}", "wait", batch_id) as waiting:
        await waiting.notes_that("offline since")
        waiting.send(number)
        assert await waiting.ended() == code
    assert len(waiting.notes) == 1


async def test_a_gateway_that_is_killed_and_comes_back_is_waited_for(
    projector: Program, gateway: Program, topics: Topics, begun: list[Event], batch_id: int
) -> None:
    with Running(gateway.url, "wait", batch_id) as waiting:
        await followed(gateway)
        await asyncio.to_thread(gateway.kill)
        await waiting.notes_that("offline since")
        topics.write_events(begun)
        await asyncio.to_thread(gateway.run)
        assert await waiting.ended() == SUCCESS
    assert "headway: live again" in waiting.notes


async def test_a_batch_that_is_counted_no_further_is_not_waited_for(
    projector: Program, gateway: Program, topics: Topics, begun: list[Event], batch_id: int, tables: Tables
) -> None:
    await tables.wait_for(batch_id, 5)
    topics.delete(topics.names.of_batch(batch_id))
    write(topics, batch_id, list(batch_events(batch_id, 500))[:-1])
    await eventually(lambda: tables.overview(batch_id), lambda found: found["problem"] is not None)
    done = await asyncio.to_thread(headway, gateway.url, "wait", batch_id)
    assert done.returncode == REFUSED
    assert "Denoise: 4/10 files" in done.stdout
    assert f"headway-projector rebuild {batch_id} --from-topic" in done.stdout
