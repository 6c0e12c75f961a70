"""The forms in which a pipeline's own code is tracked: the part of EventLogger that makes stages and loops."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sized
from typing import TYPE_CHECKING, Unpack, cast

from headway.errors import InvalidArgument
from headway.on_class import on_class_or_instance
from headway.stage import Role, Stage, StageOptions
from headway.track import Path, Track

if TYPE_CHECKING:
    from headway.event_logger import EventLogger


class StageForms:
    """What EventLogger inherits; each works on the class and on an instance."""

    @on_class_or_instance
    def stage(
        self,
        /,
        batch_id: int,
        stage: str,
        total_files: int | None = None,
        *,
        shared: bool = False,
        **options: Unpack[StageOptions],
    ) -> Stage:
        """A `with` block for one run of a stage: start, checkpoints and final counts are reported by themselves.

        `shared`: other processes take part, by `join`. Then the final counts are those of all files reported, by
        whomever: entering the block waits until Kafka has the start (at most HEADWAY_CLOSE_TIMEOUT_S), so that nobody
        who is started after that comes before it, and it must be left after the others have left theirs. `options` are
        those of `Stage`.
        """
        role = Role.FIRST if shared else Role.ALONE
        return Stage(self._as_logger(), batch_id, stage, total_files=total_files, role=role, **options)

    @on_class_or_instance
    def join(self, /, batch_id: int, stage: str, **options: Unpack[StageOptions]) -> Stage:
        """A `with` block for one process's part in a stage that another begins and ends by `stage(..., shared=True)`.

        Leaving it waits until Kafka has this process's events (at most HEADWAY_CLOSE_TIMEOUT_S), so that whoever ends
        the stage afterwards ends it after them.
        """
        return Stage(self._as_logger(), batch_id, stage, role=Role.JOINED, **options)

    @on_class_or_instance
    def track(
        self,
        /,
        paths: Iterable[Path] | AsyncIterable[Path],
        *,
        batch_id: int,
        stage: str,
        total_files: int | None = None,
        **options: Unpack[StageOptions],
    ) -> Track[Path]:
        """Each of `paths` in turn, as one run of a stage: a path is done when the next is asked for; see `Track`.

        For `for` and `async for`. `total_files` is the length of `paths`, where they have one.

        Raises:
            InvalidArgument: `on_error` is given: Python does not let a loop go on after an exception in its body.
        """
        if "on_error" in options:
            raise InvalidArgument("on_error", "a loop cannot go on by itself; use `current.failed`, or `Stage.file`")
        if total_files is None and isinstance(paths, Sized):
            total_files = len(paths)
        return Track(
            Stage(self._as_logger(), batch_id, stage, total_files=total_files, **options), paths, owns_stage=True
        )

    def _as_logger(self) -> EventLogger:
        return cast("EventLogger", self)
