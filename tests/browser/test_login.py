"""A person logs in with a token, sees the batches that it is for, and is asked again when it has ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from headway import EventLogger
from playwright.async_api import Page, expect

from support.browser import Dashboard
from support.programs import Program
from support.tokens import SECRET, token


@pytest.fixture
def guarded(projector: Program, make_gateway: Callable[..., Program]) -> Program:
    """A running gateway that asks for tokens."""
    running = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET)
    running.run()
    return running


async def log_in(page: Page, shown: str) -> None:
    await page.get_by_label("Token").fill(shown)
    await page.get_by_role("button", name="Log in").click()


async def test_a_person_logs_in_follows_a_batch_and_logs_out(
    guarded: Program, page: Page, event_logger: EventLogger, batch_id: int, console_errors: list[str]
) -> None:
    for one in (batch_id, batch_id + 1):
        event_logger.announce(one, name=f"night {one - batch_id}")
        event_logger.stage_start(one, "denoise", total_files=2)
        event_logger.file_complete(one, "denoise", "a.wav")
    assert event_logger.flush(30) == 0
    dashboard = Dashboard(page, guarded.url, batch_id)
    await dashboard.open()
    await log_in(page, "no token")
    await expect(page.get_by_role("alert")).to_have_text("The token is not a JSON Web Token")
    await log_in(page, token(batch_id))
    await dashboard.shows(
        "denoise", counts="Total: 2 | Processed: 1 | Errors: 0", files="1/2 files", percent="50%", status="Processing"
    )
    await dashboard.connection("Live")
    assert await page.evaluate("document.cookie") == ""
    await page.goto(guarded.url)
    await expect(page.locator("tbody tr")).to_have_count(1, timeout=20_000)
    await expect(page.locator("tbody")).to_contain_text("night 0")
    await Dashboard(page, guarded.url, batch_id + 1).open()
    await dashboard.connection("Your token is not for this batch")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("Token")).to_be_visible()
    console_errors[:] = [text for text in console_errors if "401" not in text and "403" not in text]


async def test_a_page_whose_token_ends_asks_for_another(
    guarded: Program, page: Page, event_logger: EventLogger, batch_id: int, console_errors: list[str]
) -> None:
    event_logger.stage_start(batch_id, "denoise", total_files=2)
    assert event_logger.flush(30) == 0
    dashboard = Dashboard(page, guarded.url, batch_id)
    await dashboard.open()
    await log_in(page, token(batch_id, lasts_s=6))
    await dashboard.connection("Live")
    await expect(page.get_by_label("Token")).to_be_visible(timeout=30_000)
    console_errors[:] = [text for text in console_errors if "401" not in text]
