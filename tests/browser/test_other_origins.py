"""A page of another origin reads a stream if its origin is configured and it has a token, and else nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from playwright.async_api import Page

from infra.local.service import free_port
from support.batches import batch_events
from support.programs import Program
from support.tokens import SECRET, token
from support.topics import Topics

READ_STREAM = """
async ([gateway, batchId, token]) => {
  const asked = { method: "POST", headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
                  body: JSON.stringify({ batchId }) };
  const answer = await fetch(`${gateway}/api/access-tokens`, asked).catch((error) => error.name);
  if (typeof answer === "string") return answer;
  const { accessToken } = await answer.json();
  const query = new URLSearchParams({ batchId, access_token: accessToken });
  const source = new EventSource(`${gateway}/api/stream?${query}`);
  const ids = [];
  return new Promise((resolve) => {
    source.addEventListener("file_complete", (message) => ids.push(message.lastEventId));
    source.addEventListener("batch_complete", () => { source.close(); resolve(ids); });
    source.addEventListener("error", () => { source.close(); resolve("error"); });
  });
}
"""
SEND_FORM = """
async ([gateway, token]) => {
  const outcomes = [];
  for (const type of ["text/plain", "application/json"]) {
    const sent = { method: "POST", credentials: "include", mode: type === "text/plain" ? "no-cors" : "cors",
                   headers: { "Content-Type": type }, body: JSON.stringify({ token }) };
    outcomes.push(await fetch(`${gateway}/api/session`, sent).then((answer) => answer.type, (error) => error.name));
  }
  const session = await fetch(`${gateway}/api/session`, { credentials: "include" }).catch((error) => error.name);
  return [...outcomes, session];
}
"""


@pytest.fixture
async def other_origin() -> AsyncIterator[str]:
    """The origin of an empty page that is not the gateway's."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Another</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/{name:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def test_a_page_of_a_configured_origin_follows_a_stream_with_a_query_token(
    make_gateway: Callable[..., Program], other_origin: str, page: Page, topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET, HEADWAY_GATEWAY_ORIGINS=other_origin)
    gateway.run()
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    await page.goto(other_origin)
    assert await page.evaluate(READ_STREAM, [gateway.url, str(batch_id), token(batch_id)]) == ["1", "2", "3"]


async def test_a_page_of_an_origin_that_is_not_configured_reads_nothing_and_logs_nobody_in(
    make_gateway: Callable[..., Program], other_origin: str, page: Page, batch_id: int, console_errors: list[str]
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET, HEADWAY_GATEWAY_ORIGINS="https://app.example")
    gateway.run()
    await page.goto(other_origin)
    assert await page.evaluate(READ_STREAM, [gateway.url, str(batch_id), token(batch_id)]) == "TypeError"
    assert await page.evaluate(SEND_FORM, [gateway.url, token(batch_id)]) == ["TypeError"] * 3
    assert await page.context.cookies(gateway.url) == []
    console_errors.clear()  # the browser says at length what it has refused
