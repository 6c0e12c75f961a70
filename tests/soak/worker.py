"""A worker of a pipeline: batch after batch until SIGTERM. After a kill the next life begins its batch's stages again.

    python -m soak.worker FIRST_BATCH JOURNAL

Every file event has a serial number in its response. The journal says which of them Kafka has acknowledged.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

from headway import EventLogger

STAGES: Final = ("denoise", "transcribe")
FILES: Final = (50, 400)  # of a batch
FILE_S: Final = 0.01
FAILED_SHARE: Final = 0.1
RETRIED_SHARE: Final = 0.7  # of those that failed
TWICE_SHARE: Final = 0.05
ASKS_EVERY: Final = 25  # files: whether Kafka has all of them
ASKS_FOR_S: Final = 0.2
HEARTBEAT_EVERY: Final = 40  # files
CLOSE_TIMEOUT_S: Final = 30.0


class Journal:
    """What a worker knows for sure, over its lives: lines that outlive a kill."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, *words: object) -> None:
        """Add a line."""
        with self._path.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    def entries(self, what: str) -> list[list[int]]:
        """The numbers in each line of a kind."""
        lines = map(str.split, self._path.read_text().splitlines() if self._path.exists() else [])
        return [list(map(int, numbers)) for kind, *numbers in lines if kind == what]


class Worker:
    """One life."""

    def __init__(self, journal: Journal, logger: EventLogger, stopping: threading.Event) -> None:
        self._journal, self._logger, self._stopping = journal, logger, stopping
        self.life = len(journal.entries("life")) + 1
        self.serial = 0
        self._chance = random.Random()
        journal.write("life", self.life)

    def work(self, batch_id: int) -> None:
        """Do a batch from its beginning to its end, which comes soon once it is to stop."""
        self._journal.write("batch", batch_id)
        files = random.Random(batch_id).randint(*FILES)
        for stage in STAGES:
            self._do(batch_id, stage, [f"audio{number:05d}.wav" for number in range(files)])
        self._logger.batch_complete(batch_id)
        while self._logger.flush(ASKS_FOR_S) > 0:
            pass  # the next life must know for sure that this batch needs nothing more
        self._journal.write("closed", batch_id)

    def _do(self, batch_id: int, stage: str, names: list[str]) -> None:
        self._logger.stage_start(batch_id, stage, total_files=len(names))
        failed = [name for name in names if not self._process(batch_id, stage, name)]
        retried = [name for name in failed if self._chance.random() < RETRIED_SHARE]
        failed_again = [name for name in retried if not self._process(batch_id, stage, name)]
        errors = len(failed) - len(retried) + len(failed_again)
        self._logger.stage_complete(batch_id, stage, processed_files=len(names) - errors, failed_files=errors)
        self._report(batch_id, stage, names[0], succeeded=True)  # too late

    def _process(self, batch_id: int, stage: str, name: str) -> bool:
        """Take the time that a file takes, and report it, perhaps twice. Whether it succeeded."""
        if not self._stopping.is_set():
            time.sleep(FILE_S)
        succeeded = self._chance.random() > FAILED_SHARE
        for _ in range(1 + (self._chance.random() < TWICE_SHARE)):
            self._report(batch_id, stage, name, succeeded=succeeded)
        if self.serial % HEARTBEAT_EVERY == 0:
            self._logger.worker_heartbeat(batch_id, stage, self._logger.worker, [name])
        if self.serial % ASKS_EVERY == 0 and self._logger.flush(ASKS_FOR_S) == 0:
            self._journal.write("acknowledged", self.life, self.serial)
        return succeeded

    def _report(self, batch_id: int, stage: str, name: str, *, succeeded: bool) -> None:
        self.serial += 1
        response = {"status": "success" if succeeded else "error", "life": self.life, "serial": self.serial}
        self._logger.file_complete(batch_id, stage, name, response=response)


def main(first_batch: int, path: Path) -> None:
    """Work until told to stop; note what was lost and acknowledged in all."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    journal, logger = Journal(path), EventLogger()
    closed = journal.entries("closed")
    batch_id = closed[-1][0] + 1 if closed else first_batch
    worker = Worker(journal, logger, stopping)
    while not stopping.is_set():
        worker.work(batch_id)
        batch_id += 1
    if logger.close(CLOSE_TIMEOUT_S) == 0:
        journal.write("acknowledged", worker.life, worker.serial)
    journal.write("lost", logger.lost)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
