"""A wrong argument is refused with its name and value; what is meant for certain is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headway import EventLogger, InvalidArgument
from headway.testing import RecordingLogger
from headway_events import FileComplete, HeadwayError, StageComplete


@pytest.fixture
def recorded() -> RecordingLogger:
    return RecordingLogger()


@pytest.mark.parametrize("batch_id", ["12", 1.0, True, None, 2**63, -(2**63) - 1, b"1", [1]], ids=repr)
def test_a_batch_id_that_is_no_64_bit_integer_is_refused_by_every_call(
    recorded: RecordingLogger, batch_id: Any
) -> None:
    calls: dict[str, tuple[Any, ...]] = {
        "announce": (),
        "stage_start": ("denoise",),
        "file_complete": ("denoise", "a.wav"),
        "file_error": ("denoise", "a.wav", "broken"),
        "stage_progress": ("denoise", 1),
        "stage_complete": ("denoise", 1),
        "worker_heartbeat": ("denoise", "worker-1", []),
        "batch_complete": (),
    }
    for name, arguments in calls.items():
        with pytest.raises(InvalidArgument, match=r"^batch_id: expected ") as raised:
            getattr(recorded, name)(batch_id, *arguments)
        assert repr(batch_id) in str(raised.value)
    assert recorded.events == []


@pytest.mark.parametrize(
    ("call", "arguments", "argument"),
    [
        ("stage_start", {"stage": None}, "stage"),
        ("stage_start", {"stage": ""}, "stage"),
        ("stage_start", {"stage": "x" * 101}, "stage"),
        ("stage_start", {"stage": "x\0"}, "stage"),
        ("stage_start", {"stage": "x\udc80"}, "stage"),
        ("stage_start", {"stage": "x", "total_files": -1}, "total_files"),
        ("stage_start", {"stage": "x", "total_files": 1.5}, "total_files"),
        ("stage_start", {"stage": "x", "total_files": 2**31}, "total_files"),
        ("stage_start", {"stage": "x", "total_files": "500"}, "total_files"),
        ("file_complete", {"stage": "x", "file_name": ""}, "file_name"),
        ("file_complete", {"stage": "x", "file_name": None}, "file_name"),
        ("file_complete", {"stage": "x", "file_name": b"a.wav"}, "file_name"),
        ("file_complete", {"stage": "x", "file_name": "a" * 1025}, "file_name"),
        ("file_complete", {"stage": "x", "file_name": "a\0"}, "file_name"),
        ("file_complete", {"stage": "x", "file_name": "a", "gpu_ip": 7}, "gpu_ip"),
        ("file_complete", {"stage": "x", "file_name": "a", "gpu_ip": object()}, "gpu_ip"),
        ("file_complete", {"stage": "x", "file_name": "a", "duration_ms": -1}, "duration_ms"),
        ("file_complete", {"stage": "x", "file_name": "a", "duration_ms": "1"}, "duration_ms"),
        ("file_error", {"stage": "x", "file_name": "a", "error": None}, "error"),
        ("stage_progress", {"stage": "x", "processed_files": None}, "processed_files"),
        ("stage_progress", {"stage": "x", "processed_files": 1, "failed_files": -1}, "failed_files"),
        ("stage_complete", {"stage": "x", "processed_files": 1, "failed_files": "0"}, "failed_files"),
        ("worker_heartbeat", {"stage": "x", "worker": 7, "files_in_flight": []}, "worker"),
        ("worker_heartbeat", {"stage": "x", "worker": "w", "files_in_flight": [5]}, "file_name"),
        ("announce", {"name": 3}, "name"),
        ("announce", {"name": "a\0"}, "name"),
        ("announce", {"labels": {"team": 1}}, "labels"),
        ("announce", {"labels": {"team": "x" * 200_000}}, "labels"),
    ],
)
def test_a_wrong_argument_is_refused_with_its_name(
    recorded: RecordingLogger, call: str, arguments: dict[str, Any], argument: str
) -> None:
    with pytest.raises(ValueError, match=f"^{argument}: ") as raised:
        getattr(recorded, call)(123, **arguments)
    assert isinstance(raised.value, HeadwayError)
    assert recorded.events == []
    assert recorded.names == {}


def test_numbers_of_numpy_are_taken_for_what_they_are(recorded: RecordingLogger) -> None:
    recorded.stage_complete(np.int64(123), "denoise", np.int32(495), np.uint8(5))  # type: ignore[arg-type]
    recorded.file_complete(123, "denoise", "a.wav", duration_ms=np.float32(1.5))  # type: ignore[arg-type]
    complete, file = recorded.events
    assert isinstance(complete, StageComplete)
    assert (complete.batch_id, complete.processed_files, complete.failed_files) == (123, 495, 5)
    assert isinstance(file, FileComplete)
    assert file.duration_ms == 1.5


def test_a_number_of_numpy_out_of_range_is_refused_with_its_name(recorded: RecordingLogger) -> None:
    with pytest.raises(InvalidArgument, match=r"^processed_files: expected `int` >= 0, got -1$"):
        recorded.stage_progress(123, "denoise", np.int64(-1))  # type: ignore[arg-type]


def test_a_response_nested_too_deeply_never_costs_the_file(recorded: RecordingLogger) -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    recorded.file_complete(123, "denoise", "a.wav", None, deep)
    recorded.file_complete(123, "denoise", "b.wav", None, {"status": "error", "detail": deep})
    assert [event.event_type for event in recorded.events] == ["file_complete", "file_error"]
    run = recorded.batch(123).stages["denoise"][-1]
    assert (run.processed, run.errors) == (1, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("in/a.wav", "in/a.wav"), (Path("in/a.wav"), "in/a.wav"), ("音声.wav", "音声.wav"), ("a\udc80", "a\\udc80")],
)
def test_a_file_is_named_by_text_or_path_whatever_bytes_its_name_has(
    recorded: RecordingLogger, name: str | Path, expected: str
) -> None:
    recorded.file_complete(123, "denoise", name)
    (event,) = recorded.events
    assert isinstance(event, FileComplete)
    assert event.file_name == expected


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        ({"bootstrp": "x"}, "bootstrp"),
        ({"bootstrap": 5}, "bootstrap"),
        ({"spool_dir": 5}, "spool_dir"),
        ({"spool_bytes": -1}, "spool_bytes"),
        ({"buffer_bytes": True}, "buffer_bytes"),
        ({"close_timeout_s": float("inf")}, "close_timeout_s"),
        ({"close_timeout_s": float("nan")}, "close_timeout_s"),
        ({"disabled": "no"}, "disabled"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(settings: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{argument}: "):
        EventLogger(**settings)
