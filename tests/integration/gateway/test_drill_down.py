"""From a batch's counts to what is behind them: files by time, errors mended and grouped in part, workers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import pytest
from headway_events import Event, FileComplete, FileError, StageStart, WorkerHeartbeat
from headway_events.events import Gpu
from yarl import URL

from support.api import every, get
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
GPU = Gpu(index=1, name="H100", uuid="GPU-1", memory_used_bytes=2**30, memory_total_bytes=80 * 2**30)


def story(batch_id: int) -> Iterator[Event]:
    """Five files in two stages; `b` fails twice and then succeeds, `c` and `d` stand as failed, `e` is under way."""

    def report(second: int, stage: str, name: str, message: str | None = None) -> Event:
        members: dict[str, Any] = {
            "batch_id": batch_id, "timestamp": NOW + timedelta(seconds=second), "stage": stage, "file_name": name,
            "worker": "gpu-3:47", "gpu": GPU, "gpu_ip": "10.0.0.3",
        }  # fmt: skip
        if message is None:
            return FileComplete(**members)
        response = msgspec.json.encode({"type": "OSError", "message": message})
        return FileError(**members, response=msgspec.Raw(response))

    def heartbeat(second: int, *files: str) -> Event:
        return WorkerHeartbeat(
            batch_id=batch_id, timestamp=NOW + timedelta(seconds=second), stage="mix", worker="gpu-4:48",
            files_in_flight=list(files), host="gpu-4", gpus=[GPU],
        )  # fmt: skip

    yield StageStart(batch_id=batch_id, timestamp=NOW, stage="denoise")  # offset 0
    yield report(1, "denoise", "a")
    yield report(2, "denoise", "b", "b ends after 17 bytes")
    yield report(3, "denoise", "b", "b ends after 18 bytes")
    yield report(4, "denoise", "c", "c ends after 1903 bytes")
    yield report(5, "denoise", "d", "d ends after 5x1f bytes")
    yield report(6, "denoise", "b")
    yield StageStart(batch_id=batch_id, timestamp=NOW + timedelta(seconds=7), stage="mix")
    yield heartbeat(8, "e")
    yield report(9, "mix", "c", "c ends after 7 bytes")
    yield heartbeat(10, "e", "f")


@pytest.fixture
async def path(projector: Program, topics: Topics, tables: Tables, batch_id: int) -> str:
    """The address of a batch that has had the story."""
    events = list(story(batch_id))
    await projected(topics, tables, batch_id, events)
    return f"/api/batches/{batch_id}"


def places(files: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [(file["stage"], file["fileName"], file["offset"]) for file in files]


async def test_files_by_time_errors_now_and_mended_and_workers_are_told_apart(
    client: aiohttp.ClientSession, path: str
) -> None:
    latest_first = [("mix", "c", 9), ("denoise", "b", 6), ("denoise", "d", 5), ("denoise", "c", 4), ("denoise", "a", 1)]
    for limit in (1, 2, 100):
        found = await every(client, f"{path}/files?sort=time&limit={limit}", "files")
        assert places(found) == latest_first
    assert [file["timestamp"] for file in found[:2]] == ["2026-11-24T10:00:09Z", "2026-11-24T10:00:06Z"]
    assert (
        places((await get(client, f"{path}/files?sort=time&outcome=error&stage=denoise"))["files"])
        == (latest_first[2:4])
    )
    assert places((await get(client, f"{path}/files?sort=time&run=2"))["files"]) == []
    assert places((await get(client, f"{path}/files?sort=time&q=A"))["files"]) == latest_first[-1:]
    assert await get(client, f"{path}/files?sort=size", 400)

    now = await get(client, f"{path}/errors")
    ends, odd = now["errors"]
    assert (now["files"], ends["message"], ends["count"]) == (3, "{file} ends after # bytes", 2)
    assert (odd["message"], odd["count"]) == ("{file} en{file}s after #x#f bytes", 1)  # `d` is the file's name
    assert (ends["firstAt"], ends["lastAt"]) == ("2026-11-24T10:00:04Z", "2026-11-24T10:00:09Z")
    mended = await get(client, f"{path}/errors?mended=true")
    assert [(one["count"], one["firstOffset"], places(one["files"])) for one in mended["errors"]] == [
        (1, 3, [("denoise", "b", 3)])
    ]
    latest = await get(client, f"{path}/errors?latest=1")
    assert (latest["files"], latest["errors"][0]["firstOffset"]) == (1, 9)

    group = {"type": ends["type"], "message": ends["message"], "limit": 1}
    files = await every(client, URL(f"{path}/errors/files").with_query(group), "files")
    assert places(files) == [("denoise", "c", 4), ("mix", "c", 9)]
    within = {"type": "OSError", "message": ends["message"], "after": 4, "before": 10, "stage": "mix"}
    assert places((await get(client, URL(f"{path}/errors/files").with_query(within)))["files"]) == [("mix", "c", 9)]
    without = await get(client, URL(f"{path}/errors/files").with_query({"message": ends["message"]}))
    assert without["files"] == []  # errors without a type
    assert (await get(client, f"{path}/errors/files", 400))["parameter"] == "message"
    await check_workers(client, path)


async def check_workers(client: aiohttp.ClientSession, path: str) -> None:
    """Those that the latest events name: what they have done, and what they are on."""
    found_workers = await get(client, f"{path}/workers")
    assert (found_workers["events"], found_workers["whole"]) == (11, True)
    assert (found_workers["since"], found_workers["until"]) == ("2026-11-24T10:00:00Z", "2026-11-24T10:00:10Z")
    reports, busy = found_workers["workers"]
    assert (reports["worker"], reports["done"], reports["failed"], reports["host"]) == ("gpu-3:47", 2, 5, "10.0.0.3")
    assert (reports["filesInFlight"], reports["silent"], reports["stages"]) == ([], False, ["denoise", "mix"])
    assert (busy["worker"], busy["host"], busy["silent"], busy["done"]) == ("gpu-4:48", "gpu-4", True, 0)
    assert busy["filesInFlight"] == [
        {"stage": "mix", "fileName": "e", "since": "2026-11-24T10:00:08Z"},
        {"stage": "mix", "fileName": "f", "since": "2026-11-24T10:00:10Z"},
    ]
    assert busy["gpus"][0]["gpu"]["name"] == "H100"
    last = await get(client, f"{path}/workers?events=1")
    assert (last["events"], last["whole"], [one["worker"] for one in last["workers"]]) == (1, False, ["gpu-4:48"])
