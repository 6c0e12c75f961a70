"""Dask: `map_files` is `Client.map`, with a plugin in the scheduler that reports what becomes of each file.

The scheduler learns first, and in order, how every task ended: an attempt that it repeats (`retries`, a worker that
died) is no outcome, a task that is cancelled has failed. The plugin reads the state of tasks and changes none.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from uuid import uuid4

from headway.arguments import check_batch, file_name_text
from headway.errors import InvalidArgument, MissingExtra
from headway.integrations.remote_run import HEARTBEAT_EVERY_S, RemoteRun

try:
    from distributed import Client, Future, Scheduler, SchedulerPlugin
    from distributed.comm.addressing import get_address_host
    from distributed.protocol import pickle
    from tornado.ioloop import PeriodicCallback
except ImportError as error:
    raise MissingExtra("dask") from error

SEEN_WITHIN_S: Final = 30.0  # a worker that the scheduler has not heard of for longer may be gone


def map_files(
    client: Client,
    function: Callable[..., Any],
    paths: Iterable[str | os.PathLike[str]],
    *,
    batch_id: int,
    stage: str,
    **options: Any,
) -> list[Future[Any]]:
    """Submit `function(path)` for each path as one run of a stage; the futures, as from `Client.map`.

    Headway must be installed where the scheduler runs, and its settings come from that process's environment.

    Args:
        client: a blocking client.
        function: processes one file.
        paths: the files.
        batch_id: the batch.
        stage: the stage.
        **options: for `Client.map`, such as `retries` and `resources`.

    Raises:
        InvalidArgument: the client does not block, or what is to be reported cannot be.
    """
    if client.asynchronous:
        raise InvalidArgument("client", "expected a blocking client, got an asynchronous one")
    files = list(paths)
    group = f"{stage}-{uuid4().hex}"
    names = {(group, number): file_name_text(path) for number, path in enumerate(files)}
    client.register_plugin(_RunReporter(group, check_batch(batch_id), stage, names))
    return client.map(function, files, key=list(names), **options)


class _RunReporter(SchedulerPlugin):
    """Reports one run, in the scheduler's process, and goes away with it."""

    def __init__(self, name: str, batch_id: int, stage: str, names: Mapping[tuple[str, int], str]) -> None:
        self.name = name
        self._batch_id = batch_id
        self._stage = stage
        self._names = names
        self._open = set(names)
        self._busy: set[str] = set()  # the addresses of the workers that ran a file at the last heartbeats

    async def start(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._run = RemoteRun(self._batch_id, self._stage, len(set(self._names.values())))
        self._heartbeats = PeriodicCallback(self._beat, HEARTBEAT_EVERY_S * 1000)
        self._heartbeats.start()
        if not self._open:
            asyncio.get_running_loop().call_soon(self._end)  # once the scheduler has added the plugin

    async def close(self) -> None:
        self._heartbeats.stop()

    def transition(self, key: Any, start: str, finish: str, *_: Any, stimulus_id: str, **told: Any) -> None:
        if key not in self._open or finish not in {"memory", "erred", "forgotten"}:
            return
        self._open.discard(key)
        name = self._names[key]
        worker = told.get("worker")
        where = get_address_host(worker) if worker else None
        if finish == "memory":
            self._run.done(name, where, _computed_ms(told.get("startstops") or []))
        elif finish == "erred":
            self._failed(name, where, **told)
        else:
            self._run.failed(name, "The task was cancelled")
        if not self._open:
            self._end()

    def _failed(
        self,
        name: str,
        where: str | None,
        *,
        exception: object = None,
        exception_text: str = "",
        traceback_text: str = "",
        **_: Any,
    ) -> None:
        if isinstance(exception, bytes):  # the scheduler's own: a worker that died, or none that may run the task
            self._run.failed(name, pickle.loads(exception), where)  # type: ignore[no-untyped-call]
        else:
            kind = exception_text.partition("(")[0]
            self._run.failed(name, exception_text, where, kind=kind, traceback=traceback_text)

    def _end(self) -> None:
        self._run.complete()
        self._heartbeats.stop()
        self._scheduler.remove_plugin(name=self.name)

    def _beat(self) -> None:
        """For each worker that the scheduler hears from and that runs a file, or did so the last time."""
        busy = set()
        for worker in list(self._scheduler.workers.values()):
            names = [self._names[task.key] for task in worker.executing if task.key in self._open]
            if (names or worker.address in self._busy) and time.time() - worker.last_seen < SEEN_WITHIN_S:
                self._run.beat(worker.address, names)
            if names:
                busy.add(worker.address)
        self._busy = busy


def _computed_ms(startstops: Iterable[Mapping[str, Any]]) -> float | None:
    computed = [(one["stop"] - one["start"]) * 1000 for one in startstops if one["action"] == "compute"]
    return sum(computed) if computed else None
