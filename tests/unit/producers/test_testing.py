"""Users test their pipelines' reporting with a logger that records."""

from __future__ import annotations

import pytest
from headway import EventLogger, InvalidArgument
from headway.testing import RecordingLogger
from headway_events import percent


def pipeline(batch_id: int) -> None:
    """A pipeline as in the guide, which calls EventLogger on the class."""
    EventLogger.announce(batch_id, name="Nightly")
    with EventLogger.stage(batch_id, "denoise", total_files=500) as stage:
        for number in range(500):
            if number < 495:
                stage.done(f"audio{number:03d}.wav", {"status": "success"})
            else:
                stage.failed(f"audio{number:03d}.wav", "too short")
    EventLogger.batch_complete(batch_id)


def test_a_pipelines_calls_on_the_class_are_recorded_and_counted() -> None:
    with RecordingLogger() as recorded:
        pipeline(123)
    batch = recorded.batch(123)
    run = batch.stages["denoise"][-1]
    assert (run.processed, run.errors, run.total, percent(run)) == (495, 5, 500, 99)
    assert batch.closed
    assert recorded.names == {123: "Nightly"}


def test_batches_are_told_apart() -> None:
    recorded = RecordingLogger()
    recorded.file_complete(1, "denoise", "a.wav")
    recorded.file_complete(2, "denoise", "a.wav")
    assert recorded.batch(1).stages["denoise"][-1].processed == 1
    assert recorded.batch(3).stages == {}


def test_the_process_has_its_own_logger_back_afterwards() -> None:
    with RecordingLogger() as outer:
        with RecordingLogger() as inner:
            EventLogger.stage_start(1, "denoise")
        EventLogger.stage_start(1, "encode")
    assert EventLogger._default is not outer
    assert [len(inner.events), len(outer.events)] == [1, 1]


def test_it_refuses_what_the_real_one_refuses() -> None:
    with RecordingLogger(), pytest.raises(InvalidArgument, match=r"^total_files: "):
        EventLogger.stage_start(123, "denoise", total_files=-1)


def test_it_records_where_reporting_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_DISABLED", "1")
    with RecordingLogger() as recorded:
        EventLogger.stage_start(123, "denoise")
    assert len(recorded.events) == 1


def test_flush_and_close_have_nothing_to_wait_for() -> None:
    recorded = RecordingLogger()
    recorded.stage_start(123, "denoise")
    assert (recorded.flush(0), recorded.close(0), recorded.lost) == (0, 0, 0)
    assert len(recorded.events) == 1
