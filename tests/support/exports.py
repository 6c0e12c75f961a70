"""Reads exports in tests, with the readers that people use."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pyarrow.parquet as pq

FORMULA = re.compile(r"'+[=+\-@\t\r\n]")


def without_apostrophe(text: str) -> str:
    """What a cell of CSV says, where an apostrophe keeps a spreadsheet from running it."""
    return text[1:] if FORMULA.match(text) else text


def rows_of(content: bytes, form: str) -> list[dict[str, Any]]:
    """The rows of a CSV, NDJSON or Parquet file."""
    if form == "csv":
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    if form == "ndjson":
        return [json.loads(line) for line in content.splitlines()]
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows
