"""Rows of an export as CSV, NDJSON and Parquet: what is read back is what went in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest
from headway_events import BatchComplete, FileComplete, encode
from headway_gateway import parquet
from headway_gateway.export import CsvEncoder, Encoder, NdjsonEncoder, Record, events_table, files_table
from headway_gateway.parquet import ParquetEncoder
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from support.exports import without_apostrophe

NOW = datetime(2026, 11, 24, 10, 1, 40, 123456, tzinfo=UTC)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20) | st.tuples(
    st.text("'", max_size=3), st.sampled_from("=+-@\t\r\n"), st.text("x'", max_size=3)
).map("".join)


def file_record(offset: int, name: str) -> dict[str, Any]:
    return {
        "stage": "denoise", "run": 1, "filename": name, "outcome": "success", "durationms": 1.5, "topicoffset": offset,
    }  # fmt: skip


def event_record(offset: int, value: bytes) -> dict[str, Any]:
    return {"topicoffset": offset, "run": 1, "late": False, "timestamp": NOW, "value": value.decode()}


def file_of(encoder: Encoder, records: Sequence[Record]) -> bytes:
    return encoder.head() + encoder.encode(records[:2]) + encoder.encode(records[2:]) + encoder.tail()


@given(st.lists(NAMES, max_size=5))
def test_csv_gives_back_every_name_and_none_begins_as_a_formula(names: list[str]) -> None:
    text = file_of(
        CsvEncoder(files_table(1, {("denoise", 1)})), [file_record(at, name) for at, name in enumerate(names)]
    )

    rows = list(csv.DictReader(io.StringIO(text.decode(), newline="")))

    assert [without_apostrophe(row["fileName"]) for row in rows] == names
    assert not [row for row in rows if row["fileName"][0] in "=+-@\t\r\n"]


def test_csv_has_a_header_crlf_and_times_in_utc() -> None:
    value = encode(
        FileComplete(batch_id=-5, stage="s", file_name="a,b", response=Raw(b'{"x": "\\""}'), duration_ms=0.1)
    )

    text = file_of(CsvEncoder(events_table(-5)), [event_record(7, value)]).decode()

    assert text == (
        "batchId,offset,eventType,stage,run,late,timestamp,fileName,durationMs,gpuIp,totalFiles,processedFiles,"
        "failedFiles,worker,response\r\n"
        '-5,7,file_complete,s,1,false,2026-11-24T10:01:40.123456Z,"a,b",0.1,,,,,,"{""x"": ""\\""""}"\r\n'
    )


def test_an_event_of_ndjson_is_one_line_whatever_white_space_it_came_with() -> None:
    value = b'{\r\n "eventType":"file_error","batchId":1,\n"stage":"s","fileName":"a\\nb"}\n'

    text = file_of(NdjsonEncoder(events_table(1)), [event_record(0, value), event_record(1, value)])

    lines = text.splitlines()
    assert len(lines) == 2
    assert lines[0] == b'{  "eventType":"file_error","batchId":1, "stage":"s","fileName":"a\\nb","status":"error"}'
    assert json.loads(lines[1])["fileName"] == "a\nb"


def test_parquet_has_typed_columns_with_their_meaning_and_bounded_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 4)
    value = encode(FileComplete(batch_id=1, stage="s", file_name="a", response=Raw(b"[1, 2]"), duration_ms=0.1))
    records = [*(event_record(at, value) for at in range(9)), event_record(9, encode(BatchComplete(batch_id=1)))]

    written = pq.ParquetFile(io.BytesIO(file_of(ParquetEncoder(events_table(1)), records)))

    assert [written.metadata.row_group(at).num_rows for at in range(written.num_row_groups)] == [4, 4, 2]
    table = written.read()
    assert {field.name: str(field.type) for field in table.schema} == {
        "batchId": "int64", "offset": "int64", "eventType": "string", "stage": "string", "run": "int64", "late": "bool",
        "timestamp": "timestamp[us, tz=UTC]", "fileName": "string", "durationMs": "double", "gpuIp": "string",
        "totalFiles": "int64", "processedFiles": "int64", "failedFiles": "int64", "worker": "string",
        "response": "string",
    }  # fmt: skip
    assert table.schema.field("response").metadata[b"description"].startswith(b"What the pipeline said of the file")
    first, *_, last = table.to_pylist()
    assert (first["timestamp"], first["response"], last["stage"], last["response"]) == (NOW, "[1, 2]", None, None)


def test_a_row_group_ends_early_when_its_text_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 100)

    written = file_of(ParquetEncoder(files_table(1, set())), [file_record(at, "x" * 60) for at in range(6)])

    assert pq.ParquetFile(io.BytesIO(written)).num_row_groups == 3
