"""While a stage is open its worker says that it is alive and what it is on; after that nothing is left running."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from headway.heartbeat import MOST_LISTED_CHARACTERS, listed
from headway.intervals import is_heartbeat_due
from headway.testing import RecordingLogger
from headway_events import WorkerHeartbeat

from support.eventually import eventually

QUICK = {"heartbeat_s": 0.2, "heartbeat_changed_s": 0.02}


@pytest.mark.parametrize(
    ("seconds", "changed", "due"),
    [(1.9, True, False), (2.0, True, True), (4.9, False, False), (5.0, False, True), (5.0, True, True)],
)
def test_a_change_is_told_sooner_but_not_at_once(seconds: float, changed: bool, due: bool) -> None:
    assert is_heartbeat_due(seconds, changed=changed, every_s=5.0, changed_s=2.0) is due


def test_a_heartbeat_lists_a_thousand_files_at_most_and_never_more_than_a_record_holds() -> None:
    names = [f"{number}.wav" for number in range(2_500)]
    assert listed(names) == (names[:1_000], 1_500)
    assert listed(names[:1_000]) == (names[:1_000], 0)
    few, more = listed(["語" * 600] * 1_000)
    assert len(few) + more == 1_000
    assert sum(map(len, few)) <= MOST_LISTED_CHARACTERS < sum(map(len, few)) + 600


def test_a_name_that_readers_would_refuse_costs_no_heartbeat() -> None:
    assert listed(["a", "", "b\0", "x" * 1_025, "語" * 700, "c"]) == (["a", "c"], 4)


def beats(recorded: RecordingLogger) -> list[WorkerHeartbeat]:
    return [event for event in recorded.events if isinstance(event, WorkerHeartbeat)]


def heart_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "headway-heartbeat"]


async def test_the_files_in_flight_are_told_and_a_last_heartbeat_that_there_are_none() -> None:
    recorded = RecordingLogger(worker="gpu-7", **QUICK)
    with recorded.stage(1, "denoise") as stage:
        with stage.file("a"), stage.file("b"):
            await eventually(lambda: beats(recorded), lambda found: found != [] and len(found[-1].files_in_flight) == 2)
        await eventually(lambda: beats(recorded)[-1].files_in_flight, lambda files: files == [])
        with stage.file("c"):
            await eventually(lambda: beats(recorded)[-1].files_in_flight, lambda files: files == ["c"])
    last = beats(recorded)[-1]
    assert (last.worker, last.files_in_flight, last.host) == ("gpu-7", [], os.uname().nodename)
    assert [event.event_type for event in recorded.events[-2:]] == ["worker_heartbeat", "stage_complete"]
    await eventually(heart_threads, lambda threads: threads == [])


@pytest.mark.parametrize("form", ["track", "map", "wrap"])
async def test_every_form_tells_its_files(form: str) -> None:
    recorded = RecordingLogger(**QUICK)
    told = threading.Event()

    def work(path: str) -> None:
        assert told.wait(10)

    def told_of_a() -> bool:
        return any(beat.files_in_flight == ["a"] for beat in beats(recorded))

    def run() -> None:
        with recorded.stage(1, "denoise") as stage:
            if form == "track":
                for path in stage.track(["a"]):
                    work(path)
            elif form == "map":
                list(stage.map(inner, work, ["a"]))
            else:
                stage.wrap(work)("a")

    with ThreadPoolExecutor(1) as outer, ThreadPoolExecutor(1) as inner:
        running = outer.submit(run)
        await eventually(told_of_a, bool)
        told.set()
        running.result()
    assert beats(recorded)[-1].files_in_flight == []


async def test_a_stage_that_reports_only_ends_says_that_its_worker_is_alive() -> None:
    recorded = RecordingLogger(**QUICK)
    with recorded.stage(1, "denoise") as stage:
        stage.done("a")
        await eventually(lambda: len(beats(recorded)), lambda count: count >= 2)
    assert {tuple(beat.files_in_flight) for beat in beats(recorded)} == {()}


def test_a_short_stage_needs_no_heartbeat() -> None:
    recorded = RecordingLogger(heartbeat_s=5.0)
    with recorded.stage(1, "denoise") as stage, stage.file("a"):
        pass
    assert beats(recorded) == []


async def test_a_loop_left_by_break_says_that_its_worker_is_on_nothing_any_more() -> None:
    recorded = RecordingLogger(**QUICK)
    for _ in recorded.track(["a", "b"], batch_id=1, stage="denoise"):
        await eventually(lambda: beats(recorded), bool)
        break
    assert beats(recorded)[-1].files_in_flight == []
    await eventually(heart_threads, lambda threads: threads == [])


def test_switched_off_nothing_is_started(recorded_off: Callable[[], RecordingLogger]) -> None:
    before = threading.enumerate()
    with recorded_off().stage(1, "denoise") as stage, stage.file("a"):
        assert [thread.name for thread in threading.enumerate() if thread not in before] == []


@pytest.fixture(params=[{"heartbeat_s": 0.0}, {"disabled": True, "heartbeat_s": 0.01}], ids=str)
def recorded_off(request: pytest.FixtureRequest) -> Callable[[], RecordingLogger]:
    return lambda: RecordingLogger(**request.param)


FORKING = """
import os, sys, threading, time
from headway.testing import RecordingLogger
from headway_events import WorkerHeartbeat

def beats(recorded):
    return [event for event in recorded.events if isinstance(event, WorkerHeartbeat)]

def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

recorded = RecordingLogger(heartbeat_s=0.1, heartbeat_changed_s=0.02)
with recorded.stage(1, "denoise", shared=True) as stage, stage.file("parents"):
    until(lambda: beats(recorded))
    pid = os.fork()
    if pid == 0:
        assert "headway-heartbeat" not in [thread.name for thread in threading.enumerate()]
        assert recorded.events == []
        with recorded.join(1, "denoise") as joined, joined.file("childs"):
            until(lambda: beats(recorded))
        names = {name for beat in beats(recorded) for name in beat.files_in_flight}
        workers = {beat.worker.rpartition(":")[2] for beat in beats(recorded)}
        os._exit(0 if (names, workers) == ({"childs"}, {str(os.getpid())}) else 1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    count = len(beats(recorded))
    until(lambda: len(beats(recorded)) > count)
"""


def test_a_forked_child_beats_for_what_is_its_own_and_its_parent_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_that_ends_amid_a_stage_waits_for_no_heartbeat() -> None:
    code = (
        "from headway.testing import RecordingLogger\n"
        "stage = RecordingLogger(heartbeat_s=60.0, heartbeat_changed_s=30.0).stage(1, 'denoise')\n"
        "stage.begin()\n"
        "stage.file('a').begin()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")
