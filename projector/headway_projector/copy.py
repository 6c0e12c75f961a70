"""Rows in PostgreSQL's COPY text format. Pure: values in, bytes out.

Built by hand since writing the log is most of what the projector does, and asyncpg spends more on turning a
timestamp and a JSON document into its binary form than on all the rest of a row.

Source: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"
"""

from __future__ import annotations

from typing import Final

LOG_COLUMNS: Final = (
    "batchid", "stage", "eventtype", "filename", "response", "totalfiles", "processedfiles", "failedfiles", "gpuip",
    "durationms", "timestamp", "topicoffset", "run", "late", "value", "logweek",
)  # fmt: skip
OUTCOME_COLUMNS: Final = (
    "logweek", "batchid", "stage", "run", "filename", "outcome", "topicoffset", "durationms",
)  # fmt: skip
NULL: Final = "\\N"

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def escaped(text: str) -> str:
    """Text as a COPY field: backslash, tab and line ends escaped."""
    if "\\" in text or not text.isprintable():
        return text.translate(_ESCAPES)
    return text


def optional(value: object | None) -> str:
    """A number or NULL as a COPY field."""
    return NULL if value is None else str(value)
