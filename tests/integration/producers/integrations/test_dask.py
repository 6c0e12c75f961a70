"""Dask on a real cluster of processes, some of which are killed: what its scheduler reports is what is in Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway_events import FileComplete, Status, WorkerHeartbeat

from support.pipelines import FAILED, FILES, code_blocks, reported, run_program
from support.topics import Topics

(PIPELINE,) = [block for block in code_blocks("how-to/integrations.md", "python") if "distributed" in block]

CANCELLED = """
import sys, time
from distributed import Client, LocalCluster
from headway.integrations import dask
from headway.integrations.dask import map_files

dask.HEARTBEAT_EVERY_S = 0.1

def sleep(path):
    time.sleep(1.2)  # longer than the scheduler takes to hear what a worker runs

if __name__ == "__main__":
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    with cluster, Client(cluster) as client:
        first, second, third = map_files(client, sleep, ["a", "b", "c"], batch_id=int(sys.argv[1]), stage="denoise")
        first.result()
        client.cancel([third])
        second.result()
        assert not map_files(client, sleep, [], batch_id=int(sys.argv[2]), stage="denoise")
        assert all("headway" not in type(plugin).__module__ for plugin in cluster.scheduler.plugins.values())
"""


@pytest.fixture
def environment(settings: dict[str, str]) -> dict[str, str]:
    """A file may kill two workers, and only what they run at that moment is suspected of it."""
    return {
        **settings,
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "1.0",
    }


def test_495_files_succeed_and_5_fail_whatever_dask_retries_and_whichever_workers_are_killed(
    folder: Path, environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    pipeline = folder / "pipeline.py"
    pipeline.write_text(f"{PIPELINE}\n\nif __name__ == '__main__':\n    print(len(run({batch_id}, {FILES!r})))\n")
    assert run_program(pipeline, environment=environment) == "495\n", "the results are what Dask gives without Headway"
    run, events, errors = reported(topics, batch_id)
    assert (run.total, run.processed, run.errors, run.late) == (500, 495, 5, 0)
    assert run.attempts == 500, "what Dask repeats is no outcome"
    assert run.status is Status.COMPLETE_WITH_ERRORS
    assert set(errors) == FAILED
    assert errors["011.wav"]["type"] == "ValueError"
    assert "denoise_file" in errors["011.wav"]["traceback"]
    assert errors["deadly.wav"]["type"] == "KilledWorker"
    done = [event for event in events if isinstance(event, FileComplete)]
    assert all(event.gpu_ip == "127.0.0.1" and event.duration_ms is not None for event in done)


def test_a_cancelled_file_has_failed_heartbeats_name_those_in_flight_and_the_plugin_goes_with_the_stage(
    folder: Path, environment: dict[str, str], topics: Topics, batch_id: int
) -> None:
    pipeline = folder / "pipeline.py"
    pipeline.write_text(CANCELLED)
    run_program(pipeline, str(batch_id), str(batch_id + 1), environment=environment)
    run, events, errors = reported(topics, batch_id)
    assert (run.total, run.processed, run.errors, run.late) == (3, 2, 1, 0)
    assert set(errors) == {"c"}
    beats = [event.files_in_flight for event in events if isinstance(event, WorkerHeartbeat)]
    assert ["b"] in beats
    nothing = reported(topics, batch_id + 1).run
    assert (nothing.total, nothing.processed, nothing.status) == (0, 0, Status.COMPLETE)
