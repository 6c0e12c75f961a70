"""A stage's counts as clients get them. Pure."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Final, NamedTuple

import msgspec
from headway_events import StageState, Status, percent, status_at
from msgspec import Meta

SHOWN_WORKERS: Final = 10  # silent ones in a message, which comes up to twenty times a second; arbitrary
SHOWN_FILES: Final = 10  # of each, likewise
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Limits(NamedTuple):
    """How long something is quiet until people are told."""

    stalled_after: timedelta
    silent_after: timedelta

    @classmethod
    def of_seconds(cls, stalled_after_s: float, silent_after_s: float) -> Limits:
        """As settings have them."""
        return cls(timedelta(seconds=stalled_after_s), timedelta(seconds=silent_after_s))


class SilentWorker(msgspec.Struct, frozen=True, rename="camel"):
    """A worker that has files in flight and was not heard for too long."""

    worker: str
    last_heard_at: datetime
    files_in_flight: Annotated[tuple[str, ...], Meta(description="At most ten.")]


class StageCounts(msgspec.Struct, frozen=True, rename="camel"):
    """The current run of one stage of one batch."""

    batch_id: int
    stage: str
    run: int
    status: Status
    total: int | None
    processed: int
    errors: int
    attempts: int
    late: int
    percent: int | None
    started_at: datetime | None
    updated_at: datetime | None
    ended_at: datetime | None
    silent: Annotated[int, Meta(description="Workers that have files in flight and were not heard for too long.")] = 0
    silent_workers: Annotated[tuple[SilentWorker, ...], Meta(description="The ten that are so the longest.")] = ()


class StageStanding:
    """A stage after some events: its counts at any moment later."""

    def __init__(self, batch_id: int, stage: str, state: StageState) -> None:
        """Note what `state` says now; it may be folded on."""
        self._counts = StageCounts(
            batch_id=batch_id,
            stage=stage,
            run=state.run,
            status=state.status,
            total=state.total,
            processed=state.processed,
            errors=state.errors,
            attempts=state.attempts,
            late=state.late,
            percent=percent(state),
            started_at=state.started_at,
            updated_at=state.updated_at,
            ended_at=state.ended_at,
        )
        busy = sorted(state.workers.items(), key=lambda item: item[1].last_heard_at or _NEVER)
        self._heard_at = [worker.last_heard_at or _NEVER for _, worker in busy]
        self._quietest = [
            SilentWorker(name, worker.last_heard_at or _NEVER, tuple(islice(worker.files, SHOWN_FILES)))
            for name, worker in busy[:SHOWN_WORKERS]
        ]

    def at(self, now: datetime, limits: Limits) -> StageCounts:
        """The counts as people should see them: stalled where nothing was heard for too long, with silent workers."""
        state = StageState(status=self._counts.status, updated_at=self._counts.updated_at)
        silent = self._silent(now, limits)
        return msgspec.structs.replace(
            self._counts,
            status=status_at(state, now, limits.stalled_after),
            silent=silent,
            silent_workers=tuple(self._quietest[:silent]),
        )

    def changes_at(self, now: datetime, limits: Limits) -> datetime:
        """When the clock alone will change what people should see."""
        moments = [_NEVER]
        if self._counts.status is Status.PROCESSING and self._counts.updated_at is not None:
            moments.append(self._counts.updated_at + limits.stalled_after)
        moments += [at + limits.silent_after for at in self._heard_at[self._silent(now, limits) :][:1] if at < _NEVER]
        return min(moment for moment in moments if moment >= now)

    def _silent(self, now: datetime, limits: Limits) -> int:
        return bisect_left(self._heard_at, now - limits.silent_after)
