"""What surrounds the numbers: themes, keys, notices to those who do not look, and that everybody can read all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from headway_events import BatchComplete, Event, FileComplete, FileError, StageComplete, StageStart, WorkerHeartbeat
from playwright.async_api import Page, expect

from support.browser import Dashboard
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

WAIT_MS = 30_000
AXE = Path(__file__).parents[1] / "node/node_modules/axe-core/axe.min.js"
RUN_AXE = """async () => (await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
})).violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => [node.html, node.failureSummary])])"""
COLOUR = "() => getComputedStyle(document.body).backgroundColor"
LIGHT = "rgb(245, 246, 249)"
DARK = "rgb(15, 19, 27)"
RECORD_NOTIFICATIONS = """
    window.notified = [];
    window.Notification = class {
        static permission = "default";
        static async requestPermission() { return this.permission = "granted"; }
        constructor(text) { window.notified.push(text); }
    };
"""


def events_of(batch_id: int) -> list[Event]:
    """A batch with a bit of everything."""
    now = datetime.now(UTC) + timedelta(minutes=10)
    events: list[Event] = [StageStart(batch_id=batch_id, timestamp=now, stage="denoise", total_files=30)]
    for number in range(20):
        kind = FileError if number in {3, 7} else FileComplete
        events.append(
            kind(
                batch_id=batch_id, timestamp=now, stage="denoise", file_name=f"{number:03d}.wav",
                duration_ms=100.0 + number, worker="gpu-1:7",
            )
        )  # fmt: skip
    busy = WorkerHeartbeat(
        batch_id=batch_id, timestamp=now, stage="denoise", worker="gpu-1:7", files_in_flight=["020.wav"]
    )
    return [*events, busy]


@pytest.fixture
async def dashboard(
    projector: Program, gateway: Program, page: Page, topics: Topics, tables: Tables, batch_id: int
) -> Dashboard:
    await projected(topics, tables, batch_id, events_of(batch_id))
    return Dashboard(page, gateway.url, batch_id)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_part(dashboard: Dashboard, page: Page, scheme: str) -> None:
    source = AXE.read_text()
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    ready = {
        "overview": ".card", "charts": ".legend", "errors": "[aria-label='Groups of errors'] li", "files": "tbody tr",
        "workers": "tbody tr", "replay": ".replay .card", "events": "main section:not([hidden]) li, tbody tr",
    }  # fmt: skip
    found: dict[str, Any] = {}
    for panel, shown in {**ready, "": "tr[data-batch]"}.items():
        await page.goto(f"{dashboard.address}&panel={panel}" if panel else dashboard.address.partition("?")[0])
        await expect(page.locator(shown).first).to_be_visible(timeout=WAIT_MS)
        await page.evaluate(source)
        found[panel or "list"] = await page.evaluate(RUN_AXE)
    assert {panel: violations for panel, violations in found.items() if violations} == {}


async def test_the_tab_shows_how_far_the_batch_is(dashboard: Dashboard, page: Page) -> None:
    await dashboard.open()
    await expect(page).to_have_title(f"66% · Batch {dashboard.address.partition('=')[2]} · Headway", timeout=WAIT_MS)
    icon = await page.locator("link[rel=icon]").get_attribute("href")
    assert icon == "/static/progress/6.svg"
    answer = await page.request.get(f"{dashboard.address.partition('/?')[0]}{icon}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")


async def test_a_theme_is_chosen_and_kept(dashboard: Dashboard, page: Page) -> None:
    await page.emulate_media(color_scheme="dark")
    await dashboard.open()
    assert await page.evaluate(COLOUR) == DARK
    button = page.locator("#theme")
    await button.click()
    await expect(button).to_have_text("Theme: light")
    assert await page.evaluate(COLOUR) == LIGHT
    await page.reload()
    await expect(button).to_have_text("Theme: light")
    assert await page.evaluate(COLOUR) == LIGHT
    await button.click()
    await page.emulate_media(color_scheme="light")
    assert await page.evaluate(COLOUR) == DARK
    await button.click()
    await expect(button).to_have_text("Theme: auto")
    assert await page.evaluate(COLOUR) == LIGHT


async def test_the_keyboard_leads_everywhere_but_not_while_somebody_types(dashboard: Dashboard, page: Page) -> None:
    await dashboard.open()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("4")
    await expect(page.locator(".tabs [aria-current]")).to_have_text("Files")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("g4?")
    await expect(page.get_by_role("searchbox")).to_have_value("g4?")
    await page.get_by_role("searchbox").blur()
    await page.keyboard.press("g")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Batches", timeout=WAIT_MS)


async def test_who_does_not_look_is_told_of_errors_and_the_end_by_voice_and_if_wished_by_notification(
    projector: Program, gateway: Program, page: Page, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.announce(batch_id)
    now = datetime.now(UTC)
    topics.write_events([StageStart(batch_id=batch_id, timestamp=now, stage="denoise", total_files=4)])
    await page.add_init_script(RECORD_NOTIFICATIONS)
    dashboard = Dashboard(page, gateway.url, batch_id)
    await dashboard.open()
    await dashboard.connection("Live")
    button = page.get_by_role("button", name="Notify me")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "true")
    await asyncio.sleep(1.5)  # a look at the batch as it is: what had happened before is no news
    topics.write_events([FileError(batch_id=batch_id, timestamp=now, stage="denoise", file_name="a")])
    region = page.locator("#herald")
    await expect(region).to_have_text(f"Batch {batch_id} has its first error.", timeout=WAIT_MS)
    topics.write_events(
        [
            FileComplete(batch_id=batch_id, timestamp=now, stage="denoise", file_name="b"),
            StageComplete(batch_id=batch_id, timestamp=now, stage="denoise"),
            BatchComplete(batch_id=batch_id, timestamp=now),
        ]
    )
    end = f"Batch {batch_id} is complete, with 1 error."
    await expect(region).to_have_text(end, timeout=WAIT_MS)
    assert await page.evaluate("notified") == [f"Batch {batch_id} has its first error.", end]


async def test_after_an_outage_the_page_says_since_when_and_that_it_catches_up(
    make_gateway: Callable[..., Program], projector: Program, page: Page, topics: Topics, tables: Tables,
    batch_id: int, console_errors: list[str],
) -> None:  # fmt: skip
    gateway = make_gateway()
    gateway.run()
    topics.create(batch_id)
    topics.announce(batch_id)
    now = datetime.now(UTC)
    total = 40_001
    topics.write_events([StageStart(batch_id=batch_id, timestamp=now, stage="denoise", total_files=total - 1)])
    dashboard = Dashboard(page, gateway.url, batch_id)
    await dashboard.open()
    await dashboard.connection("Live")
    await page.evaluate(
        "() => { window.said = []; const shown = document.getElementById('connection');"
        " new MutationObserver(() => said.push(shown.textContent)).observe(shown, {childList: true, subtree: true}); }"
    )
    gateway.stop()
    await dashboard.connection("Offline since")
    await asyncio.to_thread(
        topics.write_events,
        [
            FileComplete(batch_id=batch_id, timestamp=now, stage="denoise", file_name=f"{number}")
            for number in range(total - 1)
        ],
    )
    await tables.wait_for(batch_id, total)
    gateway.run()
    await expect(page.locator(".card .counts")).to_contain_text("Processed: 40,000", timeout=WAIT_MS)
    await dashboard.connection("Live")
    said = await page.evaluate("said")
    assert said[-1] == "Live"
    assert {text.partition(" since")[0] for text in said} <= {"Offline", "Connecting", "Catching up", "Live"}
    console_errors.clear()  # the connections that were refused meanwhile
