"""What both consumers do with an event: note how long each file took, once, however often the event comes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headway_events import BadEvent, TopicNames, decode
from headway_events.events import FILE_EVENTS

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS attempt (
    id TEXT PRIMARY KEY, batchId INTEGER, stage TEXT, fileName TEXT, outcome TEXT, durationMs REAL
)"""


class Ledger:
    """A table with a row for each attempt at a file, in a file of SQLite."""

    def __init__(self, path: Path, names: TopicNames) -> None:
        self._names = names
        self._database = sqlite3.connect(path)
        self._database.execute(SCHEMA)
        self.commit = self._database.commit

    def take(self, topic: str, offset: int, headers: Mapping[str, Any], value: bytes | None) -> None:
        """Note a record's event, unless it is noted or is none of a file. It is kept from the next `commit` on.

        A record comes again when a consumer was killed before it committed: under the same offset. A producer that was
        killed may write an event again: under another offset, with the same id.
        """
        batch_id = self._names.batch_of(topic)
        if batch_id is None:
            return
        try:
            event = decode(value, batch_id=batch_id)
        except BadEvent:
            return  # the projector has it among its dead letters
        if isinstance(event, FILE_EVENTS):
            known_by = [headers[name].decode() for name in ("ce_source", "ce_id") if name in headers]
            row = (event.batch_id, event.stage, event.file_name, event.event_type, event.duration_ms)
            self._database.execute(
                "INSERT OR IGNORE INTO attempt VALUES (?, ?, ?, ?, ?, ?)",
                (" ".join(known_by) if len(known_by) == 2 else f"{topic} {offset}", *row),
            )
