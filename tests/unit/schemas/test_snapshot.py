"""Counting on from a snapshot gives what counting from the beginning gives, in both languages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from headway_events import (
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageStart,
    WorkerHeartbeat,
    resume,
    snapshot,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from support.counts import JSON, JavaScriptFold, counts, fold_in_python
from support.histories import BATCH_ID, BEGINNING, as_json, histories

properties = settings(max_examples=150)


@properties
@given(history=histories())
def test_python_counts_on_from_a_snapshot_of_every_prefix(history: list[Event]) -> None:
    straight = current_runs(counts(fold_in_python(history)))
    for offset in range(len(history) + 1):
        resumed = fold_in_python(history[offset:], resume(sent(history, offset)))
        assert current_runs(counts(resumed)) == straight


@properties
@given(history=histories(), data=st.data())
def test_javascript_counts_on_from_a_snapshot(
    history: list[Event], data: st.DataObject, javascript_fold: JavaScriptFold
) -> None:
    offset = data.draw(st.integers(0, len(history)))

    resumed = javascript_fold(as_json(history[offset:]), snapshot=sent(history, offset))

    assert current_runs(resumed) == current_runs(counts(fold_in_python(history)))


@properties
@given(history=histories(), data=st.data())
def test_a_snapshot_of_a_resumed_batch_is_the_snapshot_it_resumed_from(
    history: list[Event], data: st.DataObject
) -> None:
    taken = sent(history, data.draw(st.integers(0, len(history))))

    assert snapshot(resume(taken), batch_id=BATCH_ID, offset=taken["offset"]) == taken


def test_a_snapshot_has_the_form_that_the_stream_promises() -> None:
    history: list[Event] = [
        StageStart(batch_id=BATCH_ID, stage="denoise", total_files=4, timestamp=BEGINNING),
        FileComplete(batch_id=BATCH_ID, stage="denoise", file_name="a.wav", timestamp=BEGINNING),
        FileError(batch_id=BATCH_ID, stage="denoise", file_name="b.wav", timestamp=BEGINNING),
        StageComplete(batch_id=BATCH_ID, stage="encode", processed_files=2, failed_files=0, timestamp=BEGINNING),
    ]

    assert snapshot(fold_in_python(history), batch_id=BATCH_ID, offset=4) == {
        "batchId": BATCH_ID,
        "offset": 4,
        "closed": False,
        "stages": [
            {
                "stage": "denoise",
                "run": 1,
                "started": True,
                "total": 4,
                "processed": 1,
                "errors": 1,
                "attempts": 2,
                "late": 0,
                "status": "processing",
                "startedAt": "2024-01-13T10:00:00Z",
                "updatedAt": "2024-01-13T10:00:00Z",
                "endedAt": None,
                "filesLeftOut": 0,
                "percent": 25,
                "outcomes": {"success": ["a.wav"], "error": ["b.wav"]},
                "workers": [],
            },
            {
                "stage": "encode",
                "run": 1,
                "started": False,
                "total": None,
                "processed": 2,
                "errors": 0,
                "attempts": 0,
                "late": 0,
                "status": "complete",
                "startedAt": "2024-01-13T10:00:00Z",
                "updatedAt": "2024-01-13T10:00:00Z",
                "endedAt": "2024-01-13T10:00:00Z",
                "filesLeftOut": 0,
                "percent": None,
            },
        ],
    }


def test_a_snapshot_lists_the_busy_workers_of_a_run_under_way() -> None:
    history: list[Event] = [
        WorkerHeartbeat(batch_id=BATCH_ID, stage="s", worker="w", files_in_flight=["b", "a"], timestamp=BEGINNING)
    ]

    (stage,) = snapshot(fold_in_python(history), batch_id=BATCH_ID, offset=1)["stages"]

    assert stage["workers"] == [{"worker": "w", "lastHeardAt": "2024-01-13T10:00:00Z", "filesInFlight": ["b", "a"]}]


@pytest.mark.parametrize(
    "broken",
    [
        {"processed": "many"},
        {"status": "asleep"},
        {"outcomes": {"maybe": ["a.wav"]}},
        {"workers": [{"worker": "w", "lastHeardAt": "soon", "filesInFlight": []}]},
    ],
)
def test_a_snapshot_with_a_wrong_value_is_refused(broken: dict[str, Any]) -> None:
    taken = sent([StageStart(batch_id=BATCH_ID, stage="denoise")], 1)
    taken["stages"][0] |= broken

    with pytest.raises(msgspec.ValidationError):
        resume(taken)


def sent(history: list[Event], offset: int) -> JSON:
    """The snapshot before `offset`, as it arrives."""
    taken = snapshot(fold_in_python(history[:offset]), batch_id=BATCH_ID, offset=offset)
    received: JSON = msgspec.json.decode(msgspec.json.encode(taken))
    return received


def current_runs(result: JSON) -> object:
    """The counts of the last runs. How files stood in a run that is over is not known after a snapshot, nor needed."""
    stages = {}
    for stage, runs in result["stages"]:
        current = dict(runs[-1])
        outcomes = current.pop("outcomes")
        over = current["status"] in {"complete", "complete_with_errors"}
        stages[stage] = (current, None if over else dict(outcomes))
    return stages, result["closed"], result["batchStatus"]
