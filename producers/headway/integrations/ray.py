"""Ray: `map_files` runs a function over files as remote tasks, and reports each when its task has ended.

The driver reports. What Ray repeats by itself (`max_retries` after a worker died, `retry_exceptions`) is no outcome; a
task that is cancelled, or whose worker died once too often, has failed.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from typing import Any, Final, TypeVar, cast

from headway.arguments import check_batch, file_name_text
from headway.errors import MissingExtra
from headway.integrations.remote_run import HEARTBEAT_EVERY_S, RemoteRun

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ImportError as error:
    raise MissingExtra("ray") from error


_COLOUR: Final = re.compile("\x1b\\[[0-9]*m")  # which Ray puts into its tracebacks

Path = TypeVar("Path", bound=str | os.PathLike[str])


def map_files(
    function: Callable[[Path], Any],
    paths: Iterable[Path],
    *,
    batch_id: int,
    stage: str,
    in_flight: int = 1_000,
    **options: Any,
) -> Iterator[tuple[Path, ray.ObjectRef[Any]]]:
    """Run `function(path)` for each path as one run of a stage; each path with its result, in the order of ending.

    `ray.get` of a result raises what the function raised. Where the iteration is given up, the stage is left without an
    end, to be seen as stalled.

    Args:
        function: processes one file; a plain function.
        paths: the files.
        batch_id: the batch.
        stage: the stage.
        in_flight: the most tasks at a time that Ray is given, running or waiting.
        **options: of `ray.remote`, such as `num_gpus` and `max_retries`.

    Raises:
        InvalidArgument: what is to be reported cannot be.
    """
    task = ray.remote(**{**options, "num_returns": 2})(_measured(function))
    waiting = iter(paths)
    run = RemoteRun(check_batch(batch_id), stage, len(paths) if isinstance(paths, Sized) else None)
    running: dict[ray.ObjectRef[Any], tuple[Path, str, ray.ObjectRef[Any]]] = {}
    while True:
        for path in islice(waiting, in_flight - len(running)):
            name = file_name_text(path)
            measured, result = cast("list[ray.ObjectRef[Any]]", task.remote(path))
            running[measured] = path, name, result
        if not running:
            break
        for measured in _ended(list(running), run):
            path, name, result = running.pop(measured)
            _report(run, name, measured)
            yield path, result
    run.complete()


def _measured(function: Callable[[Path], Any]) -> Callable[[Path], tuple[tuple[str, float], Any]]:
    """The function with, apart from its result, the node that ran it and the milliseconds that it took."""

    @functools.wraps(function)
    def measured(path: Path) -> tuple[tuple[str, float], Any]:
        began = time.perf_counter()
        result = function(path)
        took_ms = (time.perf_counter() - began) * 1000
        return (ray.util.get_node_ip_address(), took_ms), result  # type: ignore[no-untyped-call]

    return measured


def _ended(running: list[ray.ObjectRef[Any]], run: RemoteRun) -> list[ray.ObjectRef[Any]]:
    """Those that have ended, at least one: heartbeats meanwhile."""
    while not ray.wait(running, num_returns=1, timeout=HEARTBEAT_EVERY_S, fetch_local=False)[0]:
        run.beat(f"{socket.gethostname()}/{os.getpid()}", [])
    ended: list[ray.ObjectRef[Any]] = ray.wait(running, num_returns=len(running), timeout=0, fetch_local=False)[0]
    return ended


def _report(run: RemoteRun, name: str, measured: ray.ObjectRef[Any]) -> None:
    try:
        where, took_ms = ray.get(measured)
    except RayTaskError as error:
        run.failed(name, error.cause, traceback=_COLOUR.sub("", str(error)))
    except RayError as error:
        run.failed(name, error)
    else:
        run.done(name, where, took_ms)
