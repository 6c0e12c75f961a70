"""The list of batches in a real browser: found, ordered, paged, shared by its address, and calm while it changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from headway_events import Announcement, FileComplete, FileError, StageStart, encode_announcement, registry_key
from playwright.async_api import Page, expect

from support.programs import Program
from support.tables import Tables
from support.topics import Topics

WAIT_MS = 30_000
MANY = 10_000
FILL = """
    INSERT INTO batch (batchId, topic, name, labels, createdAt, lastEventAt, nextOffset, closed, logWeek)
    SELECT n, 'none', 'night ' || n, jsonb_build_object('team', 'speech' || n % 7),
           now() - n * interval '1 min', now() - n * interval '1 min', 100, n % 5 <> 0, date_trunc('week', now())::date
    FROM generate_series(1, $1::integer) AS n
    """
FILL_RUNS = """
    INSERT INTO stageProgress (batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late,
                               status, startedAt, updatedAt, endedAt)
    SELECT n, stage, 1, 0, true, 100, 90, n % 10, 100, 0,
           CASE WHEN n % 5 = 0 THEN 'processing' WHEN n % 10 > 0 THEN 'complete_with_errors' ELSE 'complete' END,
           now() - interval '1 h', now() - n * interval '1 min', CASE WHEN n % 5 <> 0 THEN now() END
    FROM generate_series(1, $1::integer) AS n, unnest(ARRAY['denoise', 'encode']) AS stage
    """


@pytest.fixture
async def listed(projector: Program, gateway: Program, topics: Topics, tables: Tables, batch_id: int) -> list[int]:
    """Three batches, the oldest first: one with errors, one with many files done, one just begun."""
    shapes = [(10, 2, 3), (10, 9, 0), (10, 1, 0)]
    for number, (total, done, failed) in enumerate(shapes):
        one = batch_id + number
        now = datetime.now(UTC) + timedelta(minutes=10)  # so that none is stalled, however long the test takes
        announcement = Announcement(
            batch_id=one, topic=topics.names.of_batch(one), name=f"Night {number}",
            created_at=now - timedelta(hours=3 - number), labels={"team": "speech" if number else "music"},
        )  # fmt: skip
        topics.write(topics.names.registry, [encode_announcement(announcement)], record_key=registry_key(one))
        await tables.wait_for(one, 0)
        topics.create(one)
        topics.write_events(
            [
                StageStart(batch_id=one, timestamp=now, stage="denoise", total_files=total),
                *(
                    FileComplete(batch_id=one, timestamp=now, stage="denoise", file_name=f"{file}")
                    for file in range(done)
                ),
                *(
                    FileError(batch_id=one, timestamp=now, stage="denoise", file_name=f"bad{file}")
                    for file in range(failed)
                ),
            ]
        )
        await tables.wait_for(one, 1 + done + failed)
    return [batch_id + number for number in range(3)]


async def shows(page: Page, batches: list[int]) -> None:
    """Wait until these batches are listed, in this order."""
    rows = page.locator("tr[data-batch]")
    await expect(rows).to_have_count(len(batches), timeout=WAIT_MS)
    for place, batch_id in enumerate(batches):
        await expect(rows.nth(place)).to_have_attribute("data-batch", str(batch_id), timeout=WAIT_MS)


async def test_batches_are_filtered_ordered_and_the_view_is_shared_by_its_address(
    gateway: Program, page: Page, listed: list[int]
) -> None:
    first, second, third = listed
    await page.goto(gateway.url)
    await shows(page, [third, second, first])
    row = page.locator(f'tr[data-batch="{first}"]')
    await expect(row).to_contain_text("Night 0")
    await expect(row).to_contain_text("2/10 files")
    await expect(row.locator("td.number")).to_have_text("3")
    await page.get_by_role("link", name="Order by stages").click()
    await shows(page, [second, first, third])
    await expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    await page.get_by_role("link", name="Order by stages").click()
    await shows(page, [third, first, second])
    await page.get_by_role("link", name="With errors").click()
    await shows(page, [first])
    await page.get_by_role("link", name="All", exact=True).click()
    await page.locator(f'tr[data-batch="{second}"]').get_by_role("link", name="label team:speech").click()
    await shows(page, [third, second])
    await expect(page).to_have_url(re.compile(r"label=team%3Aspeech&sort=progress&order=asc$"))
    await page.reload()
    await shows(page, [third, second])
    await page.go_back()
    await shows(page, [third, first, second])
    await page.get_by_label("Only batches with the label, as").fill("team:music")
    await page.get_by_label("Only batches with the label, as").press("Enter")
    await shows(page, [first])
    await page.get_by_role("link", name="Without the label team:music").click()
    await page.get_by_role("searchbox").fill("night 2")
    await shows(page, [third])


async def test_the_list_follows_what_happens_and_holds_its_order_under_the_pointer(
    gateway: Program, page: Page, topics: Topics, listed: list[int]
) -> None:
    first, second, third = listed
    await page.goto(f"{gateway.url}/?sort=errors")
    await shows(page, [first, third, second])
    row = page.locator(f'tr[data-batch="{second}"]')
    await row.hover()
    now = datetime.now(UTC) + timedelta(minutes=10)
    topics.write_events(
        [FileError(batch_id=second, timestamp=now, stage="denoise", file_name=f"bad{file}") for file in range(5)]
    )
    await expect(row.locator("td.number")).to_have_text("5", timeout=WAIT_MS)
    await expect(page.locator(".held")).to_have_text("The order is held under the pointer.")
    await shows(page, [first, third, second])
    await page.mouse.move(0, 0)
    await shows(page, [second, first, third])


async def test_the_arrow_keys_go_from_batch_to_batch(gateway: Program, page: Page, listed: list[int]) -> None:
    await page.goto(gateway.url)
    await shows(page, listed[::-1])
    await page.locator(f'tr[data-batch="{listed[2]}"] th > a').focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(f'tr[data-batch="{listed[1]}"] th > a')).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Night 1 · batch {listed[1]}", timeout=WAIT_MS)


async def test_ten_thousand_batches_are_paged_forwards_and_backwards(
    make_gateway: Callable[..., Program], projector: Program, page: Page, tables: Tables, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(FILL, MANY)
    await connection.execute(FILL_RUNS, MANY)
    await connection.close()
    gateway = make_gateway()
    gateway.run()
    await page.goto(f"{gateway.url}/?sort=errors&state=errors")
    rows = page.locator("tr[data-batch]")
    await expect(rows).to_have_count(50, timeout=WAIT_MS)
    first_page = [await row.get_attribute("data-batch") for row in await rows.all()]
    await page.get_by_role("link", name="Next").click()
    await expect(rows.first).not_to_have_attribute("data-batch", first_page[0] or "", timeout=WAIT_MS)
    assert await page.locator("td.number").first.text_content() == "18"  # two stages of nine
    await page.get_by_role("link", name="Previous").click()
    await expect(rows.first).to_have_attribute("data-batch", first_page[0] or "", timeout=WAIT_MS)
    assert [await row.get_attribute("data-batch") for row in await rows.all()] == first_page
