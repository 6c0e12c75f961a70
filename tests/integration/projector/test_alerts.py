"""What batches do is told to webhooks, once each: real projectors, and a receiver that verifies what it gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from headway_events import BatchComplete, Event, FileComplete, FileError, StageStart, WorkerHeartbeat

from support.batches import ERROR, SUCCESS, batch_events
from support.commands import headway_projector
from support.eventually import eventually
from support.programs import Program
from support.receiver import Receiver, json_hook, write_hooks
from support.tables import Tables
from support.topics import Topics

COMPLETE, COMPLETE_WITH_ERRORS = "batch.complete", "batch.complete_with_errors"
FIRST_ERROR, ERROR_RATE, STALLED = "batch.first_error", "batch.error_rate", "batch.stalled"

Make = Callable[..., Program]


def write(topics: Topics, batch_id: int, events: Iterable[Event]) -> None:
    """Announce a batch with these events."""
    topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(events)


@pytest.mark.parametrize(
    ("files", "failed", "expected"),
    [
        (3, 0, [COMPLETE]),
        (200, 1, [COMPLETE_WITH_ERRORS, FIRST_ERROR]),
        (200, 50, [COMPLETE_WITH_ERRORS, ERROR_RATE, FIRST_ERROR]),
        (99, 50, [COMPLETE_WITH_ERRORS, FIRST_ERROR]),  # too few to speak of a rate
    ],
)
async def test_a_batch_that_ends_or_fails_is_told_to_a_hook_with_the_counts_at_that_time(
    make_projector: Make, topics: Topics, receiver: Receiver, tmp_path: Path, batch_id: int,
    files: int, failed: int, expected: list[str],
) -> None:  # fmt: skip
    make_projector(**write_hooks(tmp_path, json_hook(receiver))).run()
    write(topics, batch_id, batch_events(batch_id, files, failed=failed))
    await receiver.wait_for(len(expected))
    assert receiver.types() == [(batch_id, kind) for kind in expected]
    told = {message["type"]: message["data"] for message in receiver.verified()}
    ended = told[expected[0]]
    assert ended["url"] == f"http://dash.example/?batchId={batch_id}"
    assert ended["stages"] == [
        {
            "stage": "denoise", "run": 1, "status": "complete_with_errors" if failed else "complete", "total": files,
            "processed": files - failed, "errors": failed,
        }
    ]  # fmt: skip
    assert {data["stage"] for kind, data in told.items() if kind in {FIRST_ERROR, ERROR_RATE}} <= {"denoise"}


async def test_a_batch_under_way_that_falls_silent_is_told_once_and_one_with_heartbeats_not_at_all(
    make_projector: Make, topics: Topics, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    hooks = write_hooks(tmp_path, json_hook(receiver))
    make_projector(HEADWAY_STALLED_AFTER_S="10", **hooks).run()
    silent, alive, done = batch_id, batch_id + 1, batch_id + 2
    write(topics, done, list(batch_events(done, 2))[:-1])  # nobody closed it, but nothing is under way
    for one in (silent, alive):
        write(topics, one, [StageStart(batch_id=one, timestamp=datetime.now(UTC), stage="denoise", total_files=5)])

    def told_after_a_heartbeat() -> list[tuple[int, str]]:
        beat = WorkerHeartbeat(batch_id=alive, timestamp=datetime.now(UTC), stage="denoise", worker="w")
        topics.write_events([beat])
        return receiver.types()

    await eventually(told_after_a_heartbeat, lambda told: told == [(silent, STALLED)], within_s=60)
    topics.write_events([FileComplete(batch_id=silent, timestamp=datetime.now(UTC), stage="denoise", file_name="a")])
    topics.write_events([BatchComplete(batch_id=silent, timestamp=datetime.now(UTC))])
    expected = [(silent, COMPLETE), (silent, STALLED)]
    await eventually(told_after_a_heartbeat, lambda told: told == expected)


async def test_slack_gets_a_text_with_a_link_and_no_signature(
    make_projector: Make, topics: Topics, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    (tmp_path / "slack.url").write_text(f"{receiver.url}\n")
    hook = {"name": "slack", "format": "slack", "url_file": "slack.url", "events": [COMPLETE_WITH_ERRORS]}
    make_projector(**write_hooks(tmp_path, hook)).run()
    topics.create(batch_id)
    topics.announce(batch_id, name="Nightly <7> & co|")
    topics.write_events(batch_events(batch_id, 5, failed=2))
    (received,) = await receiver.wait_for(1)
    assert received.json() == {
        "text": f"<http://dash.example/?batchId={batch_id}|Nightly &lt;7&gt; &amp; co¦> is complete, with errors.\n"
        "denoise: 3 of 5 done, 2 failed"
    }
    assert not [name for name in received.headers if name.lower().startswith("webhook")]


async def test_a_hook_is_told_of_its_events_of_batches_with_its_labels_alone(
    make_projector: Make, topics: Topics, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    hook = json_hook(receiver, events=[COMPLETE_WITH_ERRORS], labels={"team": "audio"})
    make_projector(**write_hooks(tmp_path, hook)).run()
    labels = [{"team": "video"}, {}, {"team": "audio", "size": "l"}]
    for number, some in enumerate(labels):
        topics.create(batch_id + number)
        topics.announce(batch_id + number, labels=some)
        topics.write_events(batch_events(batch_id + number, 5, failed=2))
    await receiver.wait_for(1)
    assert receiver.types() == [(batch_id + 2, COMPLETE_WITH_ERRORS)]
    assert receiver.verified()[0]["data"]["labels"] == labels[2]


async def test_a_batch_that_is_opened_again_may_tell_everything_once_more(
    make_projector: Make, topics: Topics, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    make_projector(**write_hooks(tmp_path, json_hook(receiver))).run()
    write(topics, batch_id, [event for _ in range(2) for event in batch_events(batch_id, 5)])
    await receiver.wait_for(2)
    topics.write_events(batch_events(batch_id, 5, failed=1))
    topics.write_events([BatchComplete(batch_id=batch_id, timestamp=datetime.now(UTC))])  # said twice
    await receiver.wait_for(4)
    found = sorted((message["data"]["run"], message["type"]) for message in receiver.verified())
    assert found == [(1, COMPLETE), (2, COMPLETE), (3, COMPLETE_WITH_ERRORS), (3, FIRST_ERROR)]


async def test_a_batch_that_is_rebuilt_tells_nothing_again_not_even_to_a_hook_that_is_new(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int,
    environment: dict[str, str],
) -> None:  # fmt: skip
    old = make_projector(**write_hooks(tmp_path, json_hook(receiver)))
    old.run()
    write(topics, batch_id, batch_events(batch_id, 200, failed=50))
    before = await receiver.wait_for(3)
    old.stop()
    make_projector(**write_hooks(tmp_path, json_hook(receiver), json_hook(receiver, "new"))).run()
    end = await tables.next_offset(batch_id)
    assert headway_projector(environment, "rebuild", str(batch_id)).returncode == 0
    assert headway_projector(environment, "rebuild", str(batch_id), "--from-topic").returncode == 0
    await tables.wait_for(batch_id, end)
    assert headway_projector(environment, "verify", str(batch_id)).returncode == 0
    assert len(receiver.received) == len(before) == 3
    topics.write_events(batch_events(batch_id, 5))  # what is news is told, to both
    await receiver.wait_for(5)
    assert receiver.types() == sorted(
        (batch_id, kind) for kind in [COMPLETE_WITH_ERRORS, ERROR_RATE, FIRST_ERROR, COMPLETE, COMPLETE]
    )


async def test_two_projectors_send_each_alert_once(
    make_projector: Make, topics: Topics, receiver: Receiver, tables: Tables, tmp_path: Path, batch_id: int
) -> None:
    hooks = write_hooks(tmp_path, json_hook(receiver))
    for _ in range(2):
        make_projector(**hooks).run()
    batches = [batch_id + number for number in range(40)]
    topics.create_all(batches)
    topics.announce_all(batches)
    for one in batches:
        topics.write_events(batch_events(one, 3, failed=1))
    expected = sorted((one, kind) for one in batches for kind in (COMPLETE_WITH_ERRORS, FIRST_ERROR))
    await receiver.wait_for(len(expected))
    pending = "SELECT count(*) FROM alert WHERE state = 'pending'"
    await eventually(lambda: tables.connection.fetchval(pending), lambda left: left == 0)
    assert receiver.types() == expected
    assert len({one.id for one in receiver.received}) == len(expected)


async def test_errors_that_come_one_by_one_raise_each_alert_when_it_is_due(
    make_projector: Make, topics: Topics, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    hook = json_hook(receiver, error_rate={"share": 0.25, "min_files": 8})
    make_projector(**write_hooks(tmp_path, hook)).run()
    now = datetime.now(UTC)

    def file(number: int, *, failed: bool = False) -> Event:
        kind, response = (FileError, ERROR) if failed else (FileComplete, SUCCESS)
        return kind(batch_id=batch_id, timestamp=now, stage="denoise", file_name=f"{number}", response=response)

    write(topics, batch_id, [StageStart(batch_id=batch_id, timestamp=now, stage="denoise")])
    topics.write_events([file(0, failed=True)])
    await receiver.wait_for(1)
    topics.write_events([*(file(number) for number in range(1, 7)), file(7, failed=True), file(8)])
    topics.write_events([file(9, failed=True)])  # 3 of 10
    await receiver.wait_for(2)
    first, rate = receiver.verified()
    assert (first["type"], first["data"]["stages"][0]["errors"]) == (FIRST_ERROR, 1)
    assert rate["type"] == ERROR_RATE
    assert rate["data"]["stages"][0] | {"errors": 3, "processed": 7} == rate["data"]["stages"][0]


async def test_without_hooks_nothing_is_noted(
    projector: Program, topics: Topics, tables: Tables, batch_id: int, environment: dict[str, str]
) -> None:
    write(topics, batch_id, batch_events(batch_id, 200, failed=50))
    await tables.wait_for(batch_id, 203)
    assert await tables.connection.fetchval("SELECT count(*) FROM alert") == 0
    assert projector.metric("headway_projector_events_total") == 203
    listed = headway_projector(environment, "alerts", "list")
    assert (listed.returncode, listed.stdout) == (0, "no hooks: see HEADWAY_PROJECTOR_ALERTS_FILE\n")
    assert "alerts" not in headway_projector(environment, "status").stdout


async def test_what_is_sent_is_what_the_table_has(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    make_projector(**write_hooks(tmp_path, json_hook(receiver))).run()
    write(topics, batch_id, batch_events(batch_id, 3))
    (received,) = await receiver.wait_for(1)
    delivered = "SELECT id, facts, attempts, lastAnswer FROM alert WHERE state = 'delivered'"
    (row,) = await eventually(lambda: tables.connection.fetch(delivered), lambda found: len(found) == 1)
    assert received.id == f"msg_{row['id'].hex}"
    facts = json.loads(row["facts"])
    assert received.json()["data"] == {**facts, "url": received.json()["data"]["url"]}
    assert (row["attempts"], row["lastanswer"]) == (1, "200 ok")
