"""A stage's counts as clients get them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from headway_events import StageState, Status, percent, status_at


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

    @classmethod
    def of(cls, batch_id: int, stage: str, state: StageState) -> StageCounts:
        """The counts in a state of the fold."""
        return cls(
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

    def at(self, now: datetime, stalled_after: timedelta) -> StageCounts:
        """The same, stalled where nothing was heard for too long."""
        state = StageState(status=self.status, updated_at=self.updated_at)
        status = status_at(state, now, stalled_after)
        return self if status is self.status else msgspec.structs.replace(self, status=status)
