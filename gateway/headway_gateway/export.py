"""Rows of an export as bytes: what they are, and CSV and NDJSON of them. Pure; Parquet is in `parquet`.

CSV follows RFC 4180: a header, CR LF, quotes where they are needed; in UTF-8. Spreadsheets run a cell that begins with
`=`, `+`, `-`, `@`, a tab or a line end as a formula, and what a file is called is not ours to trust: such text gets an
apostrophe before it, and so does text that begins with apostrophes and then one of these, so that taking one away
gives back what was there. NDJSON and Parquet are exact.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

import msgspec
from headway_events import decode
from headway_events.events import FILE_EVENTS, BatchComplete, StageComplete, StageProgress, StageStart
from msgspec import Raw, Struct

from headway_gateway import sse
from headway_gateway.responses import ExportedEvent, ExportedFile

FORMULA: Final = frozenset("=+-@\t\r\n")  # what OWASP lists of how spreadsheets know a formula


_encode: Final = msgspec.json.Encoder().encode
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")  # between the tokens of JSON: inside of text they are escaped


class Record(Protocol):
    """A row of the database."""

    def __getitem__(self, column: str, /) -> Any: ...


@dataclass(frozen=True)
class Table:
    """What is exported: how a record of the database becomes a row, and a line of NDJSON."""

    columns: type[Struct]
    row: Callable[[Record], Struct]
    line: Callable[[Record], bytes]


class Encoder(Protocol):
    """Makes a file of records, piece by piece."""

    content_type: ClassVar[str]

    def head(self) -> bytes:
        """What comes before the records."""

    def encode(self, records: Sequence[Record]) -> bytes:
        """More records; some may be kept for a later piece."""

    def tail(self) -> bytes:
        """What is left, and the end."""


def events_table(batch_id: int) -> Table:
    """A batch's event log."""

    def row(record: Record) -> Struct:
        event = decode(record["value"].encode(), batch_id=batch_id)
        of_file = event if isinstance(event, FILE_EVENTS) else None
        response = (
            None if of_file is None or not isinstance(of_file.response, Raw) else bytes(of_file.response).decode()
        )
        return ExportedEvent(
            batch_id=batch_id,
            offset=record["topicoffset"],
            event_type=event.event_type,
            stage=None if isinstance(event, BatchComplete) else event.stage,
            run=record["run"],
            late=record["late"],
            timestamp=record["timestamp"],
            file_name=None if of_file is None else of_file.file_name,
            duration_ms=None if of_file is None else of_file.duration_ms,
            gpu_ip=None if of_file is None else of_file.gpu_ip,
            total_files=event.total_files if isinstance(event, StageStart | StageProgress | StageComplete) else None,
            processed_files=event.processed_files if isinstance(event, StageProgress | StageComplete) else None,
            failed_files=event.failed_files if isinstance(event, StageProgress | StageComplete) else None,
            worker=getattr(event, "worker", None),
            response=response,
        )

    def line(record: Record) -> bytes:
        value = record["value"].encode()
        return _LINE_END.sub(b" ", sse.with_status(decode(value, batch_id=batch_id), value)) + b"\n"

    return Table(ExportedEvent, row, line)


def files_table(batch_id: int, current: Collection[tuple[str, int]]) -> Table:
    """How each file of each run of a batch stands; `current` are the stages' last runs."""

    def row(record: Record) -> Struct:
        stage, run = record["stage"], record["run"]
        return ExportedFile(
            batch_id=batch_id,
            stage=stage,
            run=run,
            is_current=(stage, run) in current,
            file_name=record["filename"],
            outcome=record["outcome"],
            duration_ms=record["durationms"],
            offset=record["topicoffset"],
        )

    return Table(ExportedFile, row, lambda record: _encode(row(record)) + b"\n")


class CsvEncoder:
    """Rows as CSV."""

    content_type: ClassVar = "text/csv; charset=utf-8; header=present"

    def __init__(self, table: Table) -> None:
        self._table = table

    def head(self) -> bytes:
        """The columns' names."""
        return _csv([[field.encode_name for field in msgspec.structs.fields(self._table.columns)]])

    def encode(self, records: Sequence[Record]) -> bytes:
        """A line for each record."""
        rows = map(self._table.row, records)
        return _csv([[_cell(value) for value in msgspec.structs.astuple(row)] for row in rows])

    def tail(self) -> bytes:
        """Nothing."""
        return b""


class NdjsonEncoder:
    """Rows as JSON, one a line; events as the stream's data, byte for byte but for line ends, which become spaces."""

    content_type: ClassVar = "application/x-ndjson"

    def __init__(self, table: Table) -> None:
        self._table = table

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def encode(self, records: Sequence[Record]) -> bytes:
        """A line for each record."""
        return b"".join(map(self._table.line, records))

    def tail(self) -> bytes:
        """Nothing."""
        return b""


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value.lstrip("'")[:1] in FORMULA else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value
