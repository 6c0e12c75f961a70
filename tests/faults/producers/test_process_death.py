"""However a worker's processes end, what they logged arrives, once and in order, or its loss is said."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from headway import EventLogger
from headway.spool import Spool
from headway_events import TopicNames

from support.topics import Topics

NO_KAFKA = "127.0.0.1:1"

ENDLESS = """
import sys
from headway import EventLogger
number = 0
while True:
    for _ in range(50):
        EventLogger.file_complete(int(sys.argv[1]), "denoise", str(number))
        number += 1
    EventLogger.flush(0.01)
"""

CHILDREN = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor

batch_id = int(sys.argv[1])

def work(number):
    from headway import EventLogger
    EventLogger.file_complete(batch_id, "denoise", f"{number}")

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    if sys.argv[3] == "logger first":
        from headway import EventLogger
        EventLogger.stage_start(batch_id, "denoise")
    child = context.Process(target=work, args=(0,))
    child.start()
    child.join()
    assert child.exitcode == 0
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(work, range(1, 20)))
    with context.Pool(2) as pool:
        pool.map(work, range(20, 40))
"""


PREFORK = """
import os, signal, sys, time
from headway import EventLogger

batch_id = int(sys.argv[1])
EventLogger.stage_start(batch_id, "denoise")

def work(worker):
    def stop(*_):
        nonlocal stopped
        stopped = True

    stopped = False
    if worker % 2:
        signal.signal(signal.SIGTERM, stop)
    for number in range(500):
        EventLogger.file_complete(batch_id, "denoise", f"{worker} {number}")
    os.write(writing, b".")
    while not stopped:
        time.sleep(0.01)

reading, writing = os.pipe()
children = []
for worker in range(4):
    if not (child := os.fork()):
        work(worker)
        sys.exit(0)
    children.append(child)
    os.read(reading, 1)
for child in children:
    os.kill(child, signal.SIGTERM)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""
"""As servers do that fork their workers: the parent has used the logger, and ends them by SIGTERM."""

ASYNCIO = """
import asyncio, os, signal, sys, time
from headway import EventLogger

batch_id = int(sys.argv[1])

async def main():
    stop = asyncio.Event()
    {install}
    for number in range(1000):
        EventLogger.file_complete(batch_id, "denoise", str(number))
        if number % 100 == 0:
            await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(stop.wait(), 20)
    EventLogger.file_complete(batch_id, "denoise", "stopped")

{before}
asyncio.run(main())
"""

AMID_A_CALL = """
import os, signal, sys, threading, time
from headway import EventLogger

batch_id = int(sys.argv[1])
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
number = 0
while True:
    EventLogger.file_complete(batch_id, "denoise", str(number))
    number += 1
    if number % 50 == 0:
        time.sleep(0.001)
"""

DAEMONS = """
import sys, threading, time
from headway import EventLogger

batch_id = int(sys.argv[1])

def work(worker):
    for number in range(100_000):
        EventLogger.file_complete(batch_id, "denoise", f"{worker} {number}")
        time.sleep(0.0005)

EventLogger.stage_start(batch_id, "denoise")
EventLogger.flush(20)  # the topic has been made
for worker in range(3):
    threading.Thread(target=work, args=(worker,), daemon=True).start()
time.sleep(0.3)
"""


UNHEEDED = """
import os, signal, sys, threading, time
from headway import EventLogger

def to_this_thread():
    time.sleep(0.5)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

{before}
EventLogger.file_complete(int(sys.argv[1]), "denoise", "a")
threading.Thread(target=to_this_thread, daemon=True).start()
os.read(os.pipe()[0], 1)
"""
"""The signal interrupts another thread's call: as if it had come just before the main thread's began to wait."""

FORK_FIRST = """
EventLogger.stage_start(int(sys.argv[1]), "denoise")
child = os.fork()
if child:
    _, status = os.waitpid(child, 0)
    time.sleep(0.5)
    print("the parent goes on")
    sys.exit(os.waitstatus_to_exitcode(status) + signal.SIGTERM)
"""


STILLBORN = """
import multiprocessing, time
from headway import EventLogger

def work():
    time.sleep(60)

if __name__ == "__main__":
    EventLogger.stage_start(1, "denoise")
    ballast = bytearray(200_000_000)  # whose pages make forks slow, as in a process that has loaded a model
    for _ in range(60):
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.terminate()
        child.join(20)
        assert child.exitcode == -15, child.exitcode
    time.sleep(0.3)
    print("the parent goes on")
"""


def _files(topics: Topics, batch_id: int, at_least: int) -> list[str]:
    records = topics.read(topics.names.of_batch(batch_id), at_least=at_least)
    values = [json.loads(record.value or b"") for record in records]
    return [value["fileName"] for value in values if "fileName" in value]


def _in_spool(root: Path) -> list[str]:
    """The files in the spool of a process that is gone, which is left as it is."""
    spool = Spool(root, 2**40)
    spool.adopt()
    names = []
    while (segment := spool.read_segment()) is not None:
        names += [json.loads(record.value)["fileName"] for record in segment.records if record.event_type]
    spool.abandon()
    return names


@pytest.mark.parametrize("after_s", [0.0, 0.07, 0.21])
def test_what_a_worker_killed_while_it_spooled_had_written_is_sent_by_the_next_one_in_order(
    after_s: float, kafka: str, names: TopicNames, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    environment = {
        "HEADWAY_KAFKA_BOOTSTRAP": NO_KAFKA,
        "HEADWAY_TOPIC_PREFIX": names.prefix,
        "HEADWAY_REGISTRY_TOPIC": names.registry,
        "HEADWAY_SPOOL_DIR": str(tmp_path),
    }
    worker = subprocess.Popen([sys.executable, "-c", ENDLESS, str(batch_id)], env=environment)
    try:
        deadline = time.monotonic() + 30
        while not any(path.stat().st_size for path in tmp_path.glob("*/*.spool")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(after_s)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    spooled = _in_spool(tmp_path)
    assert len(spooled) > 100
    with EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path) as event_logger:
        event_logger.file_complete(batch_id, "denoise", "next")
        assert event_logger.flush(30) == 0
    found = _files(topics, batch_id, len(spooled) + 1)
    assert [name for name in found if name != "next"] == [str(number) for number in range(len(spooled))]
    assert not list(tmp_path.glob("*/*.spool"))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("first", ["logger first", "children first"])
def test_what_the_children_of_multiprocessing_log_arrives(
    method: str, first: str, environment: dict[str, str], topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    script = tmp_path / "pipeline.py"
    script.write_text(CHILDREN)
    done = subprocess.run(
        [sys.executable, str(script), str(batch_id), method, first],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(_files(topics, batch_id, 40), key=int) == [str(number) for number in range(40)]


@pytest.mark.parametrize(
    ("before", "code", "output"),
    [("", -signal.SIGTERM, ""), (FORK_FIRST, 0, "the parent goes on\n")],
    ids=["", "in a forked child"],
)
def test_a_sigterm_that_comes_just_as_the_main_thread_begins_to_wait_is_heeded(
    before: str, code: int, output: str, environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNHEEDED.replace("{before}", before), str(batch_id)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (code, output), done.stderr
    assert _files(topics, batch_id, 1) == ["a"]


def _run(code: str, environment: dict[str, str], batch_id: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, str(batch_id)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_what_the_children_of_a_server_log_arrives_when_it_ends_them(
    environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    done = _run(PREFORK, environment, batch_id)
    assert done.stdout == f"[{-signal.SIGTERM}, 0, {-signal.SIGTERM}, 0]\n", done.stderr
    found = _files(topics, batch_id, 2_000)
    assert len(found) == 2_000
    for worker in range(4):
        of_worker = [name for name in found if name.startswith(f"{worker} ")]
        assert of_worker == [f"{worker} {number}" for number in range(500)]


@pytest.mark.parametrize(
    ("before", "install"),
    [
        (
            'EventLogger.stage_start(batch_id, "denoise")',
            "asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)",
        ),
        ("", "asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)"),
        (
            'EventLogger.stage_start(batch_id, "denoise")',
            "signal.signal(signal.SIGTERM, lambda *_: asyncio.get_running_loop().call_soon_threadsafe(stop.set))",
        ),
    ],
    ids=["the loop's handler after the logger", "the loop's handler before the logger", "its own after the logger"],
)
def test_an_asyncio_program_ends_by_its_own_handler_and_its_events_arrive(
    before: str, install: str, environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    code = ASYNCIO.replace("{before}", before).replace("{install}", install)
    done = _run(code, environment, batch_id)
    assert done.returncode == 0, done.stderr
    assert _files(topics, batch_id, 1_001) == [*map(str, range(1_000)), "stopped"]


def test_a_sigterm_amid_calls_ends_the_process_and_what_was_logged_until_then_arrives(
    environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    done = _run(AMID_A_CALL, environment, batch_id)
    assert done.returncode == -signal.SIGTERM, done.stderr
    found = _files(topics, batch_id, 100)
    assert found == [str(number) for number in range(len(found))]


def test_threads_that_log_while_the_interpreter_ends_neither_crash_it_nor_lose_what_came_before(
    environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    done = _run(DAEMONS, {**environment, "HEADWAY_CLOSE_TIMEOUT_S": "1"}, batch_id)
    assert done.returncode == 0, done.stderr
    found = _files(topics, batch_id, 3)
    for worker in range(3):
        of_worker = [name for name in found if name.startswith(f"{worker} ")]
        assert len(of_worker) > 50
        assert of_worker == [f"{worker} {number}" for number in range(len(of_worker))]


def test_children_ended_as_soon_as_they_are_forked_do_not_take_their_parent_with_them(tmp_path: Path) -> None:
    environment = {
        "HEADWAY_KAFKA_BOOTSTRAP": NO_KAFKA,
        "HEADWAY_SPOOL_DIR": str(tmp_path / "spool"),
        "HEADWAY_CLOSE_TIMEOUT_S": "0.1",
    }
    script = tmp_path / "pipeline.py"
    script.write_text(STILLBORN)
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "the parent goes on\n"), done.stderr


def test_a_handler_at_exit_that_logs_after_ours_ran_leaves_its_event_to_the_next_process(
    kafka: str, names: TopicNames, environment: dict[str, str], topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: EventLogger.file_complete(int(sys.argv[1]), 'denoise', 'last'))\n"
        "from headway import EventLogger\n"
        "EventLogger.file_complete(int(sys.argv[1]), 'denoise', 'first')\n"
    )
    spool = environment["HEADWAY_SPOOL_DIR"]
    subprocess.run([sys.executable, "-c", code, str(batch_id)], env=environment, check=True, timeout=60)
    with EventLogger(bootstrap=kafka, names=names, spool_dir=Path(spool)) as event_logger:
        event_logger.stage_start(batch_id, "denoise")
        assert event_logger.flush(30) == 0
    assert _files(topics, batch_id, 3) == ["first", "last"]


def test_a_logger_that_nobody_holds_any_more_still_sends_its_events(
    environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    code = (
        "import gc, sys\n"
        "from headway import EventLogger\n"
        "EventLogger().file_complete(int(sys.argv[1]), 'denoise', 'a')\n"
        "gc.collect()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(batch_id)], env=environment, check=True, timeout=60)
    assert _files(topics, batch_id, 1) == ["a"]
