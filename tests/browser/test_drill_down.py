"""From a batch's counts to its errors, files, attempts, workers and events, each at an address of its own."""

from __future__ import annotations

import asyncpg
from headway import EventLogger
from headway_events.events import Gpu
from playwright.async_api import Page, expect

from support.programs import Program
from support.tables import Tables

WAIT_MS = 20_000
EXACT = 9_007_199_254_740_993  # JavaScript's own numbers would make 9007199254740992 of it


def report(event_logger: EventLogger, batch_id: int) -> None:
    """`b.wav` fails and is mended, `c.wav` and `d/é.wav` stand as failed, `e.wav` is under way."""
    gpu = Gpu(index=2, name="H100", memory_used_bytes=3 * 2**30, memory_total_bytes=80 * 2**30, utilization_percent=97)
    event_logger.stage_start(batch_id, "denoise", total_files=6)
    event_logger.file_complete(batch_id, "denoise", "a.wav", "10.0.0.7", {"exact": EXACT}, duration_ms=61_000)
    for name in ("b.wav", "c.wav", "d/é.wav"):
        error = {"status": "error", "type": "OSError", "message": f"cannot read {name}", "traceback": "line 1\nline 2"}
        event_logger.file_complete(batch_id, "denoise", name, "10.0.0.7", error, duration_ms=340)
    event_logger.file_complete(batch_id, "denoise", "b.wav", "10.0.0.7", {"status": "success"}, duration_ms=12_345)
    event_logger.worker_heartbeat(batch_id, "denoise", "gpu-3:47", ["e.wav"], host="gpu-3", gpus=[gpu])
    assert event_logger.flush(30) == 0


async def test_people_go_from_errors_to_files_attempts_events_and_workers_by_links_that_can_be_shared(
    projector: Program, gateway: Program, page: Page, event_logger: EventLogger, batch_id: int, tables: Tables
) -> None:
    report(event_logger, batch_id)
    await tables.wait_for(batch_id, 7)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(f"{gateway.url}/?batchId={batch_id}")
    await page.get_by_role("link", name="Errors", exact=True).click()
    await expect(page.get_by_role("link", name="Errors now: 2")).to_have_attribute("aria-current", "page")
    group = page.get_by_role("button", name="2 OSError cannot read {file}")
    await group.click(timeout=WAIT_MS)
    await expect(group).to_have_attribute("aria-expanded", "true")
    opened = page.get_by_role("table", name="Files of this group").get_by_role("row")
    await expect(opened).to_have_count(3, timeout=WAIT_MS)
    await page.reload()  # the address has it all
    await expect(opened).to_have_count(3, timeout=WAIT_MS)
    error = {"status": "error", "type": "OSError", "message": "cannot read f.wav"}
    event_logger.file_complete(batch_id, "denoise", "f.wav", "10.0.0.7", error)
    assert event_logger.flush(30) == 0
    await expect(page.get_by_role("button", name="3 OSError cannot read {file}")).to_be_visible(timeout=WAIT_MS)
    await page.get_by_role("link", name="Mended by a retry").click()
    await expect(page.get_by_text("1 file failed and succeeded since, in 1 group.")).to_be_visible(timeout=WAIT_MS)
    await page.go_back()

    await opened.get_by_role("link", name="d/é.wav").click()
    await expect(page.get_by_role("heading", name="d/é.wav", level=2)).to_be_visible()
    attempt = page.locator(".attempts > li")
    await expect(attempt.get_by_role("heading")).to_have_text("Failed in denoise, run 1", timeout=WAIT_MS)
    await expect(attempt.locator(".said")).to_have_text("OSError: cannot read d/é.wav")
    await attempt.get_by_role("button", name="Copy traceback").click()
    assert await page.evaluate("navigator.clipboard.readText()") == "line 1\nline 2"
    await attempt.get_by_role("link", name="offset 4").click()
    await expect(page.get_by_role("heading", name="Event at offset 4")).to_be_visible()
    await expect(page.get_by_label("The event", exact=True)).to_contain_text('"fileName": "d/é.wav"', timeout=WAIT_MS)
    await expect(page.get_by_role("table", name="Events").get_by_role("row")).to_have_count(9)
    await expect(page.locator('tr[aria-current="true"]')).to_contain_text("offset 4")
    await check_files_and_workers(page)


async def check_files_and_workers(page: Page) -> None:
    """From the page's links to the files, ordered, filtered and searched, to one of them, and to the workers."""
    await page.get_by_role("link", name="Files", exact=True).click()
    await page.get_by_label("Order").select_option("Slowest first")
    names = page.get_by_role("table", name="Files").locator("td.name")
    await expect(names).to_have_text(["a.wav", "b.wav", "c.wav", "d/é.wav", "f.wav"], timeout=WAIT_MS)
    await expect(page.get_by_role("row", name="a.wav")).to_contain_text("1 min 1 s")
    await page.get_by_label("Outcome").select_option("Error")
    await page.get_by_label("Search files by name").fill("É.W")
    await expect(names).to_have_text(["d/é.wav"], timeout=WAIT_MS)
    assert all(part in page.url for part in ("panel=files", "sort=duration", "outcome=error", "q=%C3%89.W"))
    await page.get_by_label("Search files by name").fill("")
    await page.get_by_label("Outcome").select_option("Any outcome")
    await page.get_by_role("link", name="a.wav").click()
    await expect(page.locator(".attempts pre")).to_contain_text(f'"exact": {EXACT}', timeout=WAIT_MS)

    await page.get_by_role("link", name="Workers", exact=True).click()
    row = page.get_by_role("row", name="gpu-3:47")
    await expect(row).to_contain_text("e.wav since", timeout=WAIT_MS)
    for text in ("2: H100", "97%", "3 of 80 GiB"):
        await expect(row).to_contain_text(text)


async def test_a_part_says_when_its_events_are_gone_and_when_the_database_is_away(
    projector: Program,
    gateway: Program,
    page: Page,
    event_logger: EventLogger,
    batch_id: int,
    tables: Tables,
    console_errors: list[str],
) -> None:
    report(event_logger, batch_id)
    await tables.wait_for(batch_id, 7)
    await page.goto(f"{gateway.url}/?batchId={batch_id}&panel=files")
    names = page.get_by_role("table", name="Files").locator("td.name")
    await expect(names).to_have_count(4, timeout=WAIT_MS)
    connection: asyncpg.Connection = tables.connection
    await connection.execute("ALTER VIEW batchOverview RENAME TO away")  # as before any projector has made the tables
    await expect(page.get_by_text("as the database does not answer; trying again")).to_be_visible(timeout=WAIT_MS)
    await expect(names).to_have_count(4)  # from before, and said to be
    await connection.execute("ALTER VIEW away RENAME TO batchOverview")
    await expect(page.get_by_text("as the database does not answer; trying again")).to_be_hidden(timeout=WAIT_MS)
    await connection.execute("UPDATE batch SET logDroppedAt = now() WHERE batchId = $1", batch_id)
    for part, what in (("Files", "files"), ("Errors", "errors"), ("Workers", "workers"), ("Log", "events")):
        await page.get_by_role("link", name=part, exact=True).click()
        await expect(page.get_by_text(f"The {what} of this batch are gone")).to_be_visible(timeout=WAIT_MS)
    console_errors[:] = [text for text in console_errors if "Failed to load resource" not in text]  # 503 and 410
