"""Ray with real worker processes, some of which are killed: what its driver reports is what is in Kafka."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from headway_events import FileComplete, Status, WorkerHeartbeat

from support.pipelines import FAILED, FILES, code_blocks, reported, run_program
from support.topics import Topics

(PIPELINE,) = [block for block in code_blocks("how-to/integrations.md", "python") if "import ray" in block]

MAIN = """
def save(path, result):
    try:
        saved.append(ray.get(result))
    except Exception:
        failed.append(path)

def slow(path):
    time.sleep(0.5)

if __name__ == "__main__":
    import time
    from headway.integrations import ray as integration

    saved, failed = [], []
    run({batch_id}, {files})
    print(len(saved), len(failed))
    integration.HEARTBEAT_EVERY_S = 0.1
    for path, result in map_files(slow, iter(["a", "b", "c"]), batch_id={batch_id} + 1, stage="denoise", in_flight=2):
        if path == "b":
            break
"""


@pytest.fixture
def environment(settings: dict[str, str]) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="ray") as directory:  # short: Ray's sockets are below it
        yield {**settings, "RAY_TMPDIR": directory, "RAY_USAGE_STATS_ENABLED": "0"}


def test_495_files_succeed_and_5_fail_whatever_ray_retries_and_a_stage_that_is_left_has_no_end(
    folder: Path, environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    start = "ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)"
    pipeline = folder / "pipeline.py"
    main = MAIN.replace("{batch_id}", str(batch_id)).replace("{files}", repr(FILES))
    pipeline.write_text(PIPELINE.replace("ray.init()", start).replace("num_gpus", "num_cpus") + main)
    printed = run_program(pipeline, environment=environment)
    assert "495 5" in printed.splitlines(), "the results are what Ray gives without Headway"

    run, events, errors = reported(topics, batch_id)
    assert (run.total, run.processed, run.errors, run.late) == (500, 495, 5, 0)
    assert run.attempts == 500, "what Ray repeats is no outcome"
    assert run.status is Status.COMPLETE_WITH_ERRORS
    assert set(errors) == FAILED
    assert errors["011.wav"]["type"] == "ValueError"
    assert "denoise_file" in errors["011.wav"]["traceback"]
    assert errors["deadly.wav"]["type"] == "WorkerCrashedError"
    done = [event for event in events if isinstance(event, FileComplete)]
    assert all(event.gpu_ip and event.duration_ms is not None for event in done)

    left, events, _ = reported(topics, batch_id + 1)
    assert (left.total, left.status) == (None, Status.PROCESSING)
    assert any(isinstance(event, WorkerHeartbeat) for event in events)
