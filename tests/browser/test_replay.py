"""A batch's past on the page: what it looked like at some moment, and its history played."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from headway_events import BatchComplete, Event, FileComplete, FileError, StageComplete, StageStart
from playwright.async_api import Page, expect

from support.browser import Dashboard
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

BEGIN = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
FILES = 100
WAIT_MS = 30_000


def events(batch_id: int) -> Iterator[Event]:
    """A file each ten seconds from 14:00:10 on; the tenth fails and is tried again at the end."""
    yield StageStart(batch_id=batch_id, timestamp=BEGIN, stage="denoise", total_files=FILES)
    for number in range(1, FILES + 1):
        kind = FileError if number == 10 else FileComplete
        at = BEGIN + timedelta(seconds=10 * number)
        yield kind(batch_id=batch_id, timestamp=at, stage="denoise", file_name=f"{number:03d}.wav")
    end = BEGIN + timedelta(seconds=10 * FILES + 5)
    yield FileComplete(batch_id=batch_id, timestamp=end, stage="denoise", file_name="010.wav")
    yield StageComplete(batch_id=batch_id, timestamp=end, stage="denoise")
    yield BatchComplete(batch_id=batch_id, timestamp=end)


@pytest.fixture
async def dashboard(
    projector: Program, gateway: Program, page: Page, topics: Topics, tables: Tables, batch_id: int
) -> Dashboard:
    written = list(events(batch_id))
    await projected(topics, tables, batch_id, written)
    return Dashboard(page, gateway.url, batch_id)


async def shows(page: Page, counts: str) -> None:
    await expect(page.locator(".replay .card .counts")).to_have_text(counts, timeout=WAIT_MS)


async def test_a_shared_address_shows_the_batch_as_it_was_at_that_moment_with_its_events(
    dashboard: Dashboard, page: Page
) -> None:
    await page.goto(f"{dashboard.address}&panel=replay&at=2026-11-24T14:05:03Z")
    await shows(page, "Total: 100 | Processed: 29 | Errors: 1")
    card = page.locator(".replay .card")
    await expect(card.locator(".pill")).to_contain_text("Processing")
    await expect(card.locator(".events li")).to_have_count(20, timeout=WAIT_MS)
    await expect(card.locator(".events li").first).to_contain_text("030.wav: ✅ Complete")
    await expect(page.locator(".moment")).to_contain_text("31 of 104 events")


async def test_people_move_to_a_moment_by_slider_by_its_time_and_from_change_to_change(
    dashboard: Dashboard, page: Page
) -> None:
    await page.goto(f"{dashboard.address}&panel=replay")
    await shows(page, "Total: 100 | Processed: 0 | Errors: 0")  # the beginning
    await page.get_by_role("button", name="Next change").click()
    await shows(page, "Total: 100 | Processed: 1 | Errors: 0")
    slider = page.get_by_role("slider")
    await slider.press("End")
    await shows(page, "Total: 100 | Processed: 100 | Errors: 0")
    await expect(page.locator(".replay .pill")).to_contain_text("Complete")
    await page.get_by_role("button", name="Previous change").click()
    await shows(page, "Total: 100 | Processed: 99 | Errors: 1")
    local = await page.evaluate(
        "at => { const t = new Date(at); t.setMinutes(t.getMinutes() - t.getTimezoneOffset());"
        " return t.toISOString().slice(0, 19); }",
        (BEGIN + timedelta(minutes=5)).isoformat(),
    )
    await page.get_by_label("Go to").fill(local)
    await shows(page, "Total: 100 | Processed: 29 | Errors: 1")
    await expect(page).to_have_url(re.compile("at=2026-11-24T14%3A05%3A00"), timeout=WAIT_MS)
    await page.reload()
    await shows(page, "Total: 100 | Processed: 29 | Errors: 1")


async def test_the_history_is_played_at_a_chosen_speed_to_its_end_and_can_be_paused(
    dashboard: Dashboard, page: Page
) -> None:
    await page.goto(f"{dashboard.address}&panel=replay")
    await shows(page, "Total: 100 | Processed: 0 | Errors: 0")
    await page.get_by_role("button", name="Play").click()  # at 60x: the first file after a sixth of a second
    await expect(page.locator(".replay .card .counts")).not_to_contain_text("Processed: 0 ", timeout=WAIT_MS)
    await page.get_by_role("button", name="Pause").click()
    moment = await page.locator(".moment").text_content()
    seen = int((await page.locator(".replay .card .files").text_content() or "").split("/")[0])
    assert 0 < seen < FILES
    await page.get_by_label("Speed").select_option("1000")
    await page.get_by_role("button", name="Play").click()
    await shows(page, "Total: 100 | Processed: 100 | Errors: 0")
    await expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=WAIT_MS)  # it has stopped
    assert await page.locator(".moment").text_content() != moment
