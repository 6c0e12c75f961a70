"""A stage as Python sees it: a context manager that counts, makes checkpoints and states the final counts."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from headway.intervals import default_interval, is_due

if TYPE_CHECKING:
    from headway.event_logger import EventLogger

Path = TypeVar("Path", bound=str | os.PathLike[str])


class Stage:
    """One run of one stage, reported by one process. Thread-safe.

    Leaving the `with` block reports `stage_complete` with the counts, unless an exception leaves it: then the stage
    has not completed, and says nothing.
    """

    def __init__(
        self,
        event_logger: EventLogger,
        batch_id: int,
        name: str,
        *,
        total_files: int | None = None,
        progress_interval: int | None = None,
        gpu_ip: str | None = None,
    ) -> None:
        """Describe the run; entering the `with` block begins it.

        Args:
            event_logger: reports the events.
            batch_id: the batch.
            name: the stage.
            total_files: None when it is not known.
            progress_interval: files between two checkpoints; by default by the total, see `intervals`.
            gpu_ip: where the files are processed.
        """
        self._outcomes: dict[str, bool] = {}  # by file, whether it succeeded; about 100 bytes a file
        self._succeeded = 0
        self._logger = event_logger
        self._batch_id = batch_id
        self._name = name
        self._total = total_files
        self._every = default_interval(total_files) if progress_interval is None else progress_interval
        self._gpu_ip = gpu_ip
        self._lock = threading.Lock()
        self._at_checkpoint = 0
        self._checkpoint_s = time.monotonic()

    @property
    def processed_files(self) -> int:
        """Distinct files that succeeded."""
        return self._succeeded

    @property
    def failed_files(self) -> int:
        """Distinct files that failed, and have not succeeded since."""
        return len(self._outcomes) - self._succeeded

    def done(
        self, file_name: str | os.PathLike[str], response: Any = None, *, duration_ms: float | None = None
    ) -> None:
        """A file succeeded; or failed, if `response` has the `status` "error"."""
        self._logger.file_complete(
            self._batch_id, self._name, file_name, self._gpu_ip, response, duration_ms=duration_ms
        )
        self._count(file_name, succeeded=not (isinstance(response, dict) and response.get("status") == "error"))

    def failed(
        self, file_name: str | os.PathLike[str], error: BaseException | str, *, duration_ms: float | None = None
    ) -> None:
        """A file failed."""
        self._logger.file_error(self._batch_id, self._name, file_name, error, self._gpu_ip, duration_ms=duration_ms)
        self._count(file_name, succeeded=False)

    def __enter__(self) -> Stage:
        self._logger.stage_start(self._batch_id, self._name, self._total)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._logger.stage_complete(
                self._batch_id, self._name, self.processed_files, self.failed_files, self._total
            )

    def _count(self, file_name: str | os.PathLike[str], *, succeeded: bool) -> None:
        """As the fold counts: a file once, and a success for good."""
        name = os.fspath(file_name)
        with self._lock:
            before = self._outcomes.get(name)
            self._outcomes[name] = succeeded or bool(before)
            self._succeeded += succeeded and not before
            self._checkpoint_if_due()

    def _checkpoint_if_due(self) -> None:
        handled = len(self._outcomes)
        now = time.monotonic()
        if is_due(handled - self._at_checkpoint, now - self._checkpoint_s, every=self._every):
            self._logger.stage_progress(
                self._batch_id, self._name, self.processed_files, self._total, self.failed_files
            )
            self._at_checkpoint = handled
            self._checkpoint_s = now


def track(
    event_logger: EventLogger, batch_id: int, stage: str, paths: Iterable[Path], **options: Any
) -> Iterator[Path]:
    """Each of `paths` in turn, reported as done when the next is asked for.

    A path whose turn ends by an exception or a `break` is not reported, and neither is the stage's end: the stage is
    left as it is, to be seen as stalled. `options` are those of `Stage`.
    """
    total = len(paths) if isinstance(paths, Sized) else None
    with Stage(event_logger, batch_id, stage, total_files=options.pop("total_files", total), **options) as run:
        for path in paths:
            begin = time.perf_counter()
            yield path
            run.done(path, duration_ms=(time.perf_counter() - begin) * 1000)
