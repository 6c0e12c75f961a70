"""Celery with a real worker, whose processes are killed: what it reports is what is in Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from headway_events import FileComplete, Status, WorkerHeartbeat

from support.pipelines import FAILED, FILES, code_blocks, reported, response, run_program
from support.topics import Topics

(PIPELINE,) = [block for block in code_blocks("how-to/integrations.md", "python") if "from celery" in block]

CONFIGURATION = """
from pathlib import Path

here = Path(__file__).parent
for name in ("queue", "control", "results"):
    (here / name).mkdir(exist_ok=True)
broker_url = "filesystem://"
queue = str(here / "queue")
broker_transport_options = {
    "data_folder_in": queue, "data_folder_out": queue, "control_folder": str(here / "control"), "polling_interval": 0.05
}
result_backend = f"file://{here}/results"
worker_lost_wait = 0.1
"""

DEADLY = """
import time
from headway.integrations import celery as integration

integration.HEARTBEAT_EVERY_S = 0

@app.task
@file_task(stage="denoise")
def fragile(path, batch_id):
    time.sleep(1.2)  # longer than the worker's heartbeats are apart
    return denoise_file(path)
"""
"""Without `acks_late` a task whose process is killed has failed: else Celery would run the deadly file for ever."""

HAND_OUT = """
import sys
from celery.result import ResultSet
from pipeline import denoise, fragile
from headway import EventLogger
from headway.integrations.celery import complete_stage

batch_id, files = int(sys.argv[1]), sys.argv[2:]
EventLogger.stage_start(batch_id, "denoise", total_files=len(files) + 1)
tasks = [fragile.delay(path, batch_id) if path == "deadly.wav" else denoise.delay(batch_id, path) for path in files]
tasks.append(denoise.apply_async((batch_id, "late.wav"), expires=-1))
unreported = denoise.delay("no number", "020.wav")
complete_stage(ResultSet(tasks), batch_id, "denoise", timeout_s=50)
print(unreported.get(timeout=50)["status"])
"""


@pytest.fixture
def worker(folder: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of two processes, each of which ends after some tasks; killed with the test."""
    (folder / "pipeline.py").write_text(
        PIPELINE.replace("max_retries=2", "max_retries=2, default_retry_delay=0") + DEADLY
    )
    (folder / "celeryconfig.py").write_text(CONFIGURATION)
    command = "-A pipeline worker --concurrency 2 --max-tasks-per-child 200 --heartbeat-interval 1"
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", *command.split()],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        yield process
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    print((folder / "worker.log").read_text()[-10_000:])


@pytest.mark.usefixtures("worker")
def test_495_files_succeed_and_5_fail_whatever_celery_retries_and_whichever_processes_are_killed(
    folder: Path, settings: dict[str, str], topics: Topics, batch_id: int
) -> None:
    files = [path for path in FILES if path != "014.wav"]  # in its place one expires
    (folder / "hand_out.py").write_text(HAND_OUT)
    printed = run_program(folder / "hand_out.py", str(batch_id), *files, environment=settings)
    assert printed == "success\n", "a task that cannot be reported is not harmed"
    run, events, errors = reported(topics, batch_id)
    assert (run.total, run.processed, run.errors, run.late) == (500, 495, 5, 0)
    assert run.attempts == 500, "what Celery repeats is no outcome"
    assert run.status is Status.COMPLETE_WITH_ERRORS
    assert set(errors) == FAILED - {"014.wav"} | {"late.wav"}
    assert errors["011.wav"]["type"] == "ValueError"
    assert errors["deadly.wav"]["type"] == "WorkerLostError"
    assert errors["late.wav"]["message"] == "The task was expired before it ran"
    beats = [event.files_in_flight for event in events if isinstance(event, WorkerHeartbeat)]
    assert any("deadly.wav" in names for names in beats)
    done = {event.file_name: event for event in events if isinstance(event, FileComplete)}
    assert response(done["unlucky.wav"]) == {"status": "success", "denoised": "unlucky.wav"}
    assert all(event.gpu_ip and event.duration_ms is not None for event in done.values())
