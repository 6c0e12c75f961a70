"""A worker that dies in the middle of a file has said which file that was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from headway_events import FileComplete, TopicNames, WorkerHeartbeat, decode

from support.topics import Topics

WORKER = """
import sys, time
from headway import EventLogger

with EventLogger.stage(int(sys.argv[1]), "denoise", total_files=2) as stage:
    with stage.file("a.wav"):
        pass
    with stage.file("b.wav"):
        time.sleep(60)
"""


def test_the_last_that_is_heard_of_a_killed_worker_names_it_and_the_file_it_was_on(
    kafka: str, names: TopicNames, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    settings = {
        "HEADWAY_KAFKA_BOOTSTRAP": kafka,
        "HEADWAY_TOPIC_PREFIX": names.prefix,
        "HEADWAY_REGISTRY_TOPIC": names.registry,
        "HEADWAY_SPOOL_DIR": str(tmp_path / "spool"),
        "HEADWAY_HEARTBEAT_CHANGED_S": "0.05",
    }
    topic = topics.create(batch_id)
    with subprocess.Popen([sys.executable, "-c", WORKER, str(batch_id)], env=settings) as worker:
        try:
            topics.read(topic, at_least=3)
        finally:
            worker.kill()
    *_, file, last = (decode(record.value, batch_id=batch_id) for record in topics.read(topic))
    assert isinstance(file, FileComplete)
    assert isinstance(last, WorkerHeartbeat)
    assert (last.files_in_flight, last.worker) == (["b.wav"], file.worker)
    assert last.worker.endswith(f":{worker.pid}")
