"""Durations, outcomes and the timeline of a batch: what its events say, counted by hand."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from itertools import islice
from typing import Any, NamedTuple

import aiohttp
from headway_events import Event, FileComplete, FileError, StageComplete, StageStart
from headway_events.events import FILE_EVENTS

from support.api import get
from support.load import history
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

EVENTS = 4000  # fewer than are looked up: every time is exact


class Counted(NamedTuple):
    """The files of one run, by hand."""

    outcomes: dict[str, str]
    retried: set[str]
    durations: dict[str, float]


def counted(events: list[Event]) -> dict[tuple[str, int], Counted]:
    """The files of each run by its stage and number."""
    runs: dict[tuple[str, int], Counted] = {}
    number: Counter[str] = Counter()
    over: dict[str, bool] = {}
    for event in events:
        if isinstance(event, StageStart):
            number[event.stage] += 1
            over[event.stage] = False
            runs[event.stage, number[event.stage]] = Counted({}, set(), {})
        elif isinstance(event, StageComplete):
            over[event.stage] = True
        elif isinstance(event, FILE_EVENTS) and not over[event.stage]:
            _count(runs[event.stage, number[event.stage]], event)
    return runs


def _count(run: Counted, event: FileComplete | FileError) -> None:
    before = run.outcomes.get(event.file_name)
    outcome = "success" if isinstance(event, FileComplete) else "error"
    if before is None or (before, outcome) == ("error", "success"):
        run.outcomes[event.file_name] = outcome
        assert event.duration_ms is not None
        run.durations[event.file_name] = event.duration_ms
        if before == "error":
            run.retried.add(event.file_name)


async def test_a_messy_batch_of_several_runs_is_drawn_as_its_events_say(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    events = list(islice(history(batch_id, EVENTS, random.Random(7)), EVENTS))
    topics.create(batch_id)
    topics.announce(batch_id)
    for first in range(0, EVENTS, 500):  # files fail and succeed in the same poll, and in different ones
        topics.write_events(events[first : first + 500])
        await tables.wait_for(batch_id, first + 500)
    runs = counted(events)
    current = {stage: max(run for of, run in runs if of == stage) for stage, _ in runs}
    assert max(current.values()) > 1
    base = f"/api/batches/{batch_id}"
    for (stage, run), by_hand in runs.items():
        query = f"?stage={stage}&run={run}"
        (outcomes,) = (await get(client, f"{base}/outcomes{query}"))["runs"] if by_hand.outcomes else ({},)
        if outcomes:
            check_outcomes(outcomes, by_hand)
            (durations,) = (await get(client, f"{base}/durations{query}"))["runs"]
            check_durations(durations, sorted(by_hand.durations.values()))
    listed = [(one["stage"], one["run"]) for one in (await get(client, f"{base}/outcomes"))["runs"]]
    assert dict(listed) == current
    timeline = await get(client, f"{base}/timeline")
    assert timeline["oneOf"] == 1
    files: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for one in timeline["runs"]:
        files[one["stage"], one["run"]] = Counter(success=sum(one["succeeded"]), error=sum(one["failed"]))
    assert files == {key: Counter(one.outcomes.values()) for key, one in runs.items() if one.outcomes}
    reports = sum(isinstance(event, FILE_EVENTS) for event in events)
    assert sum(sum(worker["files"]) for worker in timeline["workers"]) == reports


def check_outcomes(found: dict[str, Any], by_hand: Counted) -> None:
    assert found["files"] == sum(found["sizes"]) == len(by_hand.outcomes)
    assert sum(found["failed"]) == list(by_hand.outcomes.values()).count("error")
    assert sum(found["retried"]) == len(by_hand.retried)
    assert found["firstOffsets"] == sorted(found["firstOffsets"])


def check_durations(found: dict[str, Any], durations: list[float]) -> None:
    assert found["files"] == sum(bar["files"] for bar in found["bars"]) == len(durations)
    assert (found["minMs"], found["maxMs"]) == (durations[0], durations[-1])
    for name, share in (("p50Ms", 0.5), ("p90Ms", 0.9), ("p99Ms", 0.99)):
        true = durations[math.ceil(share * len(durations)) - 1]
        assert true <= found[name] <= true * 1.025


async def test_of_a_batch_without_files_there_is_nothing_to_draw_and_bad_questions_are_refused(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.announce(batch_id)
    await tables.wait_for(batch_id, 0)
    base = f"/api/batches/{batch_id}"
    assert (await get(client, f"{base}/timeline"))["beginAt"] is None
    topics.write_events([StageStart(batch_id=batch_id, stage="denoise", total_files=3)])
    await tables.wait_for(batch_id, 1)
    (outcomes,) = (await get(client, f"{base}/outcomes"))["runs"]
    assert (outcomes["total"], outcomes["files"], outcomes["sizes"]) == (3, 0, [])
    (durations,) = (await get(client, f"{base}/durations"))["runs"]
    assert (durations["p50Ms"], durations["bars"]) == (None, [])
    assert (await get(client, f"{base}/durations?stage=other"))["runs"] == []
    assert (await get(client, f"{base}/outcomes?run=0", 400))["parameter"] == "run"
    for part in ("durations", "outcomes", "timeline"):
        await get(client, f"/api/batches/{batch_id + 1}/{part}", 404)
