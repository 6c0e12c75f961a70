"""What libraries say again and again is logged once a minute; what the projector says, always."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

from headway_projector.log import REPEATED_AFTER_S, LibraryNoise


def _record(name: str, text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, text, arguments, None)


def test_a_librarys_line_is_let_through_once_a_minute_whatever_its_arguments() -> None:
    now = [1000.0]
    noise = LibraryNoise(lambda: now[0])

    def passes(node: int) -> bool:
        return noise.filter(_record("aiokafka.conn", "Unable connect to node with id %s", node))

    assert [passes(1), passes(2), passes(1)] == [True, False, False]
    now[0] += REPEATED_AFTER_S - 1
    assert not passes(1)
    now[0] += 1
    assert [passes(2), passes(1)] == [True, False]


def test_other_lines_and_the_projectors_own_are_not_held_back() -> None:
    noise = LibraryNoise()
    assert noise.filter(_record("aiokafka", "Unable to update metadata"))
    assert noise.filter(_record("aiokafka", "Heartbeat failed"))
    assert noise.filter(_record("faust", "Heartbeat failed"))
    assert all(noise.filter(_record("headway_projector.data_plane", "Reading a batch")) for _ in range(3))


def test_a_librarys_task_that_was_cancelled_is_no_news_and_one_that_failed_is() -> None:
    cancelled, failed = _record("faust.agents", "Crashed"), _record("faust.agents", "Crashed")
    cancelled.exc_info = (asyncio.CancelledError, asyncio.CancelledError(), None)
    failed.exc_info = (ValueError, ValueError(), None)
    noise = LibraryNoise()
    assert [noise.filter(cancelled), noise.filter(failed)] == [False, True]


PROGRAM = """
import logging, threading
from headway_projector.log import configure

def fail(reason):
    raise ConnectionError(reason)

configure()
for name in ("aiokafka.consumer", "faust.agents", "headway_projector.app"):
    try:
        fail("Kafka is away")
    except ConnectionError:
        logging.getLogger(name).exception("A %s failed, 100%%", "listener")
thread = threading.Thread(target=fail, args=["Kafka is away"])
thread.start()
thread.join()
"""


def test_a_librarys_failure_is_a_line_and_one_of_our_own_code_has_its_traceback() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stderr
    first, *others, last = said.splitlines()
    assert first.endswith("ERROR aiokafka.consumer: A listener failed, 100%: ConnectionError('Kafka is away')")
    assert others.count("Traceback (most recent call last):") == 2
    assert last.endswith("WARNING faust: A thread has ended by an error: ConnectionError('Kafka is away')")
