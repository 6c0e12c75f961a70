"""While Kafka is away, however it is away, the job goes on, and what it logged arrives in order when Kafka is back."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from headway import EventLogger
from headway_events import TopicNames

from infra.local.kafka import START_TIMEOUT_S, KafkaBroker
from support.gate import Gate
from support.topics import Topics

REFUSING = "127.0.0.1:1"


def _files(topics: Topics, batch_id: int, at_least: int) -> list[str]:
    records = topics.read(topics.names.of_batch(batch_id), at_least=at_least)
    return [json.loads(record.value or b"")["fileName"] for record in records]


@contextmanager
def _silent() -> Iterator[str]:
    """The address of a broker that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def _at(address: str) -> Iterator[str]:
    yield address


AWAY = pytest.mark.parametrize(
    "away",
    [lambda: _at(REFUSING), lambda: _at("kafka.invalid:9092"), _silent],
    ids=["refuses", "no such name", "silent"],
)


@AWAY
def test_what_is_logged_while_kafka_is_away_from_the_start_is_sent_by_the_next_process_in_order(
    away: Callable[[], AbstractContextManager[str]],
    kafka: str,
    names: TopicNames,
    topics: Topics,
    batch_id: int,
    tmp_path: Path,
) -> None:
    expected = [str(number) for number in range(5_000)]
    with away() as address:
        event_logger = EventLogger(bootstrap=address, names=names, spool_dir=tmp_path, close_timeout_s=0.2)
        for name in expected:
            event_logger.file_complete(batch_id, "denoise", name)
        assert event_logger.close() > 0
        assert event_logger.lost == 0
    with EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path) as next_logger:
        next_logger.file_complete(batch_id, "denoise", "next")
        assert next_logger.flush(30) == 0
    assert _files(topics, batch_id, len(expected) + 1) == [*expected, "next"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs a file system view of its own")
def test_a_resolver_that_never_answers_holds_up_neither_the_calls_nor_the_end_of_the_process(
    batch_id: int, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from headway import EventLogger\n"
        "for number in range(2_000):\n"
        "    EventLogger.file_complete(int(sys.argv[1]), 'denoise', str(number))\n"
    )
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.53.1\noptions timeout:30\n")
    command = f'mount --bind {resolver} /etc/resolv.conf && exec {sys.executable} -c "$0" {batch_id}'
    environment = {
        "PATH": os.environ["PATH"],
        "HEADWAY_KAFKA_BOOTSTRAP": "kafka.example.com:9092",
        "HEADWAY_SPOOL_DIR": str(tmp_path / "spool"),
        "HEADWAY_CLOSE_TIMEOUT_S": "0.2",
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.53.1", 53))
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", command, code],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,  # a lookup alone takes 30 s
        )
        silent.settimeout(0)
        assert silent.recv(1000), "nobody has asked the resolver"
    assert done.returncode == 0, done.stderr
    assert "2001 wait in" in done.stderr


def test_what_threads_log_while_kafka_is_away_arrives_in_the_order_of_each_once_it_is_back(
    kafka: str, names: TopicNames, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    def work(worker: int) -> None:
        for number in range(1_000):
            event_logger.file_complete(batch_id, "denoise", f"{worker} {number}")

    with (
        Gate(kafka) as gate,
        EventLogger(bootstrap=gate.bootstrap, names=names, spool_dir=tmp_path) as event_logger,
    ):
        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads[:2]:
            thread.start()
        for thread in threads[:2]:
            thread.join()
        gate.open()
        for thread in threads[2:]:
            thread.start()
        for thread in threads[2:]:
            thread.join()
        assert event_logger.flush(30) == 0
        assert event_logger.lost == 0
    found = _files(topics, batch_id, 4_000)
    assert len(found) == 4_000
    for worker in range(4):
        of_worker = [name for name in found if name.startswith(f"{worker} ")]
        assert of_worker == [f"{worker} {number}" for number in range(1_000)]


def test_ten_minutes_without_kafka_lose_nothing_and_keep_the_order_in_this_process_and_in_the_next(
    own_kafka: KafkaBroker, names: TopicNames, batch_id: int, tmp_path: Path
) -> None:
    numbers = iter(range(200_000))

    def log(count: int) -> None:
        for _ in range(count):
            event_logger.file_complete(batch_id, "denoise", str(next(numbers)))

    event_logger = EventLogger(bootstrap=own_kafka.bootstrap, names=names, spool_dir=tmp_path)
    log(5_000)
    own_kafka.kill()
    log(60_000)  # ten minutes' worth at 100 files a second
    own_kafka.start()
    log(5_000)
    own_kafka.wait(START_TIMEOUT_S)
    assert event_logger.flush(60) == 0
    own_kafka.kill()
    log(30_000)  # of which 20,000 wait in memory, and those after them on disk
    event_logger.close(0.1)
    assert event_logger.lost == 0
    own_kafka.start()
    own_kafka.wait(START_TIMEOUT_S)
    with EventLogger(bootstrap=own_kafka.bootstrap, names=names, spool_dir=tmp_path) as event_logger:
        log(5_000)
        assert event_logger.flush(60) == 0
    count = next(numbers)
    assert _files(Topics(own_kafka.bootstrap, names), batch_id, count) == [str(number) for number in range(count)]


BOUNDED = """
import os, resource, sys, time
from headway import EventLogger
event_logger = EventLogger(buffer_bytes=16_000_000, spool_bytes=0, close_timeout_s=0.1)
event_logger.stage_start(1, "denoise")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
text = "x" * 880_000
for number in range(600):
    event_logger.file_complete(1, "denoise", str(number), None, {"text": text})
    time.sleep(0.001)
event_logger.close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, event_logger.lost)
"""


@AWAY
def test_without_a_spool_memory_stays_bounded_by_the_setting_and_every_loss_is_counted(
    away: Callable[[], AbstractContextManager[str]],
) -> None:
    with away() as address:
        done = subprocess.run(
            [sys.executable, "-c", BOUNDED],
            env={"HEADWAY_KAFKA_BOOTSTRAP": address},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    kibibytes, lost = map(int, done.stdout.split())
    assert kibibytes < 100_000  # of 530 MB that were logged
    assert lost == 602  # with the start, and the batch's announcement
    assert "602 events were lost" in done.stderr


TRACED = """
import os, sys
from headway import EventLogger
event_logger = EventLogger(spool_dir=sys.argv[1], close_timeout_s=0.1)
event_logger.stage_start(1, "denoise")
os.write(2, b"BEGIN")
for number in range(20_000):
    event_logger.file_complete(1, "denoise", str(number), None, {"text": "x" * 100})
os.write(2, b"END")
"""
HARMLESS = {
    "futex",  # the interpreter's lock, which every thread of Python's waits for
    "clock_nanosleep",  # when the buffer is half full, for half a millisecond
    "select",  # the same, as older Pythons sleep
    "sched_yield", "brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "rt_sigreturn", "restart_syscall",
}  # fmt: skip


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_call_makes_no_system_call_that_waits_for_kafka_or_a_disk(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "--output", str(trace), sys.executable, "-c", TRACED, str(tmp_path / "spool")]
    environment = {"HEADWAY_KAFKA_BOOTSTRAP": REFUSING}
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)  # the main thread alone
    calls = trace.read_text()
    between = calls[calls.index("BEGIN") : calls.index("END")].splitlines()[1:-1]
    names = {found[1] for line in between if (found := re.match(r"(\w+)\(", line))}
    assert names <= HARMLESS
    assert list((tmp_path / "spool").glob("*/*.spool")), "the sender has not written to disk meanwhile"
