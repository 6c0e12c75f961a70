"""One run of a stage whose files are processed elsewhere, reported by the one process that learns of every outcome.

That one process writes all of the run's events, so that they are in order, and the final counts come last.
"""

from __future__ import annotations

import time
from typing import Final

from headway.event_logger import EventLogger
from headway.intervals import default_interval, is_due
from headway.response import MOST_TRACEBACK_CHARACTERS, describe_error

HEARTBEAT_EVERY_S: Final = 5.0  # as an open stage's: a worker counts as silent after four times that


class RemoteRun:
    """Reports a run from its start to its final counts. Counts as the fold does: a file once, a success for good."""

    def __init__(self, batch_id: int, stage: str, total_files: int | None) -> None:
        """Report that the run begins."""
        self._batch_id = batch_id
        self._stage = stage
        self._total = total_files
        self._succeeded: set[str] = set()
        self._failed: set[str] = set()
        self._every = default_interval(total_files)
        self._at_checkpoint = 0
        self._checkpoint_s = time.monotonic()
        EventLogger.stage_start(batch_id, stage, total_files)

    def done(self, name: str, where: str | None, duration_ms: float | None) -> None:
        """A file succeeded."""
        EventLogger.file_complete(
            self._batch_id, self._stage, name, where, {"status": "success"}, duration_ms=duration_ms
        )
        self._succeeded.add(name)
        self._failed.discard(name)
        self._checkpoint_if_due()

    def failed(
        self,
        name: str,
        error: BaseException | str,
        where: str | None = None,
        *,
        kind: str | None = None,
        traceback: str | None = None,
    ) -> None:
        """A file failed; `kind` and `traceback` are those of an exception that is not at hand, or not as it was."""
        response = describe_error(error)
        if kind is not None:
            response["type"] = kind
        if traceback is not None:
            response["traceback"] = traceback[-MOST_TRACEBACK_CHARACTERS:]
        EventLogger.file_complete(self._batch_id, self._stage, name, where, response)
        if name not in self._succeeded:
            self._failed.add(name)
        self._checkpoint_if_due()

    def beat(self, worker: str, names: list[str]) -> None:
        """A worker is alive, and busy with these files."""
        EventLogger.worker_heartbeat(self._batch_id, self._stage, worker, names)

    def complete(self) -> None:
        """Nothing more follows."""
        EventLogger.stage_complete(self._batch_id, self._stage, len(self._succeeded), len(self._failed), self._total)

    def _checkpoint_if_due(self) -> None:
        handled = len(self._succeeded) + len(self._failed)
        now = time.monotonic()
        if is_due(handled - self._at_checkpoint, now - self._checkpoint_s, every=self._every):
            EventLogger.stage_progress(
                self._batch_id, self._stage, len(self._succeeded), self._total, len(self._failed)
            )
            self._at_checkpoint, self._checkpoint_s = handled, now
