"""Which alerts a poll raises: what it wrote of a batch in, rows for the outbox out. Pure.

A batch has a run of its own, from its first event or from the stage_start that opens it again to its batch_complete;
of each kind a hook is told once a run. What was raised already is remembered for as long as the batch is read, so that
a batch with errors costs a transaction nothing after the first; the table's key holds across processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from headway_events.alerts import AlertType

from headway_projector.alerts.hooks import ErrorRate, Hook
from headway_projector.poll import BatchMemory, BatchProjection
from headway_projector.rows import AlertRow, RunRow


class _News(NamedTuple):
    """What a hook might be told."""

    run: int
    kind: AlertType
    stage: str | None
    at: datetime | None


class Rules:
    """What the hooks want to be told."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = hooks

    def raised(self, memory: BatchMemory, part: BatchProjection) -> list[AlertRow]:
        """The alerts that a poll raises of a batch. Those of a transaction that failed are raised once more."""
        if not part.failing and not part.closings:
            return []
        rows = []
        for hook in self._hooks:
            for news in _news(hook, part):
                key = (news.run, news.kind, hook.name)
                if news.kind in hook.events and key not in memory.alerted:
                    memory.alerted.add(key)
                    rows.append(_row(memory.batch_id, hook, news))
        return rows


def _row(batch_id: int, hook: Hook, news: _News) -> AlertRow:
    return AlertRow(batch_id, news.run, news.kind, news.stage, news.at, hook.name, hook.labels_json)


def _news(hook: Hook, part: BatchProjection) -> Iterator[_News]:
    batch = part.batch
    for run, errors_before in part.failing:
        if run.errors > errors_before:
            yield _News(batch.run, AlertType.FIRST_ERROR, run.stage, batch.last_event_at)
        if _exceeds(run, hook.error_rate):
            yield _News(batch.run, AlertType.ERROR_RATE, run.stage, batch.last_event_at)
    for closing in part.closings:
        kind = AlertType.COMPLETE_WITH_ERRORS if closing.failed else AlertType.COMPLETE
        yield _News(closing.run, kind, None, closing.at)


def _exceeds(run: RunRow, limit: ErrorRate) -> bool:
    files = run.processed + run.errors
    return files >= limit.min_files and run.errors > limit.share * files
