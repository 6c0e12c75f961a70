"""A function over many files: by an executor's threads or processes, by joblib, or as coroutines; bounded in each.

The process that maps reports every file; those that it gives work to need no logger, and only take the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import time
import traceback
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from headway.errors import InvalidArgument
from headway.tracked_file import TrackedFile, is_interruption

if TYPE_CHECKING:
    from headway.stage import Stage

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT_A_WORKER: Final = 2  # one under way, one that is there when it ends
DEFAULT_LIMIT: Final = 2 * (os.cpu_count() or 1)


class Plan(msgspec.Struct, Generic[Item, Result], frozen=True):
    """What a mapping does with each item."""

    stage: Stage
    function: Callable[[Item], Result]
    file_of: Callable[[Item], str | os.PathLike[str]] | None
    response_of: Callable[[Any], Any] | None

    def file(self, item: Item) -> TrackedFile:
        """The item's file, not begun yet."""
        return self.stage.file(item if self.file_of is None else self.file_of(item))  # type: ignore[arg-type]

    def end(self, file: TrackedFile, attempt: Attempt[Result]) -> bool:
        """Report how the item's file went; whether it succeeded.

        Raises:
            Exception: it failed, and the stage does not go on after a failure.
        """
        error = attempt.error
        if error is None and self.response_of is not None:
            try:
                file.response = self.response_of(attempt.result)
            except Exception as failure:  # noqa: BLE001 - as if the function had raised it
                error = failure
        succeeded = file.end(error, duration_ms=attempt.seconds * 1000)
        if error is not None and not self.stage.goes_on:
            raise error
        return succeeded


class Attempt(Generic[Result]):
    """What came of one call of the function, wherever it ran; it can be sent to another process."""

    def __init__(self, seconds: float, result: Any = None, error: Exception | None = None) -> None:
        """Keep what there is: how long it took, and the result or the exception."""
        self.seconds = seconds
        self.result: Result = result
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        if self.error is None:
            return Attempt, (self.seconds, self.result)
        return _failed_elsewhere, (
            self.seconds,
            _that_can_be_made_again(self.error),
            "".join(traceback.format_exception(self.error)),
        )


class _RemoteTraceback(Exception):
    """The cause of an exception of another process: its traceback as text, which is all that can be sent of one."""

    def __init__(self, text: str) -> None:
        super().__init__(f'\n"""\n{text}"""')


def _that_can_be_made_again(error: Exception) -> Exception:
    """`error`, if what it says of how to make it anew works; else one that says the same. In the process that waits
    for it the failure to do so would break the whole executor."""
    try:
        copy.copy(error)
    except Exception:  # noqa: BLE001 - most often a TypeError of its __init__
        return RuntimeError("".join(traceback.format_exception_only(error)).strip())
    return error


def _failed_elsewhere(seconds: float, error: Exception, text: str) -> Attempt[Any]:
    error.__cause__ = _RemoteTraceback(text)
    return Attempt(seconds, error=error)


def attempt(function: Callable[[Item], Result], item: Item) -> Attempt[Result]:
    """Call the function. What interrupts it (KeyboardInterrupt, SystemExit) goes on its way."""
    begin_s = time.perf_counter()
    try:
        result = function(item)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the file's failure
        return Attempt(time.perf_counter() - begin_s, error=error)
    return Attempt(time.perf_counter() - begin_s, result)


def _numbered(number: int, function: Callable[[Item], Result], item: Item) -> tuple[int, Attempt[Result]]:
    return number, attempt(function, item)


def by_executor(
    plan: Plan[Item, Result], executor: Executor, items: Iterable[Item], limit: int | None
) -> Generator[tuple[Item, Result], None, None]:
    """The items that succeeded with their results, as they come; at most `limit` of them are submitted at a time."""
    most = limit or IN_FLIGHT_A_WORKER * getattr(executor, "_max_workers", DEFAULT_LIMIT)
    running: dict[Future[Attempt[Result]], tuple[Item, TrackedFile]] = {}
    finished: SimpleQueue[Future[Attempt[Result]]] = SimpleQueue()  # `wait` would not see what a shutdown cancels
    left = iter(items)
    is_read = False
    try:
        while not is_read or running:
            while not is_read and len(running) < most:
                for item in left:
                    file = plan.file(item)
                    future = executor.submit(attempt, plan.function, item)
                    running[future] = (item, file)
                    file.begin()
                    future.add_done_callback(finished.put)
                    break
                else:
                    is_read = True
            if running:
                future = finished.get()
                item, file = running.pop(future)
                made = _made_by(future, file)
                if plan.end(file, made):
                    yield item, made.result
    except (Exception, GeneratorExit):
        _finish(plan, running)
        raise
    finally:
        for future, (_, file) in running.items():
            future.cancel()
            file.withdraw()


def _made_by(future: Future[Attempt[Result]], file: TrackedFile) -> Attempt[Result]:
    """What a future made of its file. What an executor could not send to or from its processes failed.

    Raises:
        BaseException: the future was interrupted, or its executor is broken: of the file nothing is known.
    """
    try:
        return future.result()
    except BaseException as raised:  # noqa: BLE001 - what it means is told below
        error = raised
    if is_interruption(error) or isinstance(error, BrokenExecutor):
        file.withdraw()
        raise error
    assert isinstance(error, Exception)
    return Attempt(0.0, error=error)


def _finish(plan: Plan[Item, Result], running: dict[Future[Attempt[Result]], tuple[Item, TrackedFile]]) -> None:
    """The loop is left: drop what has not begun, wait for what has, and report how that went."""
    begun = [future for future in running if not future.cancel()]
    for future in wait(begun).done:
        _, file = running.pop(future)
        if future.exception() is None:
            with contextlib.suppress(Exception):  # reported as any other; what is raised is why the loop is left
                plan.end(file, future.result())
        else:
            file.withdraw()


def by_joblib(
    plan: Plan[Item, Result], parallel: Any, items: Iterable[Item]
) -> Generator[tuple[Item, Result], None, None]:
    """The items that succeeded with their results, in the order that `parallel` gives; it bounds how many it takes.

    Raises:
        InvalidArgument: `parallel` would give nothing before all files are done.
    """
    if not getattr(parallel, "return_generator", False):
        expected = "expected return_as='generator_unordered' (or 'generator'), as a list comes only once all is done"
        raise InvalidArgument("executor", expected)
    running: dict[int, tuple[Item, TrackedFile]] = {}

    def jobs() -> Iterator[Any]:
        for number, item in enumerate(items):
            file = plan.file(item)
            running[number] = (item, file)
            file.begin()
            yield _numbered, (number, plan.function, item), {}

    results = parallel(jobs())
    try:
        for number, made in results:
            item, file = running.pop(number)
            if plan.end(file, made):
                yield item, made.result
    finally:
        try:
            results.close()  # stops what is under way, and warns of it
        finally:
            for _, file in list(running.values()):
                file.withdraw()


async def by_coroutines(
    plan: Plan[Item, Awaitable[Result]],
    items: Iterable[Item] | AsyncIterable[Item],
    limit: int | None,
    tasks: set[asyncio.Task[Any]],
) -> AsyncIterator[tuple[Item, Result]]:
    """The items that succeeded with their results, as they come; at most `limit` coroutines run at a time.

    `tasks` are those of the stage, which ends them when its own block is left.
    """
    source = _async_iterator(items)
    running: dict[asyncio.Task[tuple[bool, Any]], Item] = {}
    fetching: asyncio.Task[Any] | None = None
    is_read = False
    try:
        while running or not is_read:
            if fetching is None and not is_read and len(running) < (limit or DEFAULT_LIMIT):
                fetching = _started(_next(source), tasks)
            waited = {*running, fetching} if fetching is not None else set(running)
            done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if fetching is not None and fetching in done:
                item = fetching.result()
                fetching, is_read = None, item is _END
                if not is_read:
                    running[_started(_run(plan, item), tasks)] = item
            for task in done & running.keys():
                item = running.pop(task)
                succeeded, result = task.result()
                if succeeded:
                    yield item, result
    finally:
        await end_tasks([*running, *([fetching] if fetching is not None else [])])


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    cancelled = [task for task in tasks if task.cancel()]
    await asyncio.gather(*cancelled, return_exceptions=True)


async def _run(plan: Plan[Item, Awaitable[Result]], item: Item) -> tuple[bool, Any]:
    """One coroutine, as the block of its file; whether it succeeded, and its result."""
    file = plan.file(item)
    file.begin()
    try:
        result = await plan.function(item)
        if plan.response_of is not None:
            file.response = plan.response_of(result)
    except BaseException as error:
        if is_interruption(error):
            file.withdraw()
            raise
        file.end(error)
        if not plan.stage.goes_on:
            raise
        return False, None
    return file.end(), result


def _started(work: Any, tasks: set[asyncio.Task[Any]]) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


_END: Final = object()


async def _next(source: AsyncIterator[Any]) -> Any:
    return await anext(source, _END)


async def _async_iterator(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[Item]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
