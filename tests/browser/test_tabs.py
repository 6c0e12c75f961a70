"""Tabs of one browser read a batch's stream once, together: a browser opens six connections to a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import BrowserContext, Page, expect

from support.batches import batch_events
from support.browser import Dashboard
from support.eventually import eventually
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

TABS = 8
NOT_FOUND = "SharedWorker = class extends Real { constructor(url, options) { super('/static/none.js', options); } };"
REFUSED = "SharedWorker = class { constructor() { throw new DOMException('no', 'SecurityError'); } };"
WITHOUT = "globalThis.Real = SharedWorker; delete globalThis.SharedWorker;"


@pytest.fixture
async def context(projector: Program, gateway: Program, page: Page) -> AsyncIterator[BrowserContext]:
    """One person's browser, closed before the gateway ends."""
    assert page.context.browser is not None
    made = await page.context.browser.new_context(timezone_id="UTC", locale="en-GB")
    yield made
    await made.close()


async def streams(gateway: Program) -> int:
    """How many streams the gateway serves."""
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/healthz") as response:
        document = await response.json()
        return int(document["streams"])


async def open_tab(context: BrowserContext, gateway: Program, batch_id: int, errors: list[str]) -> Dashboard:
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    dashboard = Dashboard(page, gateway.url, batch_id)
    await dashboard.open()
    return dashboard


async def all_show(tabs: list[Dashboard], processed: int, status: str = "Processing") -> None:
    """Every tab has counted every event once."""
    for tab in tabs:
        await tab.shows(
            "denoise", counts=f"Total: 400 | Processed: {processed} | Errors: 0", files=f"{processed}/400 files",
            percent=f"{processed // 4}%", status=status,
        )  # fmt: skip
        attempts = await tab.page.evaluate("state.stages.denoise.attempts")
        assert attempts == processed, "an event was counted twice, or not at all"


async def test_eight_tabs_share_one_stream_and_go_on_when_any_of_them_is_closed(
    context: BrowserContext, gateway: Program, topics: Topics, tables: Tables, batch_id: int, console_errors: list[str]
) -> None:
    events = list(batch_events(batch_id, 400))
    await projected(topics, tables, batch_id, events[:101])
    tabs = [await open_tab(context, gateway, batch_id, console_errors)]
    await all_show(tabs, 100)
    topics.write_events(events[101:201])  # those who come now get a state and the events after it
    tabs += [await open_tab(context, gateway, batch_id, console_errors) for _ in range(TABS - 1)]
    await all_show(tabs, 200)
    assert await streams(gateway) == 1
    for tab in tabs:
        await expect(tab.page.locator(".events button").first).to_contain_text("audio00199.wav")
        await expect(tab.page.locator(".events li")).to_have_count(20)
    first, *others = tabs
    await asyncio.gather(first.page.close(), asyncio.to_thread(topics.write_events, events[201:301]))
    await all_show(others, 300)
    assert await streams(gateway) == 1
    await asyncio.gather(
        others[3].page.close(), others[0].page.reload(), asyncio.to_thread(topics.write_events, events[301:])
    )
    del others[3]
    await all_show(others, 400, "Complete")
    for tab in others:
        await tab.connection("Finished")


async def test_the_stream_ends_with_the_last_of_its_tabs(
    context: BrowserContext, gateway: Program, topics: Topics, batch_id: int, console_errors: list[str]
) -> None:
    topics.create(batch_id)
    topics.write_events(list(batch_events(batch_id, 400))[:101])
    tabs = [await open_tab(context, gateway, batch_id, console_errors) for _ in range(3)]
    await all_show(tabs, 100)
    await tabs[0].page.goto("about:blank")
    await tabs[1].page.close()
    await all_show(tabs[2:], 100)
    await asyncio.sleep(0.5)
    assert await streams(gateway) == 1
    await tabs[2].page.close()
    await eventually(lambda: streams(gateway), lambda number: number == 0)


async def test_tabs_of_different_batches_have_a_stream_each(
    context: BrowserContext, gateway: Program, topics: Topics, batch_id: int, console_errors: list[str]
) -> None:
    for number in range(2):
        topics.create(batch_id + number)
        topics.write_events(list(batch_events(batch_id + number, 400))[: 41 + 40 * number])
    tabs = [await open_tab(context, gateway, batch_id + number, console_errors) for number in (0, 1, 0, 1)]
    await all_show(tabs[::2], 40)
    await all_show(tabs[1::2], 80)
    assert await streams(gateway) == 2


async def test_a_tab_that_cannot_share_reads_alone(
    context: BrowserContext, gateway: Program, topics: Topics, batch_id: int, console_errors: list[str]
) -> None:
    topics.create(batch_id)
    topics.write_events(list(batch_events(batch_id, 400))[:101])
    tabs = []
    for broken in (WITHOUT, REFUSED, NOT_FOUND):
        await context.add_init_script(broken)
        tabs.append(await open_tab(context, gateway, batch_id, console_errors))
    await all_show(tabs, 100)
    topics.write_events(list(batch_events(batch_id, 400))[101:201])
    await all_show(tabs, 200)
    assert await streams(gateway) == len(tabs)


async def test_a_finished_batch_that_begins_again_is_live_for_those_who_open_it_then(
    context: BrowserContext, gateway: Program, topics: Topics, tables: Tables, batch_id: int, console_errors: list[str]
) -> None:
    events = list(batch_events(batch_id, 400))
    await projected(topics, tables, batch_id, events)
    early = await open_tab(context, gateway, batch_id, console_errors)
    await early.connection("Finished")
    topics.write_events(events[:41])
    late = await open_tab(context, gateway, batch_id, console_errors)
    await late.connection("Live")
    await all_show([late], 40)


async def test_all_tabs_come_through_a_gateway_that_is_killed(
    context: BrowserContext, gateway: Program, topics: Topics, batch_id: int, console_errors: list[str]
) -> None:
    topics.create(batch_id)
    events = list(batch_events(batch_id, 400))
    topics.write_events(events[:101])
    tabs = [await open_tab(context, gateway, batch_id, console_errors) for _ in range(3)]
    await all_show(tabs, 100)
    await asyncio.to_thread(gateway.kill)
    for tab in tabs:
        await tab.connection("Offline since")
    topics.write_events(events[101:201])
    await asyncio.to_thread(gateway.run)
    await all_show(tabs, 200)
    assert await streams(gateway) == 1
