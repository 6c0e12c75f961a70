"""The history of a batch: at each of its frames what a fold of the events up to there says."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import aiohttp
import pytest
from headway_events import BatchState, Event, FileComplete, FileError, StageProgress, fold_batch

from support.api import get
from support.load import history
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

COUNTS = ("processed", "errors", "totals", "statuses")


async def written(topics: Topics, tables: Tables, batch_id: int, events: Sequence[Event]) -> None:
    """The events projected, in several polls."""
    topics.create(batch_id)
    topics.announce(batch_id)
    for first in range(0, len(events), 500):
        topics.write_events(events[first : first + 500])
        await tables.wait_for(batch_id, min(len(events), first + 500))


def at_frame(document: dict[str, Any], frame: int) -> dict[str, tuple[Any, ...]]:
    """The run, counts and status of each stage's current run, as a reader of the document finds them."""
    stages: dict[str, tuple[Any, ...]] = {}
    for run in document["runs"]:
        looks = [place for place, since in enumerate(run["frames"]) if since <= frame]
        if looks and run["run"] > stages.get(run["stage"], (0,))[0]:
            stages[run["stage"]] = (run["run"], *(run[name][looks[-1]] for name in COUNTS))
    return stages


def folded(events: Iterable[Event]) -> tuple[dict[str, tuple[Any, ...]], bool]:
    """The same by a fold, and whether the batch is closed."""
    batch = BatchState()
    for event in events:
        batch = fold_batch(batch, event)
    current = {stage: runs[-1] for stage, runs in batch.stages.items()}
    return {
        stage: (run.run, run.processed, run.errors, run.total, run.status) for stage, run in current.items()
    }, batch.closed


@pytest.mark.parametrize("size", [300, 3000], ids=["each event a frame", "several events between frames"])
async def test_every_frame_is_what_a_fold_of_the_events_before_it_says(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int, size: int
) -> None:
    events = list(islice(history(batch_id, size, random.Random(size)), size))
    await written(topics, tables, batch_id, events)
    document = await get(client, f"/api/batches/{batch_id}/history")
    offsets = document["offsets"]
    assert (offsets[0], offsets[-1]) == (0, size)
    assert 300 <= len(offsets) <= 1200
    assert len(document["times"]) == len(offsets)
    assert document["times"][0] is None
    for frame, offset in enumerate(offsets):
        stages, closed = folded(events[:offset])
        assert at_frame(document, frame) == stages, offset
        assert (sum(since <= frame for since in document["closed"]) % 2 == 1) == closed, offset
        if frame:
            latest = max(event.timestamp for event in events[:offset] if event.timestamp)
            assert document["times"][frame] == round(latest.timestamp() * 1000)


async def test_counts_that_only_checkpoints_state_are_in_the_history(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    events: list[Event] = [
        FileError(batch_id=batch_id, stage="denoise", file_name="a"),  # without a start: a run all the same
        StageProgress(batch_id=batch_id, stage="denoise", processed_files=50, total_files=80),
        FileComplete(batch_id=batch_id, stage="denoise", file_name="a"),
    ]
    await written(topics, tables, batch_id, events)
    document = await get(client, f"/api/batches/{batch_id}/history")
    assert [at_frame(document, frame) for frame in range(len(document["offsets"]))] == [
        folded(events[:offset])[0] for offset in (0, 1, 2, 3)
    ]
    assert document["runs"][0]["processed"] == [0, 50, 51]


async def test_a_batch_without_events_has_an_empty_history(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    document = await get(client, f"/api/batches/{batch_id}/history")
    assert document == {"offsets": [0], "times": [None], "runs": [], "closed": []}
