"""Rows of an export as Parquet, in row groups of bounded size. Needs pyarrow: the extra `headway-gateway[parquet]`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import inspect

from headway_gateway.export import Record, Table

GROUP_ROWS: Final = 20_000
GROUP_BYTES: Final = 8 * 1024 * 1024  # of text; what a row group takes in memory is a few times as much

_TYPES: Final[dict[type, Any]] = {
    inspect.IntType: pa.int64(),
    inspect.FloatType: pa.float64(),
    inspect.StrType: pa.string(),
    inspect.BoolType: pa.bool_(),
    inspect.DateTimeType: pa.timestamp("us", tz="UTC"),
}


class ParquetEncoder:
    """Collects rows until they fill a row group, and gives out the file's bytes as they come."""

    content_type: ClassVar = "application/vnd.apache.parquet"

    def __init__(self, table: Table) -> None:
        self._table = table
        self._schema = schema(table.columns)
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0

    def head(self) -> bytes:
        """The file's first bytes."""
        return self._sink.take()

    def encode(self, records: Sequence[Record]) -> bytes:
        """The row groups that these records fill."""
        for record in records:
            row = msgspec.structs.astuple(self._table.row(record))
            self._rows.append(row)
            self._bytes += sum(len(value) for value in row if isinstance(value, str))
            if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
                self._write_group()
        return self._sink.take()

    def tail(self) -> bytes:
        """The last row group, and the index of all at the file's end: without it nobody takes the file for whole."""
        if self._rows:
            self._write_group()
        self._writer.close()
        return self._sink.take()

    def _write_group(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=GROUP_ROWS)
        self._rows.clear()
        self._bytes = 0


def schema(columns: type[msgspec.Struct]) -> pa.Schema:
    """The columns, each with its meaning as `description` in the field's metadata."""
    info = inspect.type_info(columns)
    assert isinstance(info, inspect.StructType)
    return pa.schema([_field(field.encode_name, field.type) for field in info.fields])


def _field(name: str, kind: inspect.Type) -> pa.Field:
    kind, description = _described(kind)
    nullable = isinstance(kind, inspect.UnionType)
    if isinstance(kind, inspect.UnionType):
        kind, _ = _described(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    metadata = {"description": description} if description else None
    return pa.field(name, _TYPES[type(kind)], nullable=nullable, metadata=metadata)


def _described(kind: inspect.Type) -> tuple[inspect.Type, str]:
    if isinstance(kind, inspect.Metadata):
        return kind.type, str((kind.extra_json_schema or {}).get("description", ""))
    return kind, ""


class _Sink(io.RawIOBase):
    """Where the writer writes: keeps what was written since it was last taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
