"""`results.json`: the last figures of every benchmark, each with when and on what it was measured."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.figures import Figure

Entry = dict[str, Any]
RESULTS = Path(__file__).with_name("results.json")


def entries(benchmark: str, figures: Sequence[Figure]) -> list[Entry]:
    """The figures that a benchmark has just measured on this machine, as they are kept."""
    circumstances = {
        "benchmark": benchmark,
        "measuredAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    }
    return [
        circumstances | msgspec.to_builtins(figure) | {"ratio": round(figure.ratio, 3), "met": figure.met}
        for figure in figures
    ]


def merged(kept: Sequence[Entry], new: Sequence[Entry], benchmarks: Iterable[str]) -> list[Entry]:
    """What is kept after a run: of each benchmark its new figures or, where it was not asked for, those it had.

    In the order of `benchmarks`; a benchmark that is not among them is no more, and neither are its figures.
    """
    measured = {entry["benchmark"] for entry in new}
    standing = [*(entry for entry in kept if entry["benchmark"] not in measured), *new]
    return [entry for name in benchmarks for entry in standing if entry["benchmark"] == name]


def save(new: Sequence[Entry], benchmarks: Iterable[str], path: Path) -> None:
    """Put new figures in the place of the old ones in the file."""
    kept = json.loads(path.read_text())["figures"] if path.exists() else []
    path.write_text(json.dumps({"figures": merged(kept, new, benchmarks)}, indent=2, ensure_ascii=False) + "\n")
