"""The page of a batch that has a problem, or whose events are gone, says so and shows what the tables have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from playwright.async_api import Page, expect

from support.batches import batch_events
from support.browser import Dashboard
from support.eventually import eventually
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

COUNTS = {
    "counts": "Total: 20 | Processed: 17 | Errors: 3", "files": "17/20 files", "percent": "85%",
    "status": "Complete with errors",
}  # fmt: skip


async def archived(topics: Topics, tables: Tables, batch_id: int) -> None:
    """A finished batch whose topic was deleted."""
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 20, failed=3))
    await eventually(lambda: tables.overview(batch_id), lambda found: found.get("archivedat") is not None)
    await eventually(lambda: topics.exists(topic), lambda there: not there)


async def test_a_topic_made_anew_is_named_with_its_remedy_and_does_not_change_the_numbers(
    make_projector: Callable[..., Program], gateway: Program, page: Page, topics: Topics, tables: Tables, batch_id: int
) -> None:
    make_projector(HEADWAY_PROJECTOR_TOPIC_KEPT_S="1").run()
    await archived(topics, tables, batch_id)
    topics.create(batch_id)
    await asyncio.to_thread(topics.write_events, list(batch_events(batch_id, 500))[:-1])  # a late producer
    await eventually(lambda: tables.overview(batch_id), lambda found: found["problem"] is not None)
    dashboard = Dashboard(page, gateway.url, batch_id)
    await dashboard.open()
    await dashboard.connection("Not followed")
    await dashboard.shows("denoise", **COUNTS)
    notice = page.locator(".notice")
    await expect(notice).to_contain_text("Its topic was deleted and made anew.")
    await expect(notice).to_contain_text(f"headway-projector rebuild {batch_id} --from-topic")


async def test_a_batch_whose_events_are_gone_shows_its_counts_and_says_so(
    make_projector: Callable[..., Program], gateway: Program, page: Page, topics: Topics, tables: Tables, batch_id: int
) -> None:
    make_projector(HEADWAY_PROJECTOR_TOPIC_KEPT_S="1").run()
    await archived(topics, tables, batch_id)
    await tables.connection.execute("SELECT dropLogWeek(logWeek) FROM batch")
    await tables.connection.execute("UPDATE batch SET logDroppedAt = now()")
    dashboard = Dashboard(page, gateway.url, batch_id)
    await dashboard.open()
    await dashboard.shows("denoise", **COUNTS)
    await dashboard.connection("Finished")
    await expect(page.locator(".notice")).to_have_text(
        "The events of this batch are not kept any more, its counts are."
    )


async def test_a_batch_that_was_never_closed_and_whose_topic_is_gone_is_finished_and_asked_for_no_more(
    projector: Program, gateway: Program, page: Page, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(list(batch_events(batch_id, 20, failed=3))[:-2])  # without stage_complete and batch_complete
    await tables.wait_for(batch_id, 21)
    topics.delete(topic)
    dashboard = Dashboard(page, gateway.url, batch_id)
    await dashboard.open()
    await dashboard.connection("Finished")
    await dashboard.shows("denoise", **{**COUNTS, "status": "Processing"})
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "/api/stream" in request.url else None)
    await asyncio.sleep(3)  # longer than the client waits for its next try
    assert streams == []
