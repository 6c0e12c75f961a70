"""`make demo`: the pipeline on the local stack, watched in the terminal and the browser, and its counts compared."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from headway import EventLogger
from headway_events import HeadwayError
from tqdm import tqdm  # type: ignore[import-untyped]

from examples.denoise import compare, corpus, pipeline
from examples.denoise.counts import Counts, StageCounts, disagreements, table
from examples.denoise.errors import DemoError
from examples.denoise.settings import DemoSettings
from infra.local.settings import StackSettings
from infra.local.stack import LocalStack

SEED = 1
INTERRUPTED = 130  # what a shell says of a program ended by Ctrl-C
REDRAW_S = 0.1
REDRAW_IN_LOGS_S = 10.0  # each is a line there


def main() -> int:
    """Run the demo; 0 when all sources of its counts agree."""
    try:
        return _demo(DemoSettings.from_environment(), StackSettings.from_environment())
    except HeadwayError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except BrokenProcessPool:
        print(
            "demo: a worker process died, perhaps for want of memory. A stage is left without an end.", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print(
            "\ndemo: interrupted. A stage under way is left without an end; `make down` stops the stack.",
            file=sys.stderr,
        )
        return INTERRUPTED


def counts_agree(counts: StageCounts, sources: compare.Sources, batch_id: int) -> bool:
    """Whether every source has the terminal's counts; prints them all, and where they differ."""
    by_source = {"terminal": counts, **asyncio.run(compare.read_counts(sources, batch_id))}
    print(f"\n{table(by_source)}\n")
    lines = disagreements(by_source)
    print("\n".join(["The counts do NOT agree:", *lines]) if lines else "All counts agree, number for number.")
    return not lines


def _demo(settings: DemoSettings, stack: StackSettings) -> int:
    given = _files_in(settings.files) if settings.files else None
    LocalStack(stack).up()
    page = f"{stack.gateway_url}/?batchId={settings.batch_id}"
    print(f"\ndashboard: {page}\n", flush=True)
    state = stack.state_dir / "demo"
    files = given or _made_files(settings.size, state / f"corpus-{settings.size}")
    output = state / f"batch-{settings.batch_id}"
    shutil.rmtree(output, ignore_errors=True)  # of an earlier run of the same batch
    counts = _run_pipeline(files, output, settings.batch_id, stack.bootstrap)
    print(f"\nencoded files: {output / 'encode'}")
    agree = counts_agree(counts, compare.Sources(stack.database_url, stack.gateway_url), settings.batch_id)
    print(f"\nThe stack stays up: look at {page}, and stop it with `make down`.")
    return 0 if agree else 1


def _files_in(folder: Path) -> dict[str, Path]:
    """The WAV files in a folder and those below, by their paths from it."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.is_file())
    if not paths:
        raise DemoError(f"There is no WAV file in {folder}.")
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _made_files(size: int, folder: Path) -> dict[str, Path]:
    clips = corpus.plan(size, SEED)
    broken = sum(clip.defect is not None for clip in clips)
    print(f"files: {size} in {folder}, {broken} of them broken on purpose")
    with _bar("files", size) as bar:
        paths: list[Path] = []
        for path in corpus.write(clips, folder):
            paths.append(path)
            bar.update()
    return {path.name: path for path in paths}


def _run_pipeline(files: dict[str, Path], output: Path, batch_id: int, bootstrap: str) -> StageCounts:
    device, workers = pipeline.cuda_device(), os.cpu_count() or 1
    print(f"processing {len(files)} files on {workers} CPU cores, denoising on {device or 'them too'}")
    with EventLogger(bootstrap=bootstrap) as logger, _Bars() as bars:
        logger.announce(batch_id, name="denoise demo", labels={"pipeline": "examples.denoise"})
        counts = pipeline.run(
            files, output, logger=logger, batch_id=batch_id, workers=workers, device=device, watch=bars.show
        )
        logger.batch_complete(batch_id)
        if left := logger.flush():
            raise DemoError(f"Kafka did not take {left} events. `make up` says whether it is healthy.")
    return counts


class _Bars:
    """A progress bar in the terminal for each stage, one after the other."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm | None = None

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, stage: str, counts: Counts) -> None:
        """The counts of a stage as they are now."""
        if self._bar is None or stage != self._stage:
            self.__exit__()
            self._stage, self._bar = stage, _bar(stage, counts.total)
        self._bar.set_postfix({"processed": counts.processed, "errors": counts.errors}, refresh=False)
        self._bar.update(counts.processed + counts.errors - self._bar.n)


def _bar(label: str, total: int | None) -> tqdm:
    redraw_s = REDRAW_S if sys.stderr.isatty() else REDRAW_IN_LOGS_S
    return tqdm(desc=f"{label:<10}", total=total, unit="file", mininterval=redraw_s, dynamic_ncols=True)


if __name__ == "__main__":
    sys.exit(main())
