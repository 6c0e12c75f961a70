"""A loop over files, as one run of a stage: a file is done when the next is asked for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from headway.tracked_file import TrackedFile, is_interruption

if TYPE_CHECKING:
    from headway.stage import Stage

Path = TypeVar("Path", bound=str | os.PathLike[str])


class Track(Generic[Path]):
    """The paths of a stage in turn, for a `for` or `async for` loop; made by `EventLogger.track` and `Stage.track`.

    A loop does not learn of an exception in its body. A file that may fail says so itself:

        for path in (files := logger.track(paths, batch_id=123, stage="denoise")):
            try:
                denoise(path)
            except OSError as error:
                files.current.failed(error)

    or the loop stands in a `with` block of this object, which reports the file that an exception came from as failed.
    Left in any other way (`break`, `return`, an exception without such a block, an interruption) the file of the
    current turn is not reported, as nobody knows how it ended, and a stage that the loop itself began is not complete.
    """

    def __init__(self, stage: Stage, paths: Iterable[Path] | AsyncIterable[Path], *, owns_stage: bool) -> None:
        """Describe the loop; the first turn begins the stage, if the loop `owns_stage`, and its end completes it."""
        self._stage = stage
        self._paths = paths
        self._owns_stage = owns_stage
        self._source: Iterator[Path] | None = None
        self._async_source: AsyncIterator[Path] | None = None
        self._current: TrackedFile | None = None
        self._is_open = False
        self._is_over = False

    @property
    def current(self) -> TrackedFile:
        """The file of the current turn, to set its `response` or say that it `failed`."""
        if self._current is None:
            raise LookupError("There is no current file outside the loop")
        return self._current

    def close(self) -> None:
        """Leave the loop where it is, as a `break` does."""
        self._leave(GeneratorExit())

    def __iter__(self) -> Track[Path]:
        return self

    def __next__(self) -> Path:
        if self._source is None:
            self._source = iter(self._paths)  # type: ignore[arg-type]  # of async ones it says what they are
        try:
            self._turn()
            return self._begun(next(self._source))
        except StopIteration:
            self._leave(None)
            raise
        except BaseException as error:
            self._leave(error)
            raise

    def __aiter__(self) -> Track[Path]:
        return self

    async def __anext__(self) -> Path:
        if not isinstance(self._paths, AsyncIterable):
            try:
                return next(self)
            except StopIteration:
                raise StopAsyncIteration from None
        if self._async_source is None:
            self._async_source = aiter(self._paths)
        try:
            self._turn()
            return self._begun(await anext(self._async_source))
        except StopAsyncIteration:
            self._leave(None)
            raise
        except BaseException as error:
            self._leave(error)
            raise

    def __enter__(self) -> Track[Path]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None and self._current is not None and not is_interruption(error):
            self._current.end(error)
            self._current = None
        self._leave(error or GeneratorExit())

    async def __aenter__(self) -> Track[Path]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, at)

    def __del__(self) -> None:
        self.close()

    def _turn(self) -> None:
        """The turn before is over; the first one begins the stage.

        Raises:
            StopIteration, StopAsyncIteration: so is the loop.
        """
        if self._current is not None:
            file, self._current = self._current, None
            file.end()
        if self._is_over:
            raise StopAsyncIteration if self._source is None else StopIteration
        if not self._is_open:
            self._is_open = True
            if self._owns_stage:
                self._stage.begin()

    def _begun(self, path: Path) -> Path:
        self._current = self._stage.file(path)
        self._current.begin()
        return path

    def _leave(self, error: BaseException | None) -> None:
        """The loop is over: by itself (None), or left by an exception."""
        if self._current is not None:
            self._current.withdraw()
            self._current = None
        if self._is_open and not self._is_over and self._owns_stage:
            self._stage.end(error)
        self._is_over = True
