"""Files, errors, stages and dead letters of a batch: what the tables say, filtered, sorted, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from headway_events import Event, FileComplete, FileError, StageComplete, StageStart
from yarl import URL

from support.api import every, get
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
ODD_NAMES = ["a/b c.wav", "100%.wav", "%2F", "?x#y", "録音.wav", "{file}", "a\nb", "..a", "it's"]


def start(batch_id: int, stage: str) -> Event:
    return StageStart(batch_id=batch_id, timestamp=NOW, stage=stage)


def done(batch_id: int, stage: str, name: str, duration_ms: float | None = None) -> Event:
    return FileComplete(
        batch_id=batch_id, timestamp=NOW, stage=stage, file_name=name, duration_ms=duration_ms,
        response=msgspec.Raw(b'{"status":"success"}'),
    )  # fmt: skip


def failed(batch_id: int, stage: str, name: str, **response: Any) -> Event:
    return FileError(
        batch_id=batch_id, timestamp=NOW, stage=stage, file_name=name,
        response=msgspec.Raw(msgspec.json.encode({"status": "error", **response})),
    )  # fmt: skip


def two_stages(batch_id: int) -> Iterator[Event]:
    """`denoise` in two runs, of which the first was whole, and `transcribe`; durations are known of some files."""
    yield start(batch_id, "denoise")
    for number in range(30):
        yield done(batch_id, "denoise", f"old{number:02d}.wav")
    yield StageComplete(batch_id=batch_id, timestamp=NOW, stage="denoise", processed_files=30)
    yield start(batch_id, "denoise")
    yield start(batch_id, "transcribe")
    for number in range(20):
        yield done(batch_id, "denoise", f"audio{number:02d}.wav", duration_ms=None if number % 5 == 0 else number % 7)
        if number % 3 == 0:
            yield failed(batch_id, "transcribe", f"audio{number:02d}.wav", type="OSError", message="gone")


async def names(client: aiohttp.ClientSession, path: str, limit: int) -> list[tuple[str, str]]:
    """Stage and name of every file, page by page."""
    return [(file["stage"], file["fileName"]) for file in await every(client, f"{path}limit={limit}", "files")]


async def test_files_of_the_current_runs_are_listed_by_name_across_stages(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id, two_stages(batch_id))
    path = f"/api/batches/{batch_id}/files?"
    denoise = [("denoise", f"audio{number:02d}.wav") for number in range(20)]
    transcribe = [("transcribe", f"audio{number:02d}.wav") for number in range(0, 20, 3)]
    both = sorted(denoise + transcribe, key=lambda one: (one[1], one[0]))
    for limit in (1, 3, 27, 1000):
        assert await names(client, path, limit) == both
    assert await names(client, f"{path}stage=transcribe&", 2) == transcribe
    assert await names(client, f"{path}outcome=error&", 2) == transcribe
    assert await names(client, f"{path}run=1&stage=denoise&", 7) == [
        ("denoise", f"old{number:02d}.wav") for number in range(30)
    ]
    assert await names(client, f"{path}q=O1&stage=denoise&", 4) == denoise[10:]
    assert await names(client, f"{path}q=%25&", 4) == []


async def test_files_sorted_by_duration_come_slowest_first_and_unknown_ones_last(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id, two_stages(batch_id))
    for limit in (1, 4, 100):
        found = await every(client, f"/api/batches/{batch_id}/files?sort=duration&limit={limit}", "files")
        keys = [(-1 if file["durationMs"] is None else file["durationMs"], file) for file in found]
        assert len(found) == 27
        assert keys == sorted(keys, key=lambda one: (-one[0], one[1]["fileName"], one[1]["stage"]))


async def test_a_file_shows_every_report_of_it_under_any_name(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    def events() -> Iterator[Event]:
        yield start(batch_id, "denoise")
        for name in ODD_NAMES:
            yield failed(batch_id, "denoise", name, message=f"no {name}")
            yield done(batch_id, "denoise", name, duration_ms=2)

    await projected(topics, tables, batch_id, events())
    for at, name in enumerate(ODD_NAMES):
        address = f"/api/batches/{batch_id}/files/{quote(name, safe='')}"
        found = await get(client, URL(address, encoded=True))
        assert (found["fileName"], found["self"], found["next"]) == (name, address, None)
        assert [(one["outcome"], one["offset"], one["self"]) for one in found["outcomes"]] == [
            ("success", 2 * at + 2, address)
        ]
        assert [(one["offset"], one["eventType"], one["run"], one["late"]) for one in found["attempts"]] == [
            (2 * at + 1, "file_error", 1, False), (2 * at + 2, "file_complete", 1, False),
        ]  # fmt: skip
        assert found["attempts"][0]["data"]["response"] == {"status": "error", "message": f"no {name}"}
        attempts = await every(client, URL(f"{address}?limit=1", encoded=True), "attempts")
        assert attempts == found["attempts"]
    await get(client, f"/api/batches/{batch_id}/files/none.wav", 404)


async def test_failed_files_are_grouped_by_what_their_errors_say_but_for_names_and_numbers(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    def events() -> Iterator[Event]:
        yield start(batch_id, "denoise")
        for number in range(7):
            name = f"audio{number}.wav"
            yield failed(
                batch_id, "denoise", name, type="OSError", message=f"cannot read {name} at 0x7f{number}a: {number}"
            )
        yield failed(batch_id, "denoise", "bad.wav", type="ValueError", message="cannot read bad.wav at 0xff: 1")
        yield failed(batch_id, "denoise", "old.wav", error="as text")
        yield failed(batch_id, "denoise", "mended.wav", message="once")
        yield done(batch_id, "denoise", "mended.wav")
        yield start(batch_id, "mix")
        yield failed(batch_id, "mix", "old.wav", error="as text")

    await projected(topics, tables, batch_id, events())
    found = await get(client, f"/api/batches/{batch_id}/errors")
    assert (found["files"], found["groups"]) == (10, 3)
    first, second, third = found["errors"]
    assert (first["type"], first["message"], first["count"]) == ("OSError", "cannot read {file} at #: #", 7)
    assert (first["firstOffset"], first["lastOffset"], first["stages"]) == (1, 7, ["denoise"])
    assert first["example"] == "cannot read audio0.wav at 0x7f0a: 0"
    assert [file["fileName"] for file in first["files"]] == [f"audio{number}.wav" for number in range(5)]
    assert (second["type"], second["message"], second["count"]) == (None, "as text", 2)
    assert (second["stages"], [file["stage"] for file in second["files"]]) == (["denoise", "mix"], ["denoise", "mix"])
    assert (third["type"], third["count"], third["files"][0]["offset"]) == ("ValueError", 1, 8)
    of_stage = await get(client, f"/api/batches/{batch_id}/errors?stage=mix")
    assert [(one["message"], one["count"]) for one in of_stage["errors"]] == [("as text", 1)]
    limited = await get(client, f"/api/batches/{batch_id}/errors?limit=1")
    assert (limited["files"], limited["groups"], len(limited["errors"])) == (10, 3, 1)


async def test_every_run_of_every_stage_is_listed_in_the_order_in_which_they_began(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id, two_stages(batch_id))
    found = await get(client, f"/api/batches/{batch_id}/stages")
    assert [(run["stage"], run["run"], run["isCurrent"], run["firstOffset"]) for run in found["runs"]] == [
        ("denoise", 1, False, 0), ("denoise", 2, True, 32), ("transcribe", 1, True, 33),
    ]  # fmt: skip
    assert [(run["processed"], run["errors"]) for run in found["runs"]] == [(30, 0), (20, 0), (0, 7)]


async def test_dead_letters_are_listed_with_their_bytes_and_the_reason(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write(topic, [b"not json", b"\xff\xfe", None], record_key=b"denoise")
    await tables.wait_for(batch_id, 3)
    letters = await every(client, f"/api/batches/{batch_id}/dead-letters?limit=2", "deadLetters")
    assert [(one["offset"], one["error"], one["value"], one["text"]) for one in letters] == [
        (0, "MalformedRecord", "bm90IGpzb24=", "not json"),
        (1, "MalformedRecord", "//4=", "\ufffd\ufffd"),
        (2, "MalformedRecord", None, None),
    ]
    assert {one["key"] for one in letters} == {"ZGVub2lzZQ=="}
    assert not [one for one in letters if not one["message"] or one["recordedAt"] is None]


async def test_a_page_of_large_records_ends_early_and_the_next_goes_on_after_it(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    large = "x" * 900_000

    def events() -> Iterator[Event]:
        yield start(batch_id, "denoise")
        for _ in range(12):
            yield failed(batch_id, "denoise", "a.wav", message=large)

    await projected(topics, tables, batch_id, events())
    for path, member in (("events?", "events"), ("events?order=desc&", "events"), ("files/a.wav?", "attempts")):
        page = await get(client, f"/api/batches/{batch_id}/{path}limit=1000")
        assert len(page[member]) in range(5, 12)
        assert page["next"] is not None
        offsets = [one["offset"] for one in await every(client, f"/api/batches/{batch_id}/{path}limit=1000", member)]
        expected = list(range(1 if member == "attempts" else 0, 13))
        assert offsets == (expected[::-1] if "desc" in path else expected)


@pytest.mark.parametrize("part", ["stages", "files", "errors", "dead-letters", "events"])
async def test_a_batch_whose_topic_is_not_projected_yet_has_nothing_and_an_unknown_one_is_a_problem(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, batch_id: int, part: str
) -> None:
    problem = await get(client, f"/api/batches/{batch_id + 1}/{part}", 404)
    assert problem["type"] == "/problems/NoSuchBatch"
    topics.create(batch_id)
    found = await get(client, f"/api/batches/{batch_id}/{part}")
    assert not any(found.values())
