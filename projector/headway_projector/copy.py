"""Rows in PostgreSQL's COPY text format. Pure: events in, text out.

Built by hand since writing the log is most of what the projector does, and asyncpg spends more on turning a
timestamp and a JSON document into its binary form than on all the rest of a row.

Source: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final

from headway_events import BatchComplete, Event, FileComplete, FileEvent, StageComplete, StageProgress, StageStart
from msgspec import Raw, to_builtins

LOG_COLUMNS: Final = (
    "batchid", "stage", "eventtype", "filename", "response", "totalfiles", "processedfiles", "failedfiles", "gpuip",
    "durationms", "timestamp", "topicoffset", "run", "late", "value", "logweek",
)  # fmt: skip
OUTCOME_COLUMNS: Final = (
    "logweek", "batchid", "stage", "run", "filename", "outcome", "topicoffset", "durationms", "retried",
)  # fmt: skip
NULL: Final = "\\N"

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_ESCAPED_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_NO_COUNTS: Final = f"{NULL}\t{NULL}\t{NULL}"


class LogRows:
    """The rows of one batch in the raw log."""

    def __init__(self, batch_id: int, log_week: date, storable: Mapping[int, str]) -> None:
        """No rows yet.

        Args:
            batch_id: the batch.
            log_week: its partition.
            storable: by offset, what to store in place of a response that jsonb cannot hold.
        """
        self._batch_id = batch_id
        self._storable = storable
        self._tail = f"\t{log_week.isoformat()}\n"
        self._heads: dict[str, str] = {}  # by stage
        self._rows: list[str] = []

    def add_file(self, offset: int, event: FileEvent, value: bytes, run: int, *, late: bool) -> tuple[str, str]:
        """Add the report of a file; its name and duration as COPY fields. This is the projector's hot path."""
        text = value.decode()
        name, gpu_ip, response = event.file_name, event.gpu_ip, NULL
        if isinstance(event.response, Raw):
            response = str(event.response, "utf-8")
        if self._storable or not is_plain(text):
            # No escape in a record, none in any of its parts; elsewhere each part is looked at.
            response = response if response == NULL else escaped(self._storable.get(offset) or storable(response))
            name, text = escaped(name), escaped(text)
            gpu_ip = None if gpu_ip is None else escaped(gpu_ip)
        duration = NULL if event.duration_ms is None else repr(event.duration_ms)
        self._rows.append(
            f"{self._heads.get(event.stage) or self._head(event.stage)}"
            f"{'file_complete' if isinstance(event, FileComplete) else 'file_error'}\t{name}\t{response}\t{_NO_COUNTS}"
            f"\t{NULL if gpu_ip is None else gpu_ip}\t{duration}\t{_in_utc(event.timestamp)}"
            f"\t{offset}\t{run}\t{'t' if late else 'f'}\t{text}{self._tail}"
        )
        return name, duration

    def add(self, offset: int, event: Event, value: bytes, run: int | None) -> None:
        """Add any other event."""
        head = f"{self._batch_id}\t{NULL}\t" if isinstance(event, BatchComplete) else self._head(event.stage)
        total = processed = failed = None
        if isinstance(event, StageStart | StageProgress | StageComplete):
            total = event.total_files
        if isinstance(event, StageProgress | StageComplete):
            processed, failed = event.processed_files, event.failed_files
        self._rows.append(
            f"{head}{event.event_type}\t{NULL}\t{NULL}\t{optional(total)}\t{optional(processed)}\t{optional(failed)}"
            f"\t{NULL}\t{NULL}\t{_in_utc(event.timestamp)}\t{offset}\t{optional(run)}\tf\t{escaped(value.decode())}"
            f"{self._tail}"
        )

    def text(self) -> str:
        """All rows, in the order in which they were added."""
        return "".join(self._rows)

    def _head(self, stage: str) -> str:
        head = self._heads[stage] = f"{self._batch_id}\t{escaped(stage)}\t"
        return head


def is_plain(text: str) -> bool:
    """Whether text stands in a COPY field as it is."""
    return not ("\\" in text or "\t" in text or "\n" in text or "\r" in text)


def escaped(text: str) -> str:
    """Text as a COPY field: backslash, tab and line ends escaped."""
    return text if is_plain(text) else text.translate(_ESCAPES)


def optional(value: float | None) -> str:
    """A number or NULL as a COPY field."""
    return NULL if value is None else repr(value)


def storable(response: str) -> str:
    """A response's JSON as jsonb can hold it, as far as that is cheap to see: escaped NUL becomes U+FFFD."""
    return _ESCAPED_NUL.sub(r"\1\\ufffd", response) if "\\u0000" in response else response


def _in_utc(when: datetime | None) -> str:
    """An event's time as a COPY field.

    In UTC, as RFC 3339 allows offsets up to 23:59 and PostgreSQL none beyond 15:59; by msgspec, which writes a time in
    a tenth of what `isoformat` needs.
    """
    if when is None:
        return NULL
    text: str = to_builtins(when if when.tzinfo is UTC else when.astimezone(UTC))
    return text
