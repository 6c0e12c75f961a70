"""The dashboard in a real browser, on the real stack: what people see is what the tables say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import asyncpg
import pytest
from headway import EventLogger
from playwright.async_api import Page, expect

from support.browser import Dashboard
from support.eventually import eventually
from support.programs import Program


@pytest.fixture
def dashboard(projector: Program, gateway: Program, page: Page, batch_id: int) -> Dashboard:
    # The page last, so that it is closed before its gateway ends.
    return Dashboard(page, gateway.url, batch_id)


def report(event_logger: EventLogger, batch_id: int, files: range, *, failed: frozenset[int] = frozenset()) -> None:
    for number in files:
        name = f"audio{number:03d}.wav"
        if number in failed:
            event_logger.file_error(batch_id, "denoise", name, "too short", "10.0.0.7")
        else:
            event_logger.file_complete(batch_id, "denoise", name, "10.0.0.7", {"status": "success"})
    assert event_logger.flush(30) == 0


def forgive(console_errors: list[str], expected: str) -> None:
    """Take out the errors that the test has provoked."""
    console_errors[:] = [text for text in console_errors if expected not in text]


async def in_tables(database_url: str, batch_id: int) -> tuple[int, int, int]:
    """Total, processed and errors of the stage."""
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(
            "SELECT total, processed, errors FROM stageRun WHERE batchId = $1 AND isCurrent", batch_id
        )
        return (row["total"], row["processed"], row["errors"]) if row else (0, 0, 0)
    finally:
        await connection.close()


async def test_the_guides_500_files_are_shown_as_the_guide_says_and_as_the_tables_have_them(
    dashboard: Dashboard, event_logger: EventLogger, batch_id: int, database_url: str, console_errors: list[str]
) -> None:
    failed = frozenset({96, 201, 202, 303, 404})
    await dashboard.open()
    event_logger.stage_start(batch_id, "denoise", total_files=500)
    report(event_logger, batch_id, range(0))
    await dashboard.shows(
        "denoise", counts="Total: 500 | Processed: 0 | Errors: 0", files="0/500 files", percent="0%",
        status="Processing",
    )  # fmt: skip
    report(event_logger, batch_id, range(1, 102), failed=failed)
    event_logger.stage_progress(batch_id, "denoise", processed_files=100, total_files=500)
    await dashboard.shows(
        "denoise", counts="Total: 500 | Processed: 100 | Errors: 1", files="100/500 files", percent="20%",
        status="Processing",
    )  # fmt: skip
    newest = dashboard.page.locator(".events button").first
    await expect(newest).to_have_text(re.compile(r"^\[\d\d:\d\d:\d\d\] 📄 audio101\.wav: ✅ Complete$"))
    await expect(dashboard.page.locator(".events .failed")).to_have_text(re.compile(r"❌ audio096\.wav: Error$"))
    await expect(dashboard.page.locator(".events li")).to_have_count(20)
    report(event_logger, batch_id, range(102, 501), failed=failed)
    event_logger.stage_complete(batch_id, "denoise", processed_files=495, failed_files=5)
    event_logger.batch_complete(batch_id)
    await dashboard.shows(
        "denoise", counts="Total: 500 | Processed: 495 | Errors: 5", files="495/500 files", percent="99%",
        status="Complete with errors",
    )  # fmt: skip
    await dashboard.connection("Finished")
    assert await dashboard.stage("denoise") == {
        "total": 500, "processed": 495, "errors": 5, "status": "complete_with_errors",
    }  # fmt: skip
    await eventually(lambda: in_tables(database_url, batch_id), lambda counts: counts == (500, 495, 5))
    forgive(console_errors, "404")  # before its first event the batch is unknown


async def test_one_who_joins_late_sees_the_counts_and_the_last_events_and_then_what_comes(
    dashboard: Dashboard, event_logger: EventLogger, batch_id: int, database_url: str
) -> None:
    event_logger.stage_start(batch_id, "denoise", total_files=300)
    report(event_logger, batch_id, range(200), failed=frozenset({7, 8}))
    await eventually(lambda: in_tables(database_url, batch_id), lambda counts: counts == (300, 198, 2))
    await dashboard.open()
    await dashboard.shows(
        "denoise", counts="Total: 300 | Processed: 198 | Errors: 2", files="198/300 files", percent="66%",
        status="Processing",
    )  # fmt: skip
    await expect(dashboard.page.locator(".events li")).to_have_count(20)
    await expect(dashboard.page.locator(".events button").first).to_contain_text("audio199.wav")
    report(event_logger, batch_id, range(8, 9))  # the failed file is tried again, and succeeds
    report(event_logger, batch_id, range(100, 102))  # reported twice
    await dashboard.shows(
        "denoise", counts="Total: 300 | Processed: 199 | Errors: 1", files="199/300 files", percent="66%",
        status="Processing",
    )  # fmt: skip


async def test_a_gateway_that_is_killed_and_comes_back_leaves_the_numbers_right(
    dashboard: Dashboard, gateway: Program, event_logger: EventLogger, batch_id: int, console_errors: list[str]
) -> None:
    event_logger.stage_start(batch_id, "denoise", total_files=100)
    report(event_logger, batch_id, range(40))
    await dashboard.open()
    await dashboard.connection("Live")
    gateway.kill()
    await dashboard.connection("Offline since")
    report(event_logger, batch_id, range(30, 70))
    await asyncio.to_thread(gateway.run)
    await dashboard.connection("Live")
    await dashboard.shows(
        "denoise", counts="Total: 100 | Processed: 70 | Errors: 0", files="70/100 files", percent="70%",
        status="Processing",
    )  # fmt: skip
    forgive(console_errors, "net::ERR")


async def test_an_event_shows_its_payload_and_hostile_text_stays_text(
    dashboard: Dashboard, event_logger: EventLogger, batch_id: int
) -> None:
    hostile = "<img src=x onerror=\"document.title='owned'\">"
    event_logger.stage_start(batch_id, "denoise", total_files=1)
    event_logger.file_complete(batch_id, "denoise", hostile, "10.0.0.7", {"status": "success", "text": hostile})
    assert event_logger.flush(30) == 0
    await dashboard.open()
    await dashboard.page.locator(".events button").first.click()
    text = dashboard.page.locator("#payload-text")
    await expect(text).to_contain_text('"gpuIp": "10.0.0.7"')
    await expect(text).to_contain_text("onerror")
    await expect(dashboard.page.locator("#payload-title")).to_contain_text("<img src=x")
    assert await dashboard.page.locator("#payload img, .events img").count() == 0
    assert "owned" not in await dashboard.page.title()


async def test_an_event_can_be_clicked_while_others_arrive_and_shows_its_64_bit_numbers_exactly(
    dashboard: Dashboard, event_logger: EventLogger, batch_id: int
) -> None:
    event_logger.stage_start(batch_id, "denoise", total_files=10_000)
    report(event_logger, batch_id, range(30))
    await dashboard.open()
    await dashboard.connection("Live")
    stop = asyncio.Event()

    async def keep_reporting() -> None:
        number = 100
        while not stop.is_set():
            event_logger.file_complete(batch_id, "denoise", f"more{number}.wav")
            number += 1
            await asyncio.sleep(0.01)

    reporting = asyncio.create_task(keep_reporting())
    await dashboard.page.locator(".events button").nth(3).click(delay=80)
    await expect(dashboard.page.locator("#payload-text")).to_contain_text(f'"batchId": {batch_id}')
    stop.set()
    await reporting


async def test_a_stage_without_a_total_shows_no_percent(
    dashboard: Dashboard, event_logger: EventLogger, batch_id: int
) -> None:
    event_logger.stage_start(batch_id, "denoise")
    report(event_logger, batch_id, range(12))
    await dashboard.open()
    await dashboard.shows(
        "denoise",
        counts="Total: unknown | Processed: 12 | Errors: 0",
        files="12 files",
        percent="",
        status="Processing",
    )


async def test_without_postgresql_the_page_still_counts(
    make_gateway: Callable[..., Program],
    page: Page,
    event_logger: EventLogger,
    batch_id: int,
    console_errors: list[str],
) -> None:
    gateway = make_gateway(HEADWAY_DATABASE_URL="postgresql://headway@127.0.0.1:1/headway")
    gateway.start()
    await eventually(lambda: "started" in gateway.log_text(), bool)
    event_logger.stage_start(batch_id, "denoise", total_files=20)
    report(event_logger, batch_id, range(10))
    dashboard = Dashboard(page, gateway.url, batch_id)
    await dashboard.open()
    await dashboard.shows(
        "denoise", counts="Total: 20 | Processed: 10 | Errors: 0", files="10/20 files", percent="50%",
        status="Processing",
    )  # fmt: skip
    forgive(console_errors, "503")


async def test_the_list_of_batches_finds_by_name_and_leads_to_the_batch(
    projector: Program, gateway: Program, page: Page, event_logger: EventLogger, batch_id: int
) -> None:
    event_logger.announce(batch_id, name="Nightly speech")
    event_logger.stage_start(batch_id, "denoise", total_files=20)
    report(event_logger, batch_id, range(10))
    await page.goto(gateway.url)
    row = page.locator(f'tr[data-batch="{batch_id}"]')
    await expect(row).to_contain_text("10/20 files", timeout=20_000)
    await page.get_by_role("searchbox").fill("no such name")
    await expect(row).to_have_count(0)
    await page.get_by_role("searchbox").fill("nightly")
    await row.get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Nightly speech · batch {batch_id}")
