"""Celery: a task that processes one file reports it, whatever becomes of the task.

Reported are a task's last outcome (an attempt that Celery will retry is none), a revoked or expired task as failed, a
task whose process was lost or whose time was up as failed unless Celery runs it again, and what a worker is busy with.
All of it comes from Celery's signals, whose receivers can neither fail nor delay a task. Nothing here begins a stage:
that is for whoever knows how many files there are.
"""

from __future__ import annotations

import inspect
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from headway.arguments import check_batch, file_name_text
from headway.errors import InvalidArgument, MissingExtra
from headway.event_logger import EventLogger
from headway.integrations.remote_run import HEARTBEAT_EVERY_S

try:
    from celery import signals
    from celery.result import ResultSet
except ImportError as error:
    raise MissingExtra("celery") from error

POLL_S: Final = 0.1  # between two looks at a result, where the backend does not send it
SHUTDOWN_S: Final = 1.0  # a pool process that is replaced holds up tasks; what Kafka has not taken waits on disk
SETTLE_S: Final = 0.5  # Celery stores a result before it sends `task_success`: the last file's event is on its way

Function = TypeVar("Function", bound=Callable[..., Any])


class _File(NamedTuple):
    batch_id: int
    stage: str
    name: str


class _Marks(NamedTuple):
    """Where to find in a task's call what it processes."""

    stage: str
    batch_id: str
    file_name: str


def file_task(*, stage: str, batch_id: str = "batch_id", file_name: str = "path") -> Callable[[Function], Function]:
    """Below `@app.task`: each task of this function processes one file of a stage.

    What the function returns is the file's response, and with `"status": "error"` in it the file has failed.

    Args:
        stage: the stage.
        batch_id: the parameter of the function that says which batch the file belongs to.
        file_name: the parameter that names the file.

    Raises:
        InvalidArgument: the function has no such parameter.
    """

    def mark(function: Function) -> Function:
        parameters = inspect.signature(function).parameters
        for argument, parameter in (("batch_id", batch_id), ("file_name", file_name)):
            if parameter not in parameters:
                raise InvalidArgument(argument, f"{function.__qualname__} has no parameter {parameter!r}")
        function.__headway__ = _Marks(stage, batch_id, file_name)  # type: ignore[attr-defined]
        return function

    return mark


def complete_stage(results: ResultSet, batch_id: int, stage: str, *, timeout_s: float | None = None) -> None:
    """Wait until all these tasks have ended, one for each file of the stage, and report its final counts.

    Raises:
        celery.exceptions.TimeoutError: they have not ended in time.
    """
    outcomes = results.join(timeout=timeout_s, interval=POLL_S, propagate=False)
    failed = sum(_is_failure(outcome) for outcome in outcomes)
    time.sleep(SETTLE_S)
    EventLogger.stage_complete(batch_id, stage, len(outcomes) - failed, failed, len(outcomes))


def _is_failure(outcome: object) -> bool:
    return isinstance(outcome, BaseException) or (isinstance(outcome, dict) and outcome.get("status") == "error")


def _file_of(task: Any, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> _File | None:
    """The file that a call of this task processes, or None if the task is not marked."""
    marks = getattr(task.run, "__headway__", None)
    if marks is None:
        return None
    given = inspect.signature(task.run).bind(*(args or ()), **(kwargs or {}))
    given.apply_defaults()
    arguments = given.arguments
    return _File(check_batch(arguments[marks.batch_id]), marks.stage, file_name_text(arguments[marks.file_name]))


def _on_success(sender: Any, result: Any = None, runtime: float | None = None, **_: Any) -> None:
    if file := _file_of(sender, sender.request.args, sender.request.kwargs):
        took_ms = None if runtime is None else runtime * 1000
        EventLogger.file_complete(*file, socket.gethostname(), result, duration_ms=took_ms)


def _on_failure(sender: Any, exception: BaseException, args: Any = None, kwargs: Any = None, **_: Any) -> None:
    if file := _file_of(sender, args, kwargs):
        EventLogger.file_error(*file, exception, socket.gethostname())


def _on_revoked(sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
    if file := _file_of(sender, request.args, request.kwargs):
        reason = "expired before it ran" if expired else "terminated" if terminated else "revoked before it ran"
        EventLogger.file_error(*file, f"The task was {reason}", socket.gethostname())


def _on_process_shutdown(**_: Any) -> None:
    EventLogger.close(SHUTDOWN_S)  # pool processes end without `atexit`


class _Heartbeats:
    """Of a worker's main process, which knows what the pool is busy with: paced by Celery's own heartbeats.

    Where it has become idle it says so once: a file that waits for its next attempt is in flight nowhere.
    """

    def __init__(self) -> None:
        self._due_s = 0.0
        self._busy: set[tuple[int, str]] = set()  # the batches and stages in which it was, the last time

    def __call__(self, sender: Any, **_: Any) -> None:
        if time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + HEARTBEAT_EVERY_S
        from celery.worker.state import active_requests  # noqa: PLC0415 - slow to import, for workers alone

        in_flight: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        for request in list(active_requests):
            if file := _file_of(request.task, request.args, request.kwargs):
                in_flight[file.batch_id, file.stage].append(file.name)
        for batch_id, stage in self._busy | in_flight.keys():
            EventLogger.worker_heartbeat(batch_id, stage, sender.eventer.hostname, in_flight.get((batch_id, stage), []))
        self._busy = set(in_flight)


signals.task_success.connect(_on_success)
signals.task_failure.connect(_on_failure)
signals.task_revoked.connect(_on_revoked)
signals.worker_process_shutdown.connect(_on_process_shutdown)
signals.heartbeat_sent.connect(_Heartbeats(), weak=False)
