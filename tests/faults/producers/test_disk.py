"""A disk that refuses, is full or loses the spool harms no job: the oldest events are kept, all losses counted."""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from headway import EventLogger
from headway_events import BatchState, TopicNames, decode, fold_batch

from support.gate import Gate
from support.topics import Topics

ROOT = os.geteuid() == 0


def _files(topics: Topics, batch_id: int, at_least: int) -> list[str]:
    records = topics.read(topics.names.of_batch(batch_id), at_least=at_least)
    return [json.loads(record.value or b"")["fileName"] for record in records]


@contextmanager
def _file_in_its_place(spool: Path) -> Iterator[None]:
    spool.write_text("")
    yield


@contextmanager
def _tmpfs(spool: Path, options: str) -> Iterator[None]:
    if not ROOT:
        pytest.skip("needs the right to mount a file system")
    spool.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "headway-test", str(spool)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(spool)], check=True)


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("disk", "spool_bytes"),
    [
        pytest.param(_file_in_its_place, 2**30, id="no directory can be made"),
        pytest.param(lambda spool: _tmpfs(spool, "ro"), 2**30, id="read-only"),
        pytest.param(lambda spool: _tmpfs(spool, "size=64k"), 2**30, id="full"),
        pytest.param(lambda spool: _largest_file(30_000), 2**30, id="a limit on files"),
        pytest.param(lambda spool: _largest_file(2**30), 30_000, id="the spool's own bound"),
        pytest.param(lambda spool: _largest_file(2**30), 0, id="no spool"),
    ],
)
def test_where_the_disk_takes_no_more_the_oldest_events_wait_in_memory_and_the_loss_of_the_others_is_counted(
    disk: Callable[[Path], AbstractContextManager[None]],
    spool_bytes: int,
    kafka: str,
    names: TopicNames,
    topics: Topics,
    batch_id: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spool = tmp_path / "spool"
    logged = 3_200  # more than memory and the spool have room for
    with disk(spool), Gate(kafka) as gate, caplog.at_level(logging.WARNING, "headway"):
        event_logger = EventLogger(
            bootstrap=gate.bootstrap, names=names, spool_dir=spool, spool_bytes=spool_bytes, buffer_bytes=200_000
        )
        for number in range(logged):
            event_logger.file_complete(batch_id, "denoise", str(number))
        gate.open()
        assert event_logger.flush(30) == 0
        arrived = _files(topics, batch_id, 1)
        assert event_logger.lost == logged - len(arrived)
        assert arrived == [str(number) for number in range(len(arrived))]
        assert 500 <= len(arrived) < logged  # what 200,000 bytes of memory hold, and the sender
        assert f"{event_logger.lost} events were lost" in _said(caplog, "events_lost", event_logger)


def _said(caplog: pytest.LogCaptureFixture, action: str, event_logger: EventLogger) -> str:
    """All that was said under this action until the logger's end."""
    event_logger.close()
    return "\n".join(entry.getMessage() for entry in caplog.records if vars(entry).get("action") == action)


def test_a_spool_removed_while_events_wait_in_it_costs_those_alone_and_they_are_counted(
    kafka: str, names: TopicNames, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    with (
        Gate(kafka) as gate,
        EventLogger(bootstrap=gate.bootstrap, names=names, spool_dir=spool) as event_logger,
    ):
        event_logger.file_complete(batch_id, "denoise", "first")
        _wait_until(lambda: len(event_logger._outbox._pending) > 0)  # the first segment has been read, to be sent
        for number in range(100):
            event_logger.file_complete(batch_id, "denoise", f"removed {number}")
        _wait_until(lambda: _bytes_on_disk(spool) > 100 * 200 and not event_logger._outbox._taken)
        shutil.rmtree(spool)
        for number in range(100):
            event_logger.file_complete(batch_id, "denoise", f"after {number}")
        gate.open()
        assert event_logger.flush(30) == 0
        assert _files(topics, batch_id, 101) == ["first", *(f"after {number}" for number in range(100))]
        assert event_logger.lost == 100


DRAINING = """
import os, signal, sys, time
from headway import EventLogger
EventLogger.file_complete(int(sys.argv[1]), "denoise", "draining")
outbox = EventLogger.default()._outbox
most = 0
while True:
    left = len(outbox._segment_of)  # records of the segment that Kafka has not acknowledged
    most = max(most, left)
    if 0 < left < most - 100:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.0002)
"""


def test_a_worker_killed_while_it_drains_the_spool_leaves_the_rest_to_the_next_and_the_counts_stay_right(
    kafka: str, names: TopicNames, environment: dict[str, str], topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    spool = Path(environment["HEADWAY_SPOOL_DIR"])
    expected = [str(number) for number in range(20_000)]
    away = EventLogger(bootstrap="127.0.0.1:1", names=names, spool_dir=spool)
    away.stage_start(batch_id, "denoise", total_files=20_002)
    for name in expected:
        away.file_complete(batch_id, "denoise", name)
    away.close(0.1)
    command = [sys.executable, "-c", DRAINING, str(batch_id)]
    killed = subprocess.run(command, env=environment, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert list(spool.glob("*/*.spool"))
    with EventLogger(bootstrap=kafka, names=names, spool_dir=spool) as event_logger:
        event_logger.file_complete(batch_id, "denoise", "next")
        assert event_logger.flush(30) == 0
    records = topics.read(names.of_batch(batch_id), at_least=len(expected) + 2)
    values = [json.loads(record.value or b"") for record in records]
    files = [value["fileName"] for value in values if "fileName" in value]
    assert [name for name in dict.fromkeys(files) if name.isdecimal()] == expected
    ids = {record.headers["ce_id"] for record in records}
    assert len(ids) == len(set(files)) + 1, "a duplicate must keep its id"
    batch = BatchState()
    for record in records:
        batch = fold_batch(batch, decode(record.value, batch_id=batch_id))
    state = batch.current("denoise")
    assert (state.run, state.processed) == (1, len(set(files)))


def _bytes_on_disk(spool: Path) -> int:
    return sum(path.stat().st_size for path in spool.glob("*/*.spool"))


def _wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)
