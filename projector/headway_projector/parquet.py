"""One file of the Parquet archive: events of a batch from an offset on. Needs pyarrow: `headway-projector[parquet]`.

What is in it is told by its footer: the batch, the topic by Kafka's id of it, the offsets, how many events, and a
digest of their offsets and values. Columns that the gateway's exports have too are named and typed as there.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from headway_events import decode
from msgspec import Raw

GROUP_ROWS: Final = 100_000  # of a few columns each: what scans in one go
GROUP_BYTES: Final = 64 * 1024 * 1024  # of values; what a group takes in memory is a few times as much
READ_ROWS: Final = 10_000

_COLUMNS: Final[tuple[tuple[str, Any, bool, str], ...]] = (  # name, type, whether it may be null, meaning
    ("batchId", pa.int64(), False, "The batch."),
    ("offset", pa.int64(), False, "The event's place in the batch's topic; orders the events of a batch."),
    ("eventType", pa.string(), False, "What happened."),
    ("stage", pa.string(), True, "The stage; null for batch_complete."),
    ("run", pa.int64(), True, "The stage's run that it belongs to."),
    ("late", pa.bool_(), False, "Whether it came after stage_complete, and so changed no count."),
    ("timestamp", pa.timestamp("us", tz="UTC"), True, "When it happened, by the worker's clock."),
    ("fileName", pa.string(), True, "The file, of file_complete and file_error."),
    ("durationMs", pa.float64(), True, "How long the file took, in milliseconds."),
    ("gpuIp", pa.string(), True, "Where the file was processed."),
    ("totalFiles", pa.int64(), True, "Files in all, as the event states it."),
    ("processedFiles", pa.int64(), True, "Files that have succeeded so far, as the event states it."),
    ("failedFiles", pa.int64(), True, "Files that have failed so far, as the event states it."),
    ("worker", pa.string(), True, "The process that reports, where the event names it."),
    ("response", pa.string(), True, "What the pipeline said of the file: JSON text as it came."),
    ("value", pa.string(), False, "The record's value, byte for byte (JSON in UTF-8)."),
)
SCHEMA: Final = pa.schema(
    pa.field(name, kind, nullable=nullable, metadata={"description": meaning})
    for name, kind, nullable, meaning in _COLUMNS
)
REPEATED: Final = ["eventType", "stage", "gpuIp", "worker"]  # few different texts: stored once each
FOOTER: Final = b"headway"  # the entry of the footer that has a Part as JSON


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """What a file holds."""

    batch_id: int
    topic_id: str  # empty where the topic was gone before its id was ever asked for
    first_offset: int
    next_offset: int  # every offset between the two that is in the log is in the file
    events: int
    digest: str  # SHA-256


class Record(Protocol):
    """A row of the raw log."""

    def __getitem__(self, column: str, /) -> Any: ...


class PartWriter:
    """Writes a file, a group of rows at a time, and digests what it is given."""

    def __init__(self, path: Path, batch_id: int) -> None:
        self._batch_id = batch_id
        self._digest = _Digest()
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._writer = pq.ParquetWriter(
            path, SCHEMA, compression="zstd", use_dictionary=REPEATED, write_page_checksum=True
        )

    def add(self, records: Sequence[Record]) -> None:
        """Add rows of the raw log, in the order of their offsets."""
        for record in records:
            value = record["value"].encode()
            self._digest.add(record["topicoffset"], value)
            self._rows.append(_row(self._batch_id, record, value))
            self._bytes += len(value)
            if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
                self._write_group()

    def close(self, *, topic_id: str, first_offset: int, next_offset: int) -> Part:
        """End the file; what it holds."""
        if self._rows:
            self._write_group()
        digest = self._digest
        part = Part(self._batch_id, topic_id, first_offset, next_offset, digest.events, digest.hexdigest())
        self._writer.add_key_value_metadata({FOOTER: msgspec.json.encode(part)})
        self._writer.close()
        return part

    def _write_group(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), row_group_size=GROUP_ROWS)
        self._rows.clear()
        self._bytes = 0


def stated(path: Path) -> Part:
    """What a file's footer says that it holds.

    Raises:
        OSError, ValueError, MsgspecError: the file cannot be read, is not whole, or is none of the archive's.
    """
    footer = pq.read_metadata(path).metadata or {}
    return msgspec.json.decode(footer.get(FOOTER, b""), type=Part)


def held(path: Path) -> Part:
    """What a file does hold, told by reading it all.

    Raises:
        OSError, ValueError, MsgspecError: as `stated`, and where the checksum of a page is wrong.
    """
    digest = _Digest()
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for rows in file.iter_batches(READ_ROWS, columns=["offset", "value"]):
            for offset, value in zip(rows["offset"].to_pylist(), rows["value"].to_pylist(), strict=True):
                digest.add(offset, value.encode())
    return msgspec.structs.replace(stated(path), events=digest.events, digest=digest.hexdigest())


class _Digest:
    """Of offsets and values, one after the other; and how many."""

    def __init__(self) -> None:
        self.events = 0
        self._hash = hashlib.sha256()
        self.hexdigest = self._hash.hexdigest

    def add(self, offset: int, value: bytes) -> None:
        self.events += 1
        self._hash.update(struct.pack(">qq", offset, len(value)) + value)


def _row(batch_id: int, record: Record, value: bytes) -> tuple[Any, ...]:
    event = decode(value, batch_id=batch_id)
    response = getattr(event, "response", None)
    return (
        batch_id,
        record["topicoffset"],
        event.event_type,
        getattr(event, "stage", None),
        record["run"],
        record["late"],
        record["timestamp"],
        getattr(event, "file_name", None),
        getattr(event, "duration_ms", None),
        getattr(event, "gpu_ip", None),
        getattr(event, "total_files", None),
        getattr(event, "processed_files", None),
        getattr(event, "failed_files", None),
        getattr(event, "worker", None),
        bytes(response).decode() if isinstance(response, Raw) else None,
        record["value"],
    )
