"""A stage's block and its iterator report what happened, and nothing that did not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from headway import EventLogger, InvalidArgument
from headway.testing import RecordingLogger
from headway_events import FileComplete, FileError, StageComplete, StageProgress, StageStart


@pytest.fixture
def recorded() -> RecordingLogger:
    return RecordingLogger()


def kinds(recorded: RecordingLogger) -> list[str]:
    return [event.event_type for event in recorded.events]


def test_an_exception_that_leaves_the_block_leaves_the_stage_unfinished(recorded: RecordingLogger) -> None:
    def run() -> None:
        with recorded.stage(123, "denoise", total_files=2) as stage:
            stage.done("a.wav")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        run()
    assert [event.event_type for event in recorded.events] == ["stage_start", "file_complete"]


def test_threads_that_share_a_stage_are_counted_together(recorded: RecordingLogger) -> None:
    with recorded.stage(123, "denoise", total_files=2_000) as stage, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: stage.done(f"{number}.wav"), range(1_900)))
        list(pool.map(lambda number: stage.failed(f"{number}.wav", "short"), range(1_900, 2_000)))
    complete = recorded.events[-1]
    assert isinstance(complete, StageComplete)
    assert (complete.processed_files, complete.failed_files, complete.total_files) == (1_900, 100, 2_000)
    assert len({event.file_name for event in recorded.events if isinstance(event, FileComplete | FileError)}) == 2_000
    checkpoints = [event.processed_files for event in recorded.events if isinstance(event, StageProgress)]
    assert checkpoints == sorted(checkpoints)


def test_a_stage_says_where_its_files_are_processed(recorded: RecordingLogger) -> None:
    with recorded.stage(123, "denoise", gpu_ip="10.0.0.7") as stage:
        stage.done("a.wav", duration_ms=2.5)
    file = recorded.events[1]
    assert isinstance(file, FileComplete)
    assert (file.gpu_ip, file.duration_ms) == ("10.0.0.7", 2.5)


def test_track_knows_the_total_of_what_has_a_length_and_takes_what_has_none(recorded: RecordingLogger) -> None:
    list(recorded.track(["a", "b"], batch_id=1, stage="denoise"))
    list(recorded.track(iter(["a", "b"]), batch_id=2, stage="denoise"))
    totals = [event.total_files for event in recorded.events if isinstance(event, StageStart)]
    assert totals == [2, None]
    assert recorded.batch(2).stages["denoise"][-1].processed == 2


def test_a_path_left_by_break_is_not_reported_as_done(recorded: RecordingLogger) -> None:
    for path in recorded.track(["a", "b", "c"], batch_id=1, stage="denoise"):
        if path == "b":
            break
    assert [event.event_type for event in recorded.events] == ["stage_start", "file_complete"]


def test_a_path_whose_turn_an_exception_ends_is_not_reported_without_a_block(recorded: RecordingLogger) -> None:
    def run() -> None:
        for path in recorded.track(["a", "b"], batch_id=1, stage="denoise"):
            if path == "b":
                raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        run()
    assert kinds(recorded) == ["stage_start", "file_complete"]


def test_a_loop_in_its_block_reports_the_file_that_an_exception_came_from(recorded: RecordingLogger) -> None:
    def run(error: BaseException) -> None:
        with recorded.track(["a", "b"], batch_id=1, stage="denoise") as paths:
            for path in paths:
                if path == "b":
                    raise error

    with pytest.raises(OSError, match="disk"):
        run(OSError("disk"))
    assert kinds(recorded) == ["stage_start", "file_complete", "file_error"]
    with pytest.raises(KeyboardInterrupt):
        run(KeyboardInterrupt())
    assert kinds(recorded)[3:] == ["stage_start", "file_complete"]


def test_a_loop_says_of_its_current_file_what_there_is_to_say(recorded: RecordingLogger) -> None:
    paths = recorded.track(["a", "b"], batch_id=1, stage="denoise")
    for path in paths:
        if path == "a":
            paths.current.failed(OSError("disk"))
        else:
            paths.current.response = {"n": 1}
    assert kinds(recorded) == ["stage_start", "file_error", "file_complete", "stage_complete"]
    assert [event.duration_ms is not None for event in recorded.events if isinstance(event, FileComplete)] == [True]
    with pytest.raises(LookupError):
        _ = paths.current
    assert list(paths) == []


def test_a_loop_that_is_closed_leaves_the_stage_where_it_is(recorded: RecordingLogger) -> None:
    paths = recorded.track(["a", "b"], batch_id=1, stage="denoise")
    assert next(paths) == "a"
    paths.close()
    assert list(paths) == []
    assert kinds(recorded) == ["stage_start"]


def test_paths_that_cannot_be_listed_leave_the_stage_unfinished(recorded: RecordingLogger) -> None:
    def listing() -> Iterator[str]:
        yield "a"
        raise OSError("share is gone")

    with pytest.raises(OSError, match="gone"):
        list(recorded.track(listing(), batch_id=1, stage="denoise"))
    assert kinds(recorded) == ["stage_start", "file_complete"]


def test_what_is_no_path_ends_the_loop_and_leaves_the_stage_unfinished(recorded: RecordingLogger) -> None:
    with pytest.raises(InvalidArgument, match=r"^file_name: ") as raised:
        list(recorded.track(["a", 7], batch_id=1, stage="denoise"))  # type: ignore[type-var]
    assert kinds(recorded) == ["stage_start", "file_complete"]
    assert raised.traceback  # which holds the loop, so that it was not its end that left the stage


async def test_a_loop_may_be_asynchronous_and_so_may_its_paths(recorded: RecordingLogger) -> None:
    async def listing() -> AsyncIterator[str]:
        for name in ("a", "b"):
            await asyncio.sleep(0)
            yield name

    assert [path async for path in recorded.track(listing(), batch_id=1, stage="denoise")] == ["a", "b"]
    assert [path async for path in recorded.track(["a"], batch_id=2, stage="denoise")] == ["a"]
    assert [recorded.batch(batch_id).stages["denoise"][-1].processed for batch_id in (1, 2)] == [2, 1]
    assert [event.total_files for event in recorded.events if isinstance(event, StageStart)] == [None, 1]


async def test_an_asynchronous_loop_left_by_break_reports_like_any_other(recorded: RecordingLogger) -> None:
    async for path in recorded.track(["a", "b", "c"], batch_id=1, stage="denoise"):
        if path == "b":
            break
    assert kinds(recorded) == ["stage_start", "file_complete"]


def test_a_loop_cannot_be_told_to_go_on(recorded: RecordingLogger) -> None:
    with pytest.raises(InvalidArgument, match=r"^on_error: "):
        recorded.track(["a"], batch_id=1, stage="denoise", on_error="continue")
    with pytest.raises(TypeError):
        next(recorded.track(_nothing(), batch_id=1, stage="denoise"))
    assert recorded.events == []


async def _nothing() -> AsyncIterator[str]:
    return
    yield


def test_processes_that_share_a_stage_begin_and_end_it_once_and_count_together(recorded: RecordingLogger) -> None:
    with recorded.stage(1, "denoise", total_files=4, shared=True) as first:
        with recorded.join(1, "denoise", on_error="continue") as second:
            list(second.track(["a", "b"]))
            with second.file("c"):
                raise OSError("disk")
        list(first.track(["d", "c"]))  # what failed elsewhere succeeds here
    assert kinds(recorded).count("stage_start") == kinds(recorded).count("stage_complete") == 1
    assert "stage_progress" not in kinds(recorded)  # nobody knows how far all are
    run = recorded.batch(1).stages["denoise"][-1]
    assert (run.run, run.processed, run.errors, run.total, run.status) == (1, 4, 0, 4, "complete")


def test_a_stage_tells_the_log_how_it_begins_and_ends_even_without_kafka(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "headway")
    with EventLogger(disabled=True).stage(1, "denoise", total_files=2, on_error="continue") as stage:
        for name in ("a", "b"):
            with stage.file(name):
                if name == "b":
                    raise OSError("disk")
    with pytest.raises(KeyboardInterrupt), EventLogger(disabled=True).stage(2, "denoise"):
        raise KeyboardInterrupt
    assert [message for _, _, message in caplog.record_tuples] == [
        "Stage denoise of batch 1 begins: 2 files",
        "Stage denoise of batch 1 is complete: 1 processed, 1 failed",
        "Stage denoise of batch 2 begins, of an unknown number of files",
        "Stage denoise of batch 2 is left unfinished: 0 processed, 0 failed",
    ]
