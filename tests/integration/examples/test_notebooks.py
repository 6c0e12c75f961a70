"""The notebook over the archive and the views runs in a real kernel, and finds what a fold of the topics says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import nbformat
import pytest
from headway_events import BatchComplete, Event, FileComplete, FileError, Outcome, StageComplete, StageStart
from headway_events.events import FILE_EVENTS

from infra.local.settings import CHECKOUT
from support import notebooks
from support.commands import headway_projector
from support.pipelines import fold, response
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

NOTEBOOK: Final = CHECKOUT / "examples" / "notebooks" / "batches.ipynb"
FOUND: Final = """
import json
print(json.dumps({name: [list(map(str, row)) for row in frame] for name, frame in {
    "throughput": throughput.values, "throughput_now": throughput_now.values,
    "stages": stages.rows(), "stages_now": stages_now[["batchid", "stage", "run", "tookms"]].values,
    "failures": failures.values, "failures_now": failures_now.values,
}.items()}))
"""
ERRORS: Final = ("OSError", "ValueError", "TimeoutError")


def messy(batch_id: int) -> Iterator[Event]:
    """Two stages, the first with two runs; files that fail, some of which are mended, and one that comes late."""
    now = datetime(2026, 11, 24, 10, tzinfo=UTC)
    for stage, run in (("denoise", 1), ("denoise", 2), ("transcribe", 1)):
        yield StageStart(batch_id=batch_id, timestamp=now, stage=stage, total_files=60)
        for number in range(60):
            now += timedelta(seconds=1.5 * run)
            file: dict[str, Any] = {
                "batch_id": batch_id,
                "timestamp": now,
                "stage": stage,
                "file_name": f"{number}.wav",
            }
            if number % 7 == 0:
                yield FileError(**file, response=msgspec.Raw(msgspec.json.encode({"type": ERRORS[number % 3]})))
            if number % 14:
                yield FileComplete(**file, response=msgspec.Raw(b'{"status":"success"}'))
        yield StageComplete(batch_id=batch_id, timestamp=now, stage=stage)
    yield FileError(batch_id=batch_id, timestamp=now, stage="transcribe", file_name="late.wav")
    yield BatchComplete(batch_id=batch_id, timestamp=now)


@pytest.fixture
async def batches(projector: Program, topics: Topics, tables: Tables, batch_id: int) -> dict[int, list[Event]]:
    """Two batches, projected."""
    made = {one: list(messy(one)) for one in (batch_id, batch_id + 1)}
    topics.create_all(made)
    topics.announce_all(made)
    for one, events in made.items():
        topics.write_events(events)
        await tables.wait_for(one, len(events))
    return made


async def test_what_the_notebook_finds_is_what_a_fold_says(
    batches: dict[int, list[Event]], environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = environment["HEADWAY_DATABASE_URL"]
    settings = {"HEADWAY_DATABASE_URL": database, "HEADWAY_ARCHIVE": str(tmp_path / "archive")}
    for name, value in (settings | notebooks.home(tmp_path)).items():
        monkeypatch.setenv(name, value)
    assert headway_projector(environment, "archive", str(tmp_path / "archive")).returncode == 0
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    notebook.cells.append(nbformat.v4.new_code_cell(FOUND))  # type: ignore[no-untyped-call]
    *_, (printed,) = await notebooks.executed(notebook, tmp_path)
    found = json.loads(printed.text)

    files, took, failed = Counter[tuple[str, ...]](), [], Counter[tuple[str, ...]]()
    for batch_id, events in batches.items():
        types = {}
        for event in events:
            if isinstance(event, FILE_EVENTS):
                assert event.timestamp is not None
                files[str(batch_id), event.stage, str(event.timestamp.replace(second=0, microsecond=0))] += 1
            if isinstance(event, FileError) and event.file_name != "late.wav":
                types[event.stage, event.file_name] = response(event)["type"]
        for stage, runs in fold(events).stages.items():
            for run in runs:
                assert run.started_at is not None
                assert run.ended_at is not None
                took.append(
                    [str(batch_id), stage, str(run.run), (run.ended_at - run.started_at) / timedelta(seconds=1)]
                )
                names = [name for name, outcome in run.outcomes.items() if outcome is Outcome.ERROR]
                failed.update((str(batch_id), stage, types[stage, name]) for name in names)
    assert len(failed) >= 6
    for suffix in ("", "_now"):
        assert counted(found[f"throughput{suffix}"]) == files
        assert counted(found[f"failures{suffix}"]) == failed
        rows = found[f"stages{suffix}"]
        assert sorted([*row[:3], float(row[3]) / 1000] for row in rows) == sorted(took)


def counted(rows: list[list[str]]) -> Counter[tuple[str, ...]]:
    """Rows whose last column counts the others."""
    return Counter({tuple(row[:-1]): int(row[-1]) for row in rows})


def test_the_notebook_is_kept_without_what_it_found() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
