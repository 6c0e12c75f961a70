"""A stage as Python sees it: a block that counts, makes checkpoints, tells which files are in flight, and ends it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, TypeVar
from weakref import WeakSet

from headway.console import Bar
from headway.errors import InvalidArgument
from headway.gpu import sampler
from headway.heartbeat import Pulse, heart
from headway.intervals import default_interval, is_due
from headway.mapping import Plan, by_coroutines, by_executor, by_joblib, end_tasks
from headway.track import Path, Track
from headway.tracked_file import TrackedFile, is_interruption
from headway.worker import address, host

if TYPE_CHECKING:
    from headway.event_logger import EventLogger

logger = logging.getLogger("headway")

Function = TypeVar("Function", bound=Callable[..., Any])
Item = TypeVar("Item")
Result = TypeVar("Result")

OnError = Literal["raise", "continue"]
"""What follows a file that failed, once that is reported: its exception goes on its way, or the next file is begun."""


class StageOptions(TypedDict, total=False):
    """What else a stage can be told; see `Stage`."""

    progress_interval: int | None
    gpu_ip: str | None
    on_error: OnError


class Role(Enum):
    """What a process has to do with the run of a stage."""

    ALONE = "begins it, does all of it and ends it with its own counts"
    FIRST = "begins and ends it, while others work on it too"
    JOINED = "works on it, and neither begins nor ends it"


class Stage:
    """One run of one stage, or this process's part in it; made by `EventLogger.stage` and `EventLogger.join`.

    A `with` or `async with` block. Leaving it reports `stage_complete`, unless an exception leaves it: then the stage
    has not completed, and says nothing. Thread-safe. While it is open, a thread says which files are in flight
    (HEADWAY_HEARTBEAT_S). A forked child must not use its parent's: it takes part by `EventLogger.join`.
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
        on_error: OnError = "raise",
        role: Role = Role.ALONE,
    ) -> None:
        """Describe the run; entering the `with` block begins it.

        Args:
            event_logger: reports the events.
            batch_id: the batch.
            name: the stage.
            total_files: None when it is not known.
            progress_interval: files between two checkpoints; by default by the total, see `intervals`.
            gpu_ip: where the files are processed; by default this machine's address.
            on_error: whether the exception of a file that failed goes on its way ("raise"), or the others go on
                ("continue"). The file is reported in both.
            role: what this process has to do with the run.

        Raises:
            InvalidArgument: `on_error` is neither.
        """
        if on_error not in {"raise", "continue"}:
            raise InvalidArgument("on_error", f"expected 'raise' or 'continue', got {on_error!r}")
        self.goes_on: Final = on_error == "continue"
        """Whether the next file is begun after one that failed."""
        self.in_flight: dict[int, str] = {}
        """The files begun and not ended yet, by whatever tells two of one name apart."""
        self._outcomes: dict[str, bool] = {}  # by file, whether it succeeded; about 100 bytes a file
        self._succeeded = 0
        self._logger = event_logger
        self._batch_id = batch_id
        self._name = name
        self._total = total_files
        self._every = default_interval(total_files) if progress_interval is None else progress_interval
        self._gpu_ip = gpu_ip
        self._role = role
        self._lock = threading.RLock()  # a signal handler may report a file amid another report
        self._at_checkpoint = 0
        self._checkpoint_s = time.monotonic()
        self._bar: Bar | None = None
        self._pulse: Pulse | None = None
        self._mappings: WeakSet[Generator[Any, None, None]] = WeakSet()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def processed_files(self) -> int:
        """Distinct files that succeeded in this process."""
        return self._succeeded

    @property
    def failed_files(self) -> int:
        """Distinct files that failed in this process, and have not succeeded since."""
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

    def file(self, path: str | os.PathLike[str]) -> TrackedFile:
        """A `with` or `async with` block for one file, which reports how it ended and how long it took.

        Example:
            >>> from headway.testing import RecordingLogger
            >>> with RecordingLogger().stage(123, "denoise", total_files=1) as stage:
            ...     with stage.file("audio001.wav") as file:
            ...         file.response = {"status": "success", "snrDb": 18.2}
            >>> stage.processed_files
            1
        """
        return TrackedFile(self, path)

    def track(self, paths: Iterable[Path] | AsyncIterable[Path]) -> Track[Path]:
        """Each of `paths` in turn, within this stage: for one of several processes, or of several loops."""
        return Track(self, paths, owns_stage=False)

    def wrap(
        self,
        function: Function,
        *,
        file: Callable[..., str | os.PathLike[str]] | None = None,
        response: Callable[[Any], Any] | None = None,
    ) -> Function:
        """`function`, or a coroutine function, each call of which is reported as a file; also a decorator.

        With `on_error="continue"` a call that failed returns None.

        Args:
            function: what a file goes through.
            file: the file's name, from the arguments of a call; by default its first argument.
            response: what there is to say of the file, from what the call returned; by default nothing.

        Raises:
            InvalidArgument: `function` is a generator, of which no call is ever over.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidArgument("function", f"expected a function or a coroutine function, got {function!r}")
        name = file or _first_argument

        def told(tracked: TrackedFile, result: Any) -> Any:
            if response is not None:
                tracked.response = response(result)
            return result

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.file(name(*args, **kwargs)) as tracked:
                return told(tracked, function(*args, **kwargs))

        @functools.wraps(function)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            with self.file(name(*args, **kwargs)) as tracked:
                return told(tracked, await function(*args, **kwargs))

        return acall if inspect.iscoroutinefunction(function) else call  # type: ignore[return-value]

    def map(
        self,
        executor: Executor | Any,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        limit: int | None = None,
        file: Callable[[Item], str | os.PathLike[str]] | None = None,
        response: Callable[[Result], Any] | None = None,
    ) -> Iterator[tuple[Item, Result]]:
        """`function` over `items`, by an executor's threads or processes, or by joblib: `(item, result)`, as they come.

        Runs while it is iterated. Files that failed are reported and left out; with `on_error="raise"` the first one's
        exception is raised. When the loop is left, by that or a `break`, items that have not begun are dropped, and
        those under way are waited for and reported (joblib stops them instead). A KeyboardInterrupt waits for nothing.
        Where the executor itself breaks, such as by the death of a process, its exception is raised in any case, and no
        file is reported for it. Files in flight, in heartbeats, are those submitted.

        Args:
            executor: a `concurrent.futures.Executor`, or `joblib.Parallel(return_as="generator_unordered")`.
            function: what a file goes through; for processes, one that can be pickled.
            items: the files; taken as there is room.
            limit: items submitted at a time; by default two for each of the executor's workers. joblib has its
                `pre_dispatch`, and keeps results that are not taken as fast as they come.
            file: the file's name, from an item that is no path itself.
            response: what there is to say of the file, from the result.

        Raises:
            InvalidArgument: joblib would give its results as a list, or `limit` is below 1.
        """
        _check_limit(limit)
        plan = Plan(self, function, file, response)
        if hasattr(executor, "submit"):
            found = by_executor(plan, executor, items, limit)
        else:
            found = by_joblib(plan, executor, items)
        self._mappings.add(found)
        return found

    def amap(
        self,
        function: Callable[[Item], Awaitable[Result]],
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        limit: int | None = None,
        file: Callable[[Item], str | os.PathLike[str]] | None = None,
        response: Callable[[Result], Any] | None = None,
    ) -> AsyncIterator[tuple[Item, Result]]:
        """A coroutine function over `items`, at most `limit` at a time: `(item, result)`, as they come.

        Runs while it is iterated; arguments and failures as in `map`. When the loop is left, the coroutines under way
        are cancelled, and their files not reported; at the latest when the stage's `async with` block ends.
        """
        _check_limit(limit)
        return by_coroutines(Plan(self, function, file, response), items, limit, self._tasks)

    def begin(self) -> None:
        """What entering the block does."""
        settings = self._logger.settings
        if self._role is not Role.JOINED:
            self._logger.stage_start(self._batch_id, self._name, self._total)
        if self._role is Role.FIRST:
            self._logger.flush(settings.close_timeout_s)  # or files of those who join could come before
        if settings.console:
            self._bar = Bar(self._name, self._total if self._role is Role.ALONE else None)  # others do part of it
        if not settings.disabled:
            self._gpu_ip = address() if self._gpu_ip is None else self._gpu_ip
            if settings.heartbeat_s:
                self._pulse = Pulse(
                    lambda: list(self.in_flight.values()),
                    self._beat,
                    every_s=settings.heartbeat_s,
                    changed_s=settings.heartbeat_changed_s,
                )
                heart.join(self._pulse)

    def end(self, error: BaseException | None = None) -> None:
        """What leaving the block does, by itself or by an exception."""
        if not is_interruption(error):
            for mapping in list(self._mappings):  # left by `break`, and still held by a variable
                mapping.close()
        for task in list(self._tasks):
            task.cancel()
        if self._pulse is not None:
            heart.leave(self._pulse)
        if self._bar is not None:
            self._bar.close()
        if error is not None:
            logger.info(
                "Stage %s of batch %s is left unfinished: %d processed, %d failed",
                *(self._name, self._batch_id, self.processed_files, self.failed_files),
                extra={"action": "stage_left", "batch_id": self._batch_id},
            )
        elif self._role is Role.ALONE:
            self._logger.stage_complete(
                self._batch_id, self._name, self.processed_files, self.failed_files, self._total
            )
        elif self._role is Role.FIRST:
            self._logger.stage_complete(self._batch_id, self._name, total_files=self._total)
        else:
            self._logger.flush(self._logger.settings.close_timeout_s)  # or the stage could be ended before

    def __enter__(self) -> Stage:
        self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end(error)

    async def __aenter__(self) -> Stage:
        await self._apart(self.begin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await end_tasks(list(self._tasks))
        await self._apart(functools.partial(self.end, error))

    async def _apart(self, step: Callable[[], None]) -> None:
        """Do what may wait for Kafka without holding the event loop up."""
        if self._role is Role.ALONE:
            step()
        else:
            await asyncio.to_thread(step)

    def _beat(self, files: list[str], more: int) -> None:
        self._logger.worker_heartbeat(
            self._batch_id,
            self._name,
            self._logger.worker,
            files,
            more_in_flight=more,
            host=host(),
            gpus=sampler.visible,
        )

    def _count(self, file_name: str | os.PathLike[str], *, succeeded: bool) -> None:
        """As the fold counts: a file once, and a success for good."""
        name = os.fspath(file_name)
        with self._lock:
            before = self._outcomes.get(name)
            self._outcomes[name] = succeeded or bool(before)
            self._succeeded += succeeded and not before
            if self._bar is not None:
                self._bar.show(len(self._outcomes), self.failed_files)
            if self._role is Role.ALONE:
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


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise InvalidArgument("limit", f"expected at least 1, got {limit!r}")


def _first_argument(*args: Any, **kwargs: Any) -> Any:
    return next(iter([*args, *kwargs.values()]), None)
