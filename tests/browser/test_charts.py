"""Estimates, the strip and the charts in a real browser, on the real stack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from headway_events import Event, FileComplete, FileError, StageComplete, StageStart, WorkerHeartbeat
from playwright.async_api import Page, expect

from support.browser import Dashboard
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

WAIT_MS = 30_000
MILLION = 1_000_000
DRAWN_WITHIN_MS = 500  # a frame or two on a quiet machine; a page that froze would take many seconds
FILL = """
    INSERT INTO batch (batchId, topic, name, createdAt, nextOffset, closed, logWeek)
    VALUES ($1::bigint, 'none', 'million', now(), 1000000, true, date_trunc('week', now())::date);
    """
FILL_RUN = """
    INSERT INTO stageProgress (batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late,
                               status, startedAt, updatedAt, endedAt)
    VALUES ($1::bigint, 'denoise', 1, 0, true, 1000000, 999000, 1000, 1000000, 0, 'complete_with_errors',
            now() - interval '1 h', now(), now())
    """
FILL_FILES = """
    INSERT INTO fileOutcome (logWeek, batchId, stage, run, fileName, outcome, topicOffset, durationMs)
    SELECT date_trunc('week', now())::date, $1::bigint, 'denoise', 1, lpad(n::text, 7, '0'),
           CASE WHEN n % 1000 = 7 THEN 'error' ELSE 'success' END, n, 10 + n % 100
    FROM generate_series(0, 999999) AS n
    """


@pytest.fixture
def dashboard(projector: Program, make_gateway: Callable[..., Program], page: Page, batch_id: int) -> Dashboard:
    gateway = make_gateway(HEADWAY_STALLED_AFTER_S="3600")  # however long the test takes, the run is under way
    gateway.run()
    return Dashboard(page, gateway.url, batch_id)


def events(batch_id: int, now: datetime) -> Iterator[Event]:
    """A run given up, and one under way for a hundred seconds: 300 files of 500, 4 failed, 2 of them tried again."""
    begin = now - timedelta(seconds=200)
    yield StageStart(batch_id=batch_id, timestamp=begin, stage="denoise", total_files=500)
    yield FileComplete(batch_id=batch_id, timestamp=begin, stage="denoise", file_name="old.wav")
    yield StageComplete(batch_id=batch_id, timestamp=begin + timedelta(seconds=9), stage="denoise")
    begin = now - timedelta(seconds=100)
    yield StageStart(batch_id=batch_id, timestamp=begin, stage="denoise", total_files=500)
    for number in range(302):
        name = f"audio{number if number < 300 else number - 290:03d}.wav"
        kind = FileError if number in {10, 11, 12, 250} else FileComplete
        yield kind(
            batch_id=batch_id, timestamp=begin + timedelta(seconds=number / 3.1), stage="denoise", file_name=name,
            duration_ms=1000.0 + number, worker=f"gpu-{number % 2}:1",
        )  # fmt: skip
    yield WorkerHeartbeat(
        batch_id=batch_id, timestamp=now, stage="denoise", worker="gpu-0:1", files_in_flight=["next.wav"]
    )


async def test_a_late_joiner_sees_the_pace_the_runs_and_every_file_by_its_outcome(
    dashboard: Dashboard, topics: Topics, tables: Tables, batch_id: int
) -> None:
    written = list(events(batch_id, datetime.now(UTC)))
    await projected(topics, tables, batch_id, written)
    page = dashboard.page
    await dashboard.open()
    card = page.locator('.card[data-stage="denoise"]')
    await expect(card.locator(".pace")).to_have_text(
        re.compile(r"^3\.\d files/s on average · about (5\d|6\d|7\d) s left$"), timeout=WAIT_MS
    )
    segment = page.locator(".segment")
    await expect(segment).to_contain_text("298/500 files · 59%")
    await expect(segment).to_contain_text("2 errors")
    earlier = segment.locator(".runs a")
    await expect(earlier).to_have_text("Run 1 1/500 files")
    await earlier.click()
    await expect(page.locator(".chooser [aria-current]")).to_have_text("Denoise · run 1")
    await expect(page.locator(".legend")).to_contain_text("1 done", timeout=WAIT_MS)
    await page.locator(".chooser a", has_text="run 2").click()
    legend = page.locator(".legend")
    for text in ("296 done", "2 done at another try", "2 failed", "1 in flight", "199 not yet", "a cell a file"):
        await expect(legend).to_contain_text(text, timeout=WAIT_MS)
    row = page.get_by_role("row", name=re.compile("^Denoise, run 2 300"))
    await expect(row).to_contain_text("1.3 s")
    await expect(page.get_by_role("img", name=re.compile("^Histogram of the durations of 300 files"))).to_be_visible()
    await expect(page.get_by_role("img", name=re.compile("^Files a second over time"))).to_be_visible()
    timeline = page.get_by_role("img", name=re.compile("^Timeline of stages: denoise run 1 .*denoise run 2"))
    await expect(timeline).to_have_attribute("aria-label", re.compile("Workers: gpu-[01]:1, gpu-[01]:1"))
    await next_failed_names_its_file(page, batch_id)


async def next_failed_names_its_file(page: Page, batch_id: int) -> None:
    """By keyboard, from one failed file to the next, and on to the files about it."""
    strip = page.get_by_role("slider")
    await page.get_by_role("button", name="Next failed").press("Enter")
    await expect(strip).to_have_attribute("aria-valuetext", "File 11: failed.")
    link = page.locator(".names a")
    await expect(link).to_have_text("audio012.wav", timeout=WAIT_MS)
    await expect(link).to_have_attribute("href", re.compile(rf"batchId={batch_id}&panel=files&.*file=audio012\.wav"))
    await strip.press("ArrowRight")
    await expect(strip).to_have_attribute("aria-valuetext", "File 12: done.")
    await expect(link).to_have_text("audio013.wav", timeout=WAIT_MS)


async def test_a_million_files_are_drawn_without_freezing_the_page(
    dashboard: Dashboard, tables: Tables, batch_id: int, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    for statement in (FILL, FILL_RUN, FILL_FILES):
        await connection.execute(statement, batch_id)
    await connection.close()
    page = dashboard.page
    await page.set_viewport_size({"width": 1600, "height": 900})
    await page.goto(f"{dashboard.address}&panel=charts")
    await expect(page.locator(".legend")).to_contain_text("999,000 done", timeout=WAIT_MS)
    await expect(page.locator(".legend")).to_contain_text("1,000 failed")
    drawn = await page.evaluate("performance.getEntriesByName('heat-strip', 'measure').map(({duration}) => duration)")
    assert max(drawn) < DRAWN_WITHIN_MS
    await expect(page.get_by_role("row", name=re.compile("1,000,000"))).to_contain_text("109 ms")
