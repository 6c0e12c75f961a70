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
    return [_counts(run) for run in runs]


def _counts(run: Sequence[StageEvent]) -> NaiveRun:
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
