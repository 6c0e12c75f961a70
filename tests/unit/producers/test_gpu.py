"""Which GPU is a worker's own: by CUDA_VISIBLE_DEVICES, else the only one, else by who computes on it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from headway.gpu import Sampler, own_gpu, visible_gpus

UUIDS = ["GPU-0aaa", "GPU-1bbb", "GPU-1bcc", "GPU-3ddd"]


@pytest.mark.parametrize(
    ("setting", "visible"),
    [
        (None, [0, 1, 2, 3]),
        ("2", [2]),
        (" 3, 0 ", [3, 0]),
        ("GPU-3ddd", [3]),
        ("GPU-3,0", [3, 0]),
        ("GPU-1b,0", []),  # CUDA takes the beginning of a UUID only where it names one
        ("0,7,1", [0]),  # and nothing after what names none
        ("-1", []),
        ("none", []),
        ("", []),
        ("GPU-", []),
        ("MIG-GPU-0aaa/1/0", []),
        ("MIG-0e1f,1", [1]),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(setting: str | None, visible: list[int]) -> None:
    assert visible_gpus(UUIDS, setting) == visible


def test_the_only_gpu_that_can_be_used_is_the_workers_own() -> None:
    assert own_gpu([3], 4711, lambda _: set()) == 3


@pytest.mark.parametrize(
    ("users", "own"),
    [
        ({0: {1}, 1: {4711}, 2: set()}, 1),
        ({0: {4711}, 1: {4711}, 2: set()}, None),  # on both: neither is its own
        ({0: set(), 1: set(), 2: {1}}, None),  # has not begun to compute, or is another in its container's count
    ],
)
def test_of_several_gpus_the_workers_own_is_the_one_that_it_computes_on(
    users: dict[int, set[int]], own: int | None
) -> None:
    assert own_gpu([0, 1, 2], 4711, lambda index: users[index]) == own


def test_without_a_gpu_none_is_its_own() -> None:
    assert own_gpu([], 4711, lambda _: {4711}) is None


def test_without_a_driver_nothing_is_said_and_nvml_is_asked_once(caplog: pytest.LogCaptureFixture) -> None:
    pynvml = pytest.importorskip("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        pass
    else:
        pytest.skip("this machine has a driver")
    caplog.set_level(logging.DEBUG, "headway")
    sampler = Sampler()
    sampler.sample()
    sampler.sample()
    assert (sampler.own, sampler.visible) == (None, [])
    (said,) = caplog.messages
    assert "NVMLError_LibraryNotFound" in said


def test_without_the_extra_the_debug_log_names_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "headway")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    Sampler().sample()
    assert "headway[gpu]" in caplog.text


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library that answers like NVIDIA's, on a machine of three GPUs."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).parents[2] / "support" / "nvml.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "libnvidia-ml.so.1", source], check=True)
    return folder


WORKER = """
import os, time
os.environ["STUB_NVML_USER"] = str(os.getpid())
import msgspec
from headway.testing import RecordingLogger
from headway_events import FileComplete, WorkerHeartbeat

recorded = RecordingLogger(heartbeat_s=0.05)
with recorded.stage(1, "denoise") as stage:
    while not any(isinstance(event, WorkerHeartbeat) and event.gpus for event in recorded.events):
        time.sleep(0.01)
    stage.done("a")
(beat, *_) = [event for event in recorded.events if isinstance(event, WorkerHeartbeat) and event.gpus]
(file,) = [event for event in recorded.events if isinstance(event, FileComplete)]
print(msgspec.json.encode({"own": file.gpu, "visible": beat.gpus}).decode())
"""


@pytest.mark.parametrize(
    ("visible", "own", "indices"),
    [(None, 1, [0, 1, 2]), ("2", 2, [2]), ("GPU-0002,GPU-0000", None, [2, 0])],
    ids=["by its process", "by index", "not certain"],
)
def test_files_name_the_workers_gpu_and_heartbeats_all_that_it_sees(
    library: Path, visible: str | None, own: int | None, indices: list[int]
) -> None:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = visible
    done = subprocess.run(
        [sys.executable, "-c", WORKER], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    said = json.loads(done.stdout)
    busy = {"memoryUsedBytes": 20, "memoryTotalBytes": 80}
    gpus = {
        0: {"index": 0, "name": "Stub 0", "uuid": "GPU-0000", **busy, "utilizationPercent": 97.0},
        1: {"index": 1, "name": "Stub 1", "uuid": "GPU-0001", **busy, "utilizationPercent": 97.0},
        2: {"index": 2, "name": "Stub 2", "uuid": "GPU-0002", **busy},
    }
    assert said == {"own": None if own is None else gpus[own], "visible": [gpus[index] for index in indices]}
