"""The how-to page's blocks do what the page says of them."""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import headway.stage
import headway.testing
import pytest
from headway import EventLogger
from headway.testing import RecordingLogger
from headway_events import BatchState, TopicNames, decode, fold_batch

from support.topics import Topics

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "track-files.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SCRIPT = next(block for block in BLOCKS if "__main__" in block)
LAUNCHED = next(block for block in BLOCKS if "rank == 0" in block)
SINGLE = [block for block in BLOCKS if block not in {SCRIPT, LAUNCHED}]
PATHS = [f"audio{number:03d}.wav" for number in range(9)]


def denoise(path: str) -> float:
    """What the page's examples do with a file."""
    return float(len(path))


async def fetch(path: str) -> int:
    """What its coroutines do."""
    await asyncio.sleep(0)
    return len(path)


async def run(block: str, **names: Any) -> None:
    given = {"EventLogger": EventLogger, "batch_id": 123, "paths": PATHS, "denoise": denoise, "fetch": fetch, **names}
    code = compile(block, "track-files.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, given)
    if inspect.isawaitable(result):
        await result


@pytest.mark.parametrize("block", SINGLE, ids=lambda block: block.splitlines()[-2].strip()[:40])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_each_block_reports_every_file_and_completes_its_stage(block: str) -> None:
    with RecordingLogger() as recorded:
        await run(block)
    (runs,) = recorded.batch(123).stages.values()
    (stage,) = runs
    assert (stage.total, stage.processed, stage.errors, stage.status) == (9, 9, 0, "complete")


@pytest.mark.parametrize("module", [headway.stage, headway.testing], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_do_what_they_show(module: ModuleType) -> None:
    with RecordingLogger():
        done = doctest.testmod(module, extraglobs={"EventLogger": EventLogger, "RecordingLogger": RecordingLogger})
    assert done.attempted > 0
    assert done.failed == 0


async def test_processes_of_a_launcher_begin_and_end_the_stage_once() -> None:
    barrier = threading.Barrier(3)

    def process(rank: int) -> None:
        asyncio.run(run(LAUNCHED, rank=rank, barrier=lambda: barrier.wait(20)))

    with RecordingLogger() as recorded, ThreadPoolExecutor(3) as processes:
        await asyncio.gather(*(asyncio.wrap_future(processes.submit(process, rank)) for rank in range(3)))
    (stage,) = recorded.batch(123).stages["denoise"]
    assert (stage.total, stage.processed, stage.late, stage.status) == (9, 9, 0, "complete")


def test_eight_processes_count_together_in_kafka(
    kafka: str, names: TopicNames, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    script = tmp_path / "pipeline.py"
    script.write_text(SCRIPT.replace("BATCH_ID = 123", f"BATCH_ID = {batch_id}"))
    settings = {
        "HEADWAY_KAFKA_BOOTSTRAP": kafka,
        "HEADWAY_TOPIC_PREFIX": names.prefix,
        "HEADWAY_REGISTRY_TOPIC": names.registry,
        "HEADWAY_SPOOL_DIR": str(tmp_path / "spool"),
    }
    subprocess.run([sys.executable, script], env=settings, check=True, timeout=60)
    batch = BatchState()
    for record in topics.read(names.of_batch(batch_id), at_least=502):
        batch = fold_batch(batch, decode(record.value, batch_id=batch_id))
    (stage,) = batch.stages["denoise"]
    assert (stage.total, stage.processed, stage.errors, stage.late) == (500, 495, 5, 0)
    assert stage.status == "complete_with_errors"
