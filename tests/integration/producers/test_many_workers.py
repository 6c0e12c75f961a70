"""Many workers on one stage: however they begin, end, die and repeat one another, 495 + 5 = 500."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from headway import EventLogger
from headway_events import BatchState, TopicNames, decode, fold_batch

from support.programs import Program
from support.tables import Tables
from support.topics import Topics

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "many-workers.md"
STAGE = "denoise"
FILES = [f"audio{number:03}.wav" for number in range(500)]
FAILING = frozenset(FILES[99::100])

Workers = Sequence[EventLogger]


def _report(worker: EventLogger, batch_id: int, names: Sequence[str]) -> None:
    for name in names:
        if name in FAILING:
            worker.file_error(batch_id, STAGE, name, "too short")
        else:
            worker.file_complete(batch_id, STAGE, name)


def _report_all(workers: Workers, batch_id: int) -> None:
    for number, worker in enumerate(workers):
        _report(worker, batch_id, FILES[number :: len(workers)])
    _flush(workers)


def _flush(workers: Workers) -> None:
    for worker in workers:
        assert worker.flush(30) == 0


def _one_begins(workers: Workers, batch_id: int) -> None:
    workers[0].stage_start(batch_id, STAGE, total_files=500)
    _flush(workers)
    _report_all(workers, batch_id)


def _nobody_begins(workers: Workers, batch_id: int) -> None:
    _report_all(workers, batch_id)


def _all_begin_first(workers: Workers, batch_id: int) -> None:
    for worker in workers:
        worker.stage_start(batch_id, STAGE, total_files=500)
    _flush(workers)
    _report_all(workers, batch_id)


def _begin_while_others_report(workers: Workers, batch_id: int) -> None:
    for number, worker in enumerate(workers):
        worker.stage_start(batch_id, STAGE, total_files=500)
        _report(worker, batch_id, FILES[number :: len(workers)])
        _flush([worker])
    workers[0].stage_complete(batch_id, STAGE, processed_files=495, failed_files=5)
    _flush(workers)


def _all_report_every_file(workers: Workers, batch_id: int) -> None:
    for worker in workers:
        _report(worker, batch_id, FILES)
    _flush(workers)


def _failures_first(workers: Workers, batch_id: int) -> None:
    for name in FILES:
        workers[0].file_error(batch_id, STAGE, name, "out of memory")
    _flush(workers)
    _report_all(workers, batch_id)


def _failures_afterwards(workers: Workers, batch_id: int) -> None:
    _report_all(workers, batch_id)
    for name in FILES:
        workers[1].file_error(batch_id, STAGE, name, "out of memory")
    _flush(workers)


def _one_ends_while_another_reports(workers: Workers, batch_id: int) -> None:
    workers[0].stage_start(batch_id, STAGE, total_files=500)
    _report(workers[0], batch_id, FILES[:300])
    _flush(workers)
    workers[0].stage_complete(batch_id, STAGE, processed_files=495, failed_files=5)
    _flush(workers)
    _report(workers[1], batch_id, FILES[300:])
    _flush(workers)


CASES: list[Callable[[Workers, int], None]] = [
    _one_begins,
    _nobody_begins,
    _all_begin_first,
    _begin_while_others_report,
    _all_report_every_file,
    _failures_first,
    _failures_afterwards,
    _one_ends_while_another_reports,
]


async def test_the_topic_and_the_tables_count_500_files_once_whoever_begins_ends_and_repeats(
    projector: Program, kafka: str, names: TopicNames, topics: Topics, tables: Tables, batch_id: int, tmp_path: Path
) -> None:
    workers = [
        EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path / f"machine-{number}") for number in range(4)
    ]
    batch_of = {case.__name__: batch_id + number for number, case in enumerate(CASES)}
    for case in CASES:
        case(workers, batch_of[case.__name__])
    for worker in workers:
        assert worker.close() == 0
    counts = {name: _folded(topics, of_case) for name, of_case in batch_of.items()}
    assert counts == dict.fromkeys(batch_of, (495, 5))
    assert await tables.differences(topics, batch_of.values()) == []


def _folded(topics: Topics, batch_id: int) -> tuple[int, int]:
    batch = BatchState()
    for record in topics.read(topics.names.of_batch(batch_id), at_least=500):
        batch = fold_batch(batch, decode(record.value, batch_id=batch_id))
    state = batch.current(STAGE)
    return state.processed, state.errors


@pytest.mark.parametrize("killed", [0, 2], ids=["nobody dies", "two workers are killed"])
def test_the_guides_coordinator_and_workers_count_495_and_5(
    killed: int, environment: dict[str, str], topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    for code in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL):
        name = code.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(code.replace("123", str(batch_id)))
    coordinator = subprocess.Popen(
        [sys.executable, "coordinator.py"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        if killed:
            topic = topics.names.of_batch(batch_id)
            while not topics.exists(topic):
                time.sleep(0.01)
            topics.read(topic, at_least=50)
            workers = _children(coordinator.pid)
            assert len(workers) == 4
            for worker in workers[:killed]:
                os.kill(worker, signal.SIGKILL)
        _, errors = coordinator.communicate(timeout=60)
    finally:
        coordinator.kill()
    assert coordinator.returncode == 0, errors
    events = [
        decode(record.value, batch_id=batch_id) for record in topics.read(topics.names.of_batch(batch_id), at_least=503)
    ]
    batch = BatchState()
    for event in events[:-2]:
        batch = fold_batch(batch, event)
    before = batch.current(STAGE)
    assert (before.processed, before.errors, before.total, before.run) == (495, 5, 500, 1), "the files alone say so"
    for event in events[-2:]:
        batch = fold_batch(batch, event)
    state = batch.current(STAGE)
    assert (state.processed, state.errors, state.late) == (495, 5, 0)
    assert batch.closed
    assert Counter(state.outcomes.values()) == {"success": 495, "error": 5}


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
