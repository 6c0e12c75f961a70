"""A stage's block and its iterator report what happened, and nothing that did not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from headway.testing import RecordingLogger
from headway_events import FileComplete, FileError, StageComplete, StageProgress, StageStart


@pytest.fixture
def recorded() -> RecordingLogger:
    return RecordingLogger()


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
