"""A worker of a pipeline as a process of a test: heartbeats every BEAT_S while it works on one file after another.

    python -m support.worker BATCH STAGE WORKER FILE_S FILE...

Each file takes FILE_S seconds. What Kafka has of it is what was logged until it is killed.
"""

from __future__ import annotations

import sys
import time

from headway import EventLogger

BEAT_S = 0.2


def work(batch_id: int, stage: str, worker: str, file_s: float, files: list[str]) -> None:
    """Process the files and be idle."""
    for name in files:
        ends = time.monotonic() + file_s
        while (left_s := ends - time.monotonic()) > 0:
            EventLogger.worker_heartbeat(batch_id, stage, worker, [name])
            time.sleep(min(left_s, BEAT_S))
        EventLogger.file_complete(batch_id, stage, name)
    EventLogger.worker_heartbeat(batch_id, stage, worker, [])


if __name__ == "__main__":
    work(int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5:])
