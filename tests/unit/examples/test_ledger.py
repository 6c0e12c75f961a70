"""The consumers' ledger knows an event that comes again, by its id or its place."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from headway_events import BatchComplete, FileComplete, TopicNames, encode

from examples.consumers.ledger import Ledger

TOPIC = "headway-batch-7"
FILE = encode(FileComplete(batch_id=7, stage="denoise", file_name="a.wav", duration_ms=5.0))
HEADERS = {"ce_source": b"/gpu-3/17", "ce_id": b"1"}


def rows(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as database:
        return database.execute("SELECT * FROM attempt ORDER BY id").fetchall()


def test_an_event_that_comes_again_is_noted_once_whether_it_was_read_or_written_twice(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", TopicNames())
    for offset in (0, 0, 9):  # read twice; written twice
        ledger.take(TOPIC, offset, HEADERS, FILE)
    for offset in (20, 20, 21):  # of a producer that gives no ids: places tell them apart
        ledger.take(TOPIC, offset, {}, FILE)
    ledger.take(TOPIC, 22, HEADERS | {"ce_source": b"/gpu-4/17"}, FILE)  # ids are each producer's own
    ledger.commit()
    known_by = ["/gpu-3/17 1", "/gpu-4/17 1", f"{TOPIC} 20", f"{TOPIC} 21"]
    assert rows(tmp_path / "ledger.db") == [(one, 7, "denoise", "a.wav", "file_complete", 5.0) for one in known_by]


def test_what_is_no_event_of_a_file_of_a_batch_is_passed_over(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", TopicNames())
    ledger.take(TOPIC, 0, HEADERS, b"no event")
    ledger.take(TOPIC, 1, HEADERS, None)
    ledger.take(TOPIC, 2, HEADERS, encode(BatchComplete(batch_id=7)))
    ledger.take("headway-batches", 3, HEADERS, FILE)
    ledger.take("headway-batch-8", 4, HEADERS, FILE)  # of another batch than its topic's
    ledger.commit()
    assert rows(tmp_path / "ledger.db") == []
