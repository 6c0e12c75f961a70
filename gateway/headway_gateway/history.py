"""How a batch stood at each of some hundred moments of its history, by the counting rules. Pure.

A frame is the state before the record at one offset. The files are counted by PostgreSQL between frames; starts,
checkpoints and ends of runs, which are few, are folded here, each with a frame before and after it. A frame is thus
exactly what a fold of the events up to there gives, however many there are between two frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final, NamedTuple

from headway_events import BatchState, Event, StageState, Status, fold_batch

EVEN_FRAMES: Final = 600  # more than a slider has places for


class Mark(NamedTuple):
    """An event that is folded by itself: the start, a checkpoint or the end of a run, or the end of the batch."""

    offset: int
    event: Event


class Change(NamedTuple):
    """What the files of a run that were reported before one frame, and not before the frame before it, changed."""

    stage: str
    run: int
    processed: int
    errors: int


class Look(NamedTuple):
    """How a run stands from one frame on."""

    frame: int
    processed: int
    errors: int
    total: int | None
    status: Status


def span_of(next_offset: int) -> int:
    """How many offsets lie between two frames that no event has made necessary."""
    return max(1, -(-next_offset // EVEN_FRAMES))


def frames(next_offset: int, marks: Iterable[Mark]) -> list[int]:
    """The offsets before which the state is shown, rising, from 0 to `next_offset`."""
    offsets = {*range(0, next_offset, span_of(next_offset)), next_offset}
    for mark in marks:
        offsets |= {mark.offset, mark.offset + 1}
    return sorted(offsets)


def times(known: Iterable[datetime | None]) -> list[int | None]:
    """The time of each frame in milliseconds since 1970. Clocks of producers differ: it never goes back here."""
    return list(accumulate((None if at is None else round(at.timestamp() * 1000) for at in known), _later))


def _later(one: int | None, other: int | None) -> int | None:
    return max(one, other) if one is not None and other is not None else one if other is None else other


def looks(
    offsets: Sequence[int], marks: Sequence[Mark], changes: Mapping[int, Sequence[Change]]
) -> tuple[dict[tuple[str, int], list[Look]], list[int]]:
    """How each run stood, a look wherever it changed; and the frames at which the batch was closed or open again.

    Args:
        offsets: those of the frames.
        marks: in the order of their offsets.
        changes: by the frame before whose offset the files were reported.
    """
    batch = BatchState()
    runs: dict[tuple[str, int], list[Look]] = {}
    turns: list[int] = []
    due = iter([*marks, None])
    mark = next(due)
    for frame, offset in enumerate(offsets):
        while mark is not None and mark.offset < offset:
            closed = batch.closed
            batch = fold_batch(batch, mark.event)
            if batch.closed != closed:
                turns.append(frame)
            mark = next(due)
        for change in changes.get(frame, ()):
            _count(batch, change)
        for stage, run in _current(batch):
            _note(runs.setdefault((stage, run.run), []), frame, run)
    return runs, turns


def _count(batch: BatchState, change: Change) -> None:
    runs = batch.stages.setdefault(change.stage, [])
    if not runs:  # files without a stage_start
        runs.append(StageState(run=change.run, status=Status.PROCESSING))
    runs[-1].processed += change.processed
    runs[-1].errors += change.errors


def _current(batch: BatchState) -> Iterator[tuple[str, StageState]]:
    for stage, runs in batch.stages.items():
        yield stage, runs[-1]


def _note(noted: list[Look], frame: int, run: StageState) -> None:
    look = Look(frame, run.processed, run.errors, run.total, run.status)
    if not noted or noted[-1][1:] != look[1:]:
        noted.append(look)
