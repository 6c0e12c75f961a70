"""Random histories of a batch, for property tests: realistic ones, as pipelines write them, and adversarial ones.

All events are of BATCH_ID. Times are in whole seconds from BEGINNING, so that both folds write them alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from headway_events import (
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageProgress,
    StageStart,
    WorkerHeartbeat,
)
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

BATCH_ID: Final = 123
BEGINNING: Final = datetime(2024, 1, 13, 10, tzinfo=UTC)

STAGES: Final = ["denoise", "transcribe", "__proto__", "7"]
WORKERS: Final = ["worker-7", "__proto__", "gpu-3:4711"]
FILE_NAMES: Final = ["a.wav", "b.wav", "c.wav", "音声.wav", "🎧.wav", "__proto__", "constructor", "0"]

small_counts: SearchStrategy[int] = st.integers(0, 12)
times: SearchStrategy[datetime | None] = st.none() | st.integers(0, 600).map(
    lambda seconds: BEGINNING + timedelta(seconds=seconds)
)


def as_json(events: Sequence[Event]) -> list[dict[str, Any]]:
    """The events as the stream's readers see them."""
    return [msgspec.to_builtins(event) for event in events]


def events(stages: Sequence[str] = STAGES, *, checkpoints: bool = True) -> SearchStrategy[Event]:
    """One event of any type, from so few values that events of a history meet in the same stage and file."""
    common: dict[str, SearchStrategy[Any]] = {"batch_id": st.just(BATCH_ID), "timestamp": times}
    common_of_stage = common | {"stage": st.sampled_from(stages)}
    of_file = common_of_stage | {"file_name": st.sampled_from(FILE_NAMES)}
    maybe = st.none() | small_counts
    kinds: list[SearchStrategy[Event]] = [
        st.builds(FileComplete, **of_file),
        st.builds(FileError, **of_file),
        st.builds(StageStart, **common_of_stage, total_files=maybe),
        st.builds(
            WorkerHeartbeat,
            **common_of_stage,
            worker=st.sampled_from(WORKERS),
            files_in_flight=st.lists(st.sampled_from(FILE_NAMES), max_size=3),
        ),
        st.builds(BatchComplete, **common),
    ]
    if checkpoints:
        of_counts = common_of_stage | {"processed_files": small_counts, "failed_files": maybe, "total_files": maybe}
        of_end = of_counts | {"processed_files": maybe}
        kinds += [st.builds(StageProgress, **of_counts), st.builds(StageComplete, **of_end)]
    return st.one_of(kinds)


def adversarial(*, checkpoints: bool = True) -> SearchStrategy[list[Event]]:
    """Events in any order at all. Without checkpoints, only events that report single files count."""
    return st.lists(events(checkpoints=checkpoints), max_size=40)


@st.composite
def realistic(draw: DrawFn) -> list[Event]:
    """A batch as a pipeline with several workers writes it, delivered at least once.

    Stages run beside each other. Files fail and are tried again, checkpoints state the counts so far, events come
    twice, a stage may crash and be started again.
    """
    stages = draw(st.lists(st.sampled_from(STAGES), unique=True, min_size=1, max_size=3))
    again = st.booleans()
    merged = draw(_interleaved([draw(_run(stage)) + (draw(_run(stage)) if draw(again) else []) for stage in stages]))
    if draw(st.booleans()):
        merged.append(BatchComplete(batch_id=BATCH_ID))
    return [
        msgspec.structs.replace(event, timestamp=BEGINNING + timedelta(seconds=second))
        for second, event in enumerate(merged)
    ]


def histories() -> SearchStrategy[list[Event]]:
    """Both kinds."""
    return realistic() | adversarial()


@st.composite
def _run(draw: DrawFn, stage: str) -> list[Event]:
    names = draw(st.lists(st.sampled_from(FILE_NAMES), unique=True, max_size=len(FILE_NAMES)))
    total = len(names) if draw(st.booleans()) else None
    interval = draw(st.integers(1, 4))
    reports: list[Event] = []
    failed: set[str] = set()
    for done, name in enumerate(names, start=1):
        worker = draw(st.sampled_from(WORKERS))
        if draw(st.booleans()):
            reports.append(WorkerHeartbeat(batch_id=BATCH_ID, stage=stage, worker=worker, files_in_flight=[name]))
        for succeeded in draw(st.sampled_from([[True], [True], [False], [False, True], [True, True], [False, False]])):
            report = FileComplete if succeeded else FileError
            reports.append(report(batch_id=BATCH_ID, stage=stage, file_name=name))
            (failed.discard if succeeded else failed.add)(name)
        if done % interval == 0:
            processed = done - len(failed)
            reports.append(StageProgress(batch_id=BATCH_ID, stage=stage, processed_files=processed, total_files=total))
    start = StageStart(batch_id=BATCH_ID, stage=stage, total_files=total)
    end = StageComplete(
        batch_id=BATCH_ID, stage=stage, processed_files=len(names) - len(failed), failed_files=len(failed)
    )
    early = draw(st.integers(0, 2))  # reports of workers faster than the one that announces the stage
    again = draw(st.integers(0, len(reports)))  # reports delivered again after the end, or after the crash
    ends = [end] if draw(st.booleans()) else []
    return [*reports[:early], start, *reports[early:], *ends, *reports[len(reports) - again :]]


@st.composite
def _interleaved(draw: DrawFn, histories: list[list[Event]]) -> list[Event]:
    waiting = [list(history) for history in histories if history]
    merged: list[Event] = []
    while waiting:
        turn = draw(st.integers(0, len(waiting) - 1))
        merged.append(waiting[turn].pop(0))
        waiting = [history for history in waiting if history]
    return merged
