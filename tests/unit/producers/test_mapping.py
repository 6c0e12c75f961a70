"""A function over many files: each reported once as it went, few in flight, and a defined end however it is left."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import msgspec
import pytest
from headway import InvalidArgument
from headway.testing import RecordingLogger
from headway_events import FileComplete, FileError
from joblib import Parallel


@pytest.fixture
def recorded() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def measure(path: str) -> int:
    """What a file goes through in a thread, a process or a worker of joblib."""
    if path.startswith("bad"):
        raise OSError(f"{path}: no room")
    return len(path)


async def ameasure(path: str) -> int:
    await asyncio.sleep(0)
    return measure(path)


def take_long_unless_first(path: str) -> None:
    if path != "first":
        time.sleep(30)


def die(path: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Picky(Exception):
    """An exception as many are written: it can be pickled, and not unpickled."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def be_picky(path: str) -> None:
    if path == "bad":
        raise Picky(path, "no room")


def names(recorded: RecordingLogger, kind: type[FileComplete] | type[FileError]) -> list[str]:
    return sorted(event.file_name for event in recorded.events if isinstance(event, kind))


def completed(recorded: RecordingLogger) -> bool:
    return recorded.events[-1].event_type == "stage_complete"


def test_threads_report_every_file_with_its_own_time_and_yield_what_succeeded(recorded: RecordingLogger) -> None:
    paths = ["a", "bb", "bad", "ccc"]
    with (
        ThreadPoolExecutor(2) as executor,
        recorded.stage(1, "denoise", total_files=4, on_error="continue") as stage,
    ):
        found = sorted(stage.map(executor, measure, paths, response=lambda length: {"length": length}))
    assert found == [("a", 1), ("bb", 2), ("ccc", 3)]
    assert (names(recorded, FileComplete), names(recorded, FileError)) == (["a", "bb", "ccc"], ["bad"])
    for event in recorded.events:
        if isinstance(event, FileComplete):
            assert isinstance(event.response, msgspec.Raw)
            assert bytes(event.response) == b'{"length":%d}' % len(event.file_name)
            assert event.duration_ms is not None
    assert completed(recorded)


def test_processes_report_with_the_traceback_of_where_it_happened(
    recorded: RecordingLogger, processes: Executor
) -> None:
    with recorded.stage(1, "denoise", on_error="continue") as stage:
        assert sorted(stage.map(processes, measure, ["a", "bad", "bb"])) == [("a", 1), ("bb", 2)]
    (failed,) = [event for event in recorded.events if isinstance(event, FileError)]
    assert isinstance(failed.response, msgspec.Raw)
    said = msgspec.json.decode(failed.response)
    assert (said["type"], said["message"]) == ("OSError", "bad: no room")
    assert "in measure" in said["traceback"]
    assert failed.worker == recorded.worker  # who reports, so that it is the one that heartbeats name


def test_the_first_failure_is_raised_after_those_under_way_have_ended(recorded: RecordingLogger) -> None:
    begun, go = threading.Event(), threading.Event()

    def work(path: str) -> None:
        if path == "slow":
            begun.set()
            go.wait(10)
        else:
            begun.wait(10)
            threading.Timer(0.05, go.set).start()
            raise OSError("no room")

    with ThreadPoolExecutor(2) as executor:
        stage = recorded.stage(1, "denoise")
        with pytest.raises(OSError, match="no room"), stage:
            list(stage.map(executor, work, ["slow", "bad", "never", "never"], limit=2))
    assert (names(recorded, FileComplete), names(recorded, FileError)) == (["slow"], ["bad"])
    assert not completed(recorded)
    assert stage.in_flight == {}


def test_a_loop_left_by_break_waits_for_what_is_under_way_and_drops_the_rest(recorded: RecordingLogger) -> None:
    with ThreadPoolExecutor(1) as executor, recorded.stage(1, "denoise") as stage:
        for _ in stage.map(executor, measure, (str(number) for number in range(1_000)), limit=3):
            break
    assert 1 <= len(names(recorded, FileComplete)) <= 3
    assert stage.processed_files == len(names(recorded, FileComplete))
    assert stage.in_flight == {}
    assert completed(recorded)


def test_a_million_files_are_never_in_flight_at_once(recorded: RecordingLogger) -> None:
    taken = handled = most = 0

    def paths() -> Iterator[str]:
        nonlocal taken, most
        for number in range(300):
            taken += 1
            most = max(most, len(stage.in_flight) + 1)
            yield str(number)

    with ThreadPoolExecutor(2) as executor, recorded.stage(1, "denoise", total_files=300) as stage:
        for _ in stage.map(executor, measure, paths()):
            handled += 1
            assert taken - handled < 4  # two for each thread: what has not been looked at holds the others back
    assert (taken, handled, most) == (300, 300, 4)


def test_an_interrupted_job_is_no_failure_and_stops_the_loop(recorded: RecordingLogger) -> None:
    def interrupted(path: str) -> None:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor:
        stage = recorded.stage(1, "denoise", on_error="continue")
        with pytest.raises(KeyboardInterrupt), stage:
            list(stage.map(executor, interrupted, ["a", "b"]))
    assert [event.event_type for event in recorded.events] == ["stage_start"]
    assert stage.in_flight == {}


def test_ctrl_c_waits_for_nothing_and_fails_no_file(recorded: RecordingLogger) -> None:
    go = threading.Event()

    def work(path: str) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        go.wait(10)

    with ThreadPoolExecutor(1) as executor:
        stage = recorded.stage(1, "denoise", on_error="continue")
        with pytest.raises(KeyboardInterrupt), stage:
            list(stage.map(executor, work, ["a", "b"]))
        assert not go.is_set()
        go.set()
    assert [event.event_type for event in recorded.events] == ["stage_start"]
    assert stage.in_flight == {}


def test_an_executor_that_is_shut_down_fails_no_file(recorded: RecordingLogger) -> None:
    executor = ThreadPoolExecutor(1)
    stage = recorded.stage(1, "denoise", on_error="continue")

    def work(path: str) -> None:
        while len(stage.in_flight) < 2:
            time.sleep(0.001)
        executor.shutdown(wait=False, cancel_futures=True)

    with pytest.raises(CancelledError), stage:
        list(stage.map(executor, work, ["a", "b"], limit=2))
    assert names(recorded, FileError) == []
    assert not completed(recorded)


def test_a_process_that_dies_breaks_the_loop_and_fails_no_file(recorded: RecordingLogger) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        stage = recorded.stage(1, "denoise", on_error="continue")
        with pytest.raises(BrokenProcessPool), stage:
            list(stage.map(executor, die, ["a", "b"]))
    assert [event.event_type for event in recorded.events] == ["stage_start"]
    assert stage.in_flight == {}


def test_what_cannot_be_sent_to_a_process_is_that_files_failure(recorded: RecordingLogger, processes: Executor) -> None:
    with recorded.stage(1, "denoise", on_error="continue") as stage:
        assert list(stage.map(processes, lambda path: path, ["a"])) == []
    assert names(recorded, FileError) == ["a"]


def test_an_exception_that_cannot_be_sent_back_is_still_that_files_failure(
    recorded: RecordingLogger, processes: Executor
) -> None:
    with recorded.stage(1, "denoise", on_error="continue") as stage:
        assert [path for path, _ in stage.map(processes, be_picky, ["a", "bad", "b"], limit=1)] == ["a", "b"]
    (failed,) = [event for event in recorded.events if isinstance(event, FileError)]
    assert isinstance(failed.response, msgspec.Raw)
    assert "bad: no room" in msgspec.json.decode(failed.response)["message"]


@pytest.mark.parametrize("return_as", ["generator", "generator_unordered"])
def test_joblib_reports_from_its_processes(recorded: RecordingLogger, return_as: str) -> None:
    with recorded.stage(1, "denoise", total_files=3, on_error="continue") as stage:
        found = sorted(stage.map(Parallel(2, return_as=return_as), measure, ["a", "bad", "bb"]))
    assert found == [("a", 1), ("bb", 2)]
    assert (names(recorded, FileComplete), names(recorded, FileError)) == (["a", "bb"], ["bad"])
    assert completed(recorded)


def test_joblib_stops_at_the_first_failure_if_it_should(recorded: RecordingLogger) -> None:
    stage = recorded.stage(1, "denoise")
    with pytest.raises(OSError, match="no room"), stage:
        list(stage.map(Parallel(1, return_as="generator"), measure, ["a", "bad", "b"]))
    assert (names(recorded, FileComplete), names(recorded, FileError)) == (["a"], ["bad"])
    assert stage.in_flight == {}


def test_joblib_left_by_break_stops_what_is_under_way_and_reports_nothing_of_it(recorded: RecordingLogger) -> None:
    with recorded.stage(1, "denoise") as stage:
        found = stage.map(Parallel(2, return_as="generator"), take_long_unless_first, ["first", "a", "b", "c"])
        assert isinstance(found, Generator)
        assert next(found) == ("first", None)
        with pytest.warns(UserWarning, match="have been cancelled"):
            found.close()
    assert (names(recorded, FileComplete), names(recorded, FileError)) == (["first"], [])
    assert stage.in_flight == {}


def test_joblib_that_would_keep_all_until_the_end_is_refused_with_the_remedy(recorded: RecordingLogger) -> None:
    with (
        recorded.stage(1, "denoise") as stage,
        pytest.raises(InvalidArgument, match=r"^executor: .*generator_unordered"),
    ):
        next(stage.map(Parallel(1), measure, ["a"]))


def test_items_that_are_no_paths_say_which_file_they_are(recorded: RecordingLogger) -> None:
    with ThreadPoolExecutor(1) as executor, recorded.stage(1, "denoise") as stage:
        jobs = [("a", 1), ("b", 2)]
        assert list(stage.map(executor, lambda job: job[1], jobs, file=lambda job: job[0])) == [
            (("a", 1), 1),
            (("b", 2), 2),
        ]
    assert names(recorded, FileComplete) == ["a", "b"]


def test_a_mapping_that_a_variable_holds_ends_with_its_stage(recorded: RecordingLogger) -> None:
    with ThreadPoolExecutor(1) as executor:
        with recorded.stage(1, "denoise") as stage:
            found = stage.map(executor, measure, map(str, range(100)), limit=3)
            next(found)
        assert list(found) == []
    assert completed(recorded)  # and nothing comes after
    assert stage.processed_files == len(names(recorded, FileComplete)) <= 3


def test_a_limit_that_would_let_nothing_through_is_refused(recorded: RecordingLogger) -> None:
    stage = recorded.stage(1, "denoise")
    with ThreadPoolExecutor(1) as executor, pytest.raises(InvalidArgument, match=r"^limit: "):
        stage.map(executor, measure, ["a"], limit=0)
    with pytest.raises(InvalidArgument, match=r"^limit: "):
        stage.amap(ameasure, ["a"], limit=0)


async def test_coroutines_report_every_file_and_yield_what_succeeded(recorded: RecordingLogger) -> None:
    async def listing() -> AsyncIterator[str]:
        for path in ("a", "bad", "bb"):
            yield path

    async with recorded.stage(1, "denoise", on_error="continue") as stage:
        found = [pair async for pair in stage.amap(ameasure, listing(), response=lambda length: {"n": length})]
    assert sorted(found) == [("a", 1), ("bb", 2)]
    assert (names(recorded, FileComplete), names(recorded, FileError)) == (["a", "bb"], ["bad"])
    assert completed(recorded)


async def test_at_most_so_many_coroutines_run_at_a_time(recorded: RecordingLogger) -> None:
    most = 0

    async def work(path: str) -> None:
        nonlocal most
        most = max(most, len(stage.in_flight))
        await asyncio.sleep(0.001)

    async with recorded.stage(1, "denoise") as stage:
        async for _ in stage.amap(work, map(str, range(50)), limit=4):
            pass
    assert most == 4
    assert len(names(recorded, FileComplete)) == 50


async def test_the_first_failure_cancels_the_other_coroutines(recorded: RecordingLogger) -> None:
    cancelled: list[str] = []
    all_begun = asyncio.Barrier(3)

    async def work(path: str) -> None:
        await all_begun.wait()
        if path == "bad":
            raise OSError("no room")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(path)
            raise

    async def run() -> None:
        async with stage:
            async for _ in stage.amap(work, ["a", "bad", "b"], limit=3):
                pass

    stage = recorded.stage(1, "denoise")
    with pytest.raises(OSError, match="no room"):
        await run()
    assert sorted(cancelled) == ["a", "b"]
    assert [event.event_type for event in recorded.events] == ["stage_start", "file_error"]
    assert stage.in_flight == {}


async def test_a_break_ends_the_coroutines_before_the_stage_is_complete(recorded: RecordingLogger) -> None:
    async def work(path: str) -> None:
        await asyncio.sleep(0 if path == "a" else 60)

    async with recorded.stage(1, "denoise") as stage:
        async for _ in stage.amap(work, ["a", "b", "c"], limit=2):
            break
    assert stage.in_flight == {}
    assert [event.event_type for event in recorded.events] == ["stage_start", "file_complete", "stage_complete"]
