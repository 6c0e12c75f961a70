"""A worker has one name in all that it reports."""

from __future__ import annotations

import ipaddress
import os
import socket

import pytest
from headway import EventLogger, InvalidArgument
from headway.testing import RecordingLogger
from headway.worker import address, worker_name
from headway_events import FileComplete, FileError


def test_a_workers_name_is_its_host_and_process_unless_it_is_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_name() == f"{socket.gethostname()}:{os.getpid()}"
    assert EventLogger(worker="gpu-7").worker == "gpu-7"
    monkeypatch.setenv("HEADWAY_WORKER", "gpu-8")
    assert EventLogger().worker == "gpu-8"
    assert worker_name("gpu-\udcff") == "gpu-\\udcff"  # as the environment has bytes that are no UTF-8


def test_a_name_that_no_reader_would_take_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^worker: "):
        EventLogger(worker="gpu\0")
    with pytest.raises(InvalidArgument, match=r"^worker: .* 255 "):
        EventLogger(worker="x" * 256)


def test_every_call_names_the_worker() -> None:
    recorded = RecordingLogger(worker="gpu-7")
    recorded.file_complete(1, "denoise", "a")
    recorded.file_complete(1, "denoise", "b", response={"status": "error"})
    recorded.file_error(1, "denoise", "c", "too short")
    assert [event.worker for event in recorded.events if isinstance(event, FileComplete | FileError)] == ["gpu-7"] * 3


def test_a_stage_says_at_which_address_its_files_are_processed_and_a_call_says_what_it_is_told() -> None:
    recorded = RecordingLogger()
    list(recorded.track(["a"], batch_id=1, stage="denoise"))
    recorded.file_complete(1, "denoise", "b")
    first, second = (event.gpu_ip for event in recorded.events if isinstance(event, FileComplete))
    assert (first, second) == (address(), None)
    if first is not None:  # a machine without any network has none
        ipaddress.ip_address(first)
