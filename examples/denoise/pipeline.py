"""Runs files through the three stages on several processes, and reports every one of them with an EventLogger.

One stage after the other: a file that fails in one does not go on to the next, of which the total is the number of
survivors. Only this process reports, in the order in which files are done.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headway import EventLogger, Stage

from examples.denoise import stages
from examples.denoise.counts import Counts

THIS_MACHINE = "127.0.0.1"  # reported as where the files are processed

Work = Callable[[Path, Path], stages.Response]
Watch = Callable[[str, Counts], None]


@dataclass(frozen=True)
class Step:
    """A stage of the pipeline: its name, what it does to a file, where it does it, and how its files end."""

    name: str
    work: Work
    pool: Executor
    suffix: str = ""


def cuda_device() -> str | None:
    """The device for denoising if torch is installed and sees a GPU, else None."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch  # type: ignore[import-not-found]  # noqa: PLC0415 - optional, and slow to import

    return "cuda" if torch.cuda.is_available() else None


def run(
    files: Mapping[str, Path],
    folder: Path,
    *,
    logger: EventLogger,
    batch_id: int,
    workers: int,
    device: str | None = None,
    watch: Watch = lambda stage, counts: None,
) -> dict[str, Counts]:
    """Process files (by the name that they are reported under) into a folder; the counts of each stage.

    The folder has one folder for each stage; when a stage has ended, what it read is deleted, so that the encoded
    files are left. `watch` is told the counts of the stage under way, at first and after each file.

    Raises:
        BrokenProcessPool: a worker process died. The stage is then left without an end, as it is.
    """
    with ExitStack() as stack:
        pool = stack.enter_context(_pool(workers))
        denoisers = stack.enter_context(_pool(1)) if device else pool  # one process has the GPU's memory to itself
        counts = {}
        for step in _steps(pool, denoisers, device):
            with logger.stage(batch_id, step.name, total_files=len(files), gpu_ip=THIS_MACHINE) as stage:
                survivors = _run_stage(step, files, folder / step.name, stage, partial(watch, step.name))
            counts[step.name] = Counts(len(files), len(survivors), len(files) - len(survivors))
            if len(counts) > 1:
                shutil.rmtree(folder / list(counts)[-2])
            files = survivors
        return counts


def _steps(pool: Executor, denoisers: Executor, device: str | None) -> list[Step]:
    return [
        Step("denoise", partial(stages.denoise, device=device), denoisers),
        Step("normalise", stages.normalise, pool),
        Step("encode", stages.encode, pool, suffix=".flac"),
    ]


def _run_stage(
    step: Step, files: Mapping[str, Path], folder: Path, stage: Stage, watch: Callable[[Counts], None]
) -> dict[str, Path]:
    """The files that survive a stage, in the order of `files`; all of them are reported to `stage`."""
    targets = {name: folder / f"{name}{step.suffix}" for name in files}
    for parent in {target.parent for target in targets.values()} | {folder}:
        parent.mkdir(parents=True, exist_ok=True)
    futures = {step.pool.submit(_timed, step.work, files[name], targets[name]): name for name in files}
    survivors = set()
    watch(Counts(len(files)))
    for done, future in enumerate(as_completed(futures), start=1):
        name = futures[future]
        if _report(stage, name, future):
            survivors.add(name)
        watch(Counts(len(files), len(survivors), done - len(survivors)))
    return {name: target for name, target in targets.items() if name in survivors}


def _report(stage: Stage, name: str, future: Future[tuple[stages.Response, float]]) -> bool:
    """Report one file that is done; whether it succeeded."""
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise error
    if error is not None:
        stage.failed(name, error)
        return False
    response, duration_ms = future.result()
    stage.done(name, response, duration_ms=duration_ms)
    return True


def _timed(work: Work, source: Path, target: Path) -> tuple[stages.Response, float]:
    """What the work says of a file, and the milliseconds that it took. Runs in a worker process.

    The target appears when it is whole; of a file that fails nothing is left.
    """
    part = target.with_name(f"{target.name}.part")
    began = time.perf_counter()
    try:
        response = work(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return response, round((time.perf_counter() - began) * 1000, 2)


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    """Worker processes, which at an exception get no more files.

    They are spawned: a fork of a process in which a Kafka client has threads can hang.
    """
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_leave_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C is for the parent, which then ends its workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
