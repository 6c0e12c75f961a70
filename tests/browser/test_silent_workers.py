"""A worker that dies in the middle of a file is named with the file wherever people look, while the others go on."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from headway import EventLogger
from playwright.async_api import Page, expect

from support.api import get
from support.browser import Dashboard
from support.eventually import eventually
from support.programs import Program
from support.sse import messages

FILES = [f"audio{number:03d}.wav" for number in range(30)]
StartWorker = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def gateway(make_gateway: Callable[..., Program]) -> Program:
    """A running gateway that waits for a second only."""
    running = make_gateway(HEADWAY_WORKER_SILENT_AFTER_S="1")
    running.run()
    return running


@pytest.fixture
def dashboard(projector: Program, gateway: Program, page: Page, batch_id: int) -> Dashboard:
    return Dashboard(page, gateway.url, batch_id)


@pytest.fixture
def start_worker(environment: dict[str, str], batch_id: int) -> Iterator[StartWorker]:
    """Starts workers of the stage: `start_worker(name, seconds a file takes, files)`."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, file_s: float, files: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "support.worker", str(batch_id), "denoise", name, str(file_s), *files]
        folder = Path(__file__).parents[1]
        started.append(subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


async def first_silent(gateway: Program, batch_id: int) -> dict[str, Any]:
    """The first counts with a silent worker that the stream tells of."""
    query = {"batchId": str(batch_id), "mode": "progress"}
    async with aiohttp.ClientSession(gateway.url) as client, client.get("/api/stream", params=query) as response:
        async for message in messages(response):
            counts: dict[str, Any] = message.json()
            if counts.get("silent"):
                return counts
    raise AssertionError("The stream has ended")


async def test_a_killed_worker_is_named_with_its_file_while_the_other_goes_on(
    dashboard: Dashboard,
    gateway: Program,
    client: aiohttp.ClientSession,
    event_logger: EventLogger,
    batch_id: int,
    start_worker: StartWorker,
) -> None:
    async def stage() -> dict[str, Any]:
        (found,) = (await get(client, f"/api/batches/{batch_id}"))["stages"]
        return dict(found)

    def is_silent(found: dict[str, Any]) -> dict[str, bool]:
        return {worker["worker"]: worker["silent"] for worker in found["workers"]}

    event_logger.stage_start(batch_id, "denoise", total_files=len(FILES) + 1)
    assert event_logger.flush(30) == 0
    doomed = start_worker("gpu-3:4711", 3600, ["audio017-long.wav"])
    start_worker("gpu-4:4712", 0.2, FILES)
    await dashboard.open()
    card = dashboard.page.locator('.card[data-stage="denoise"]')
    await eventually(stage, lambda found: is_silent(found) == {"gpu-3:4711": False, "gpu-4:4712": False})
    await expect(card.locator(".silent")).to_be_hidden()
    telling = asyncio.create_task(first_silent(gateway, batch_id))
    doomed.kill()
    processed = (await stage())["processed"]

    found = await eventually(stage, lambda found: is_silent(found).get("gpu-3:4711") is True)
    (silent,) = [worker for worker in found["workers"] if worker["silent"]]
    assert silent["filesInFlight"] == ["audio017-long.wav"]
    told = await telling
    assert (told["silent"], told["status"]) == (1, "processing")
    assert (told["silentWorkers"][0]["worker"], told["silentWorkers"][0]["filesInFlight"]) == (
        "gpu-3:4711", ["audio017-long.wav"],
    )  # fmt: skip
    await expect(card.locator(".silent li")).to_have_text(
        re.compile(r"Worker gpu-3:4711 not heard for \d+ s, on audio017-long\.wav$")
    )
    done = await eventually(stage, lambda found: found["processed"] == len(FILES))
    assert processed < len(FILES)
    assert (done["errors"], done["attempts"], is_silent(done)) == (0, len(FILES), {"gpu-3:4711": True})
    await expect(card.locator(".counts")).to_have_text(f"Total: 31 | Processed: {len(FILES)} | Errors: 0")


async def test_the_page_tells_of_silent_workers_by_the_clock_and_until_they_are_heard_or_replaced(
    dashboard: Dashboard, event_logger: EventLogger, batch_id: int
) -> None:
    lines = dashboard.page.locator('.card[data-stage="denoise"] .silent li')
    event_logger.stage_start(batch_id, "denoise", total_files=9)
    for number in range(5):
        event_logger.worker_heartbeat(batch_id, "denoise", f"w{number}", [f"{number}.wav", f"{number}b.wav"])
    assert event_logger.flush(30) == 0
    await dashboard.open()
    await expect(lines).to_have_count(4, timeout=20_000)
    await expect(lines.first).to_have_text(re.compile(r"Worker w0 not heard for \d+ s, on 0\.wav and 1 more$"))
    await expect(lines.last).to_have_text("and 2 more")
    quiet_s = int((await lines.first.inner_text()).split(" s,")[0].split()[-1])
    await expect(lines.first).to_contain_text(f"not heard for {quiet_s + 1} s")
    event_logger.worker_heartbeat(batch_id, "denoise", "w0", [])
    event_logger.worker_heartbeat(batch_id, "denoise", "new", ["1.wav", "1b.wav"])
    for name in ("2.wav", "2b.wav", "3.wav", "3b.wav"):
        event_logger.file_complete(batch_id, "denoise", name)
    event_logger.worker_heartbeat(batch_id, "denoise", "new", [])
    assert event_logger.flush(30) == 0
    await expect(lines).to_have_count(1)
    await expect(lines).to_contain_text("Worker w4")
    event_logger.stage_complete(batch_id, "denoise", 9)
    assert event_logger.flush(30) == 0
    await expect(lines).to_have_count(0)
