"""A second way to the counts of the fold, to judge it by: whole histories and sets of files, no state, no steps.

Slow and obvious. It knows nothing of `headway_events.fold`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headway_events import (
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageEvent,
    StageProgress,
    StageStart,
    WorkerHeartbeat,
)


@dataclass(frozen=True)
class NaiveRun:
    """The counts of one run of a stage."""

    total: int | None
    processed: int
    errors: int
    attempts: int
    late: int
    complete: bool
    in_flight: dict[str, str]  # by file, the worker that has it


def naive_runs(history: Sequence[Event], stage: str) -> list[NaiveRun]:
    """The counts of every run of a stage after a whole history."""
    runs: list[list[StageEvent]] = []
    for event in history:
        if isinstance(event, BatchComplete) or event.stage != stage:
            continue
        begun_or_over = bool(runs) and any(isinstance(before, StageStart | StageComplete) for before in runs[-1])
        if not runs or (isinstance(event, StageStart) and begun_or_over):
            runs.append([])
        runs[-1].append(event)
    return [_counts(run, is_last=run is runs[-1]) for run in runs]


def _counts(run: Sequence[StageEvent], *, is_last: bool) -> NaiveRun:
    ends = [index for index, event in enumerate(run) if isinstance(event, StageComplete)]
    open_part = run[: ends[0]] if ends else run
    completions = [event for event in run if isinstance(event, StageComplete)]
    processed, errors = _counted(open_part)
    if completions:
        stated = [end.processed_files for end in completions if end.processed_files is not None]
        processed = stated[-1] if stated else processed
        errors = next((end.failed_files for end in reversed(completions) if end.failed_files is not None), errors)
    stating = [event for event in [*open_part, *completions] if isinstance(event, StageStart | StageProgress)]
    totals = [event.total_files for event in [*stating, *completions] if event.total_files is not None]
    return NaiveRun(
        total=totals[-1] if totals else None,
        processed=processed,
        errors=errors,
        attempts=len(_reports(open_part)),
        late=len(_reports(run)) - len(_reports(open_part)),
        complete=bool(completions),
        in_flight=_in_flight(run, _heeded(run)) if is_last and not completions else {},
    )


def _counted(events: Sequence[StageEvent]) -> tuple[int, int]:
    """Processed and errors: what the files say, or a checkpoint and what the files added after it, if that is more."""
    processed, errors = _files(events)
    candidates = [(processed, errors)]
    for index, event in enumerate(events):
        if isinstance(event, StageProgress):
            processed_then, errors_then = _files(events[:index])
            candidates.append(
                (
                    event.processed_files + processed - processed_then,
                    (event.failed_files or 0) + errors - errors_then,
                )
            )
    return max(first for first, _ in candidates), max(second for _, second in candidates)


def _files(events: Sequence[StageEvent]) -> tuple[int, int]:
    """How many distinct files have succeeded, and how many have only failed."""
    succeeded = {event.file_name for event in events if isinstance(event, FileComplete)}
    failed = {event.file_name for event in events if isinstance(event, FileError)}
    return len(succeeded), len(failed - succeeded)


def _reports(events: Sequence[StageEvent]) -> list[StageEvent]:
    return [event for event in events if isinstance(event, FileComplete | FileError)]


def _heeded(events: Sequence[StageEvent]) -> list[int]:
    """Which events are heartbeats that count: all but those older than the last one of a worker that is busy."""
    heeded: list[int] = []
    for index, event in enumerate(events):
        if not isinstance(event, WorkerHeartbeat):
            continue
        before = [one for at in heeded if isinstance(one := events[at], WorkerHeartbeat) and one.worker == event.worker]
        busy = event.worker in _in_flight(events[:index], heeded).values()
        last = before[-1].timestamp if before else None
        if not (busy and last is not None and event.timestamp is not None and event.timestamp < last):
            heeded.append(index)
    return heeded


def _in_flight(events: Sequence[StageEvent], heeded: Sequence[int]) -> dict[str, str]:
    """Each file whose last naming stands in its worker's last heartbeat, unless it was reported since, or succeeded."""
    last_of: dict[str, int] = {}
    last_naming: dict[str, int] = {}
    workers: dict[str, str] = {}
    for index in heeded:
        event = events[index]
        assert isinstance(event, WorkerHeartbeat)
        last_of[event.worker] = index
        for file in event.files_in_flight:
            if not any(isinstance(one, FileComplete) and one.file_name == file for one in events[:index]):
                last_naming[file], workers[file] = index, event.worker
    return {
        file: workers[file]
        for file, index in last_naming.items()
        if last_of[workers[file]] == index
        and not any(isinstance(one, FileComplete | FileError) and one.file_name == file for one in events[index:])
    }
