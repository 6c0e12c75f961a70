"""One file on its way through a stage: how long it takes, and how it ends."""

from __future__ import annotations

import os
import time
from concurrent.futures import CancelledError
from types import TracebackType
from typing import TYPE_CHECKING, Any

from headway.arguments import file_name_text

if TYPE_CHECKING:
    from headway.stage import Stage


class TrackedFile:
    """A `with` or `async with` block for one file; made by `Stage.file`.

    Leaving the block reports the file as done, with the time that it took. An exception (an `Exception`, that is)
    reports it as failed, with type, message and traceback, and goes on its way unless the stage has
    `on_error="continue"`. An interruption says nothing of the file and reports nothing: KeyboardInterrupt, SystemExit,
    GeneratorExit, a cancellation.
    """

    def __init__(self, stage: Stage, path: str | os.PathLike[str]) -> None:
        """Name the file; entering the block begins it."""
        self.name = file_name_text(path)
        """What it is called in the stage."""
        self.response: Any = None
        """What there is to say of it, set by the pipeline; with the `status` "error" the file has failed."""
        self._stage = stage
        self._error: BaseException | str | None = None
        self._begin_s = 0.0

    def failed(self, error: BaseException | str) -> None:
        """Report the file as failed when its block ends, though no exception leaves it."""
        self._error = error

    def begin(self) -> None:
        """The file is in flight from here on."""
        self._stage.in_flight[id(self)] = self.name
        self._begin_s = time.perf_counter()

    def end(self, error: BaseException | str | None = None, *, duration_ms: float | None = None) -> bool:
        """The file is done, or failed with `error`; how long it took is measured here where it is not given.

        Returns:
            Whether it succeeded.
        """
        taken_ms = (time.perf_counter() - self._begin_s) * 1000 if duration_ms is None else duration_ms
        error = self._error if error is None else error
        self.withdraw()
        if error is not None:
            self._stage.failed(self.name, error, duration_ms=taken_ms)
            return False
        self._stage.done(self.name, self.response, duration_ms=taken_ms)
        return True

    def withdraw(self) -> None:
        """The file was interrupted: it is in flight no more, and nothing is said of it."""
        self._stage.in_flight.pop(id(self), None)

    def __enter__(self) -> TrackedFile:
        self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if is_interruption(error):
            self.withdraw()
            return False
        self.end(error)
        return error is not None and self._stage.goes_on

    async def __aenter__(self) -> TrackedFile:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool:
        return self.__exit__(kind, error, at)


def is_interruption(error: BaseException | None) -> bool:
    """Whether `error` says that work was stopped, not that it failed."""
    return error is not None and (not isinstance(error, Exception) or isinstance(error, CancelledError))
