"""What pipelines report is shown as text: no name, label or response of theirs is ever run or parsed as HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from headway import EventLogger
from playwright.async_api import Page, expect

from support.programs import Program

PAYLOADS = [
    "<script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    '"><svg onload="window.owned = 1">',
    "' onmouseover='window.owned = 1' x='",
    "</title></pre></style></script><script>window.owned = 1</script>",
    "javascript:window.owned = 1",
    "<iframe srcdoc='<script>parent.owned = 1</script>'></iframe>",
    "<a href='javascript:window.owned = 1'>a</a><style>* { display: none }</style>",
    "{{constructor.constructor('window.owned = 1')()}}${window.owned = 1}",
    "__proto__",
    "constructor",
    "\u202emoc.elpmaxe\u2028\u2029<base href='https://evil.example/'>",
]
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@pytest.fixture
async def watched(page: Page) -> Page:
    """A page that keeps what its policy has forbidden."""
    await page.add_init_script(WATCH)
    return page


async def check_unharmed(page: Page, elements: set[str]) -> None:
    """Nothing has run, nothing was forbidden because nothing was tried, and no element has come from a text."""
    found: dict[str, Any] = await page.evaluate(
        "() => ({owned: window.owned ?? null, violations, polluted: ({}).processed ?? null,"
        " names: [...new Set([...document.querySelectorAll('body *')].map((one) => one.localName))],"
        " inline: [...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames())"
        "   .filter((name) => name.startsWith('on'))})"
    )
    assert (found["owned"], found["violations"], found["polluted"], found["inline"]) == (None, [], None, [])
    assert set(found["names"]) <= elements


LIST = {"a", "header", "footer", "img", "span", "main", "nav", "noscript", "dialog", "form", "h1", "h2", "button",
        "pre", "div", "dl", "dt", "dd", "kbd", "input", "table", "caption", "thead", "tr", "th", "tbody", "td",
        "p"}  # fmt: skip
BATCH = (LIST | {"section", "h3", "ol", "ul", "li", "time"}) - {
    "table",
    "caption",
    "thead",
    "tr",
    "th",
    "tbody",
    "td",
    "input",
}
CHARTS = {"canvas", "svg", "g", "line", "path", "rect", "text", "title", "table", "thead", "tr", "th", "tbody"}
DRILL_DOWN = LIST | BATCH | {"h4", "strong", "select", "option", "caption", "dl", "dt", "dd", "details", "summary"}


async def test_nothing_that_a_pipeline_reports_is_run(
    projector: Program, make_gateway: Callable[..., Program], watched: Page, event_logger: EventLogger, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_WORKER_SILENT_AFTER_S="0")
    gateway.run()
    labels = dict(zip(PAYLOADS, reversed(PAYLOADS), strict=True))
    event_logger.announce(batch_id, name=" ".join(PAYLOADS), labels=labels)
    for payload in PAYLOADS:
        event_logger.stage_start(batch_id, payload, total_files=3)
        event_logger.file_complete(batch_id, payload, payload, payload, {"status": payload, payload: [payload]})
        error = {"status": "error", "type": payload, "message": payload, "traceback": payload, payload: payload}
        event_logger.file_complete(batch_id, payload, f"2{payload}", payload, error)
        event_logger.worker_heartbeat(batch_id, payload, payload, [f"3{payload}"])
    assert event_logger.flush(30) == 0
    await watched.goto(gateway.url)
    row = watched.locator(f'tr[data-batch="{batch_id}"]')
    await expect(row.locator("th > a")).to_have_text(" ".join(PAYLOADS), timeout=20_000, use_inner_text=False)
    await expect(row.locator(".stage-line")).to_have_count(len(PAYLOADS), timeout=20_000)
    await check_unharmed(watched, LIST)
    await row.locator("th > a").click()
    await expect(watched.locator(".card")).to_have_count(len(PAYLOADS), timeout=20_000)
    for number, payload in enumerate(PAYLOADS):
        card = watched.locator(".card").nth(number)
        assert await card.get_attribute("data-stage") == payload
        await expect(card.locator(".counts")).to_have_text("Total: 3 | Processed: 1 | Errors: 1")
        silent = await card.locator(".silent li").text_content() or ""
        assert silent.startswith(f"⚠️ Worker {payload} not heard for ")
        assert silent.endswith(f", on 3{payload}")
        line = card.locator(".events button").nth(1)
        assert f"📄 {payload}: ✅ Complete" in (await line.text_content() or "")
        await line.click()
        title = await watched.locator("#payload-title").text_content() or ""
        assert title.startswith(payload)
        assert '"gpuIp": ' in (await watched.locator("#payload-text").text_content() or "")
        await check_unharmed(watched, BATCH)
        await watched.keyboard.press("Escape")
    assert "document.title" not in await watched.title()
    await check_unharmed(watched, BATCH)
    await watched.get_by_role("link", name="Charts", exact=True).click()
    await expect(watched.locator(".figure svg")).to_have_count(2, timeout=20_000)
    await check_unharmed(watched, BATCH | CHARTS)
    await check_parts(watched, f"{gateway.url}/?batchId={batch_id}")


async def check_parts(page: Page, address: str) -> None:
    """The parts that show a batch's errors, files, workers and events show all of that as text too."""
    await page.goto(f"{address}&panel=errors")
    await expect(page.locator(".groups .type")).to_have_text(PAYLOADS, use_inner_text=False, timeout=20_000)
    for toggle in await page.locator(".groups .toggle").all():
        await toggle.click()
        await expect(page.locator(".opened:visible tbody tr")).to_have_count(1, timeout=20_000)
    await check_unharmed(page, DRILL_DOWN)
    # The workers: those that heartbeats name, and this process, which reports the files.
    for part, count in (("files", 2 * len(PAYLOADS)), ("workers", len(PAYLOADS) + 1), ("events", 4 * len(PAYLOADS))):
        await page.goto(f"{address}&panel={part}")
        names = page.locator("main tbody tr:not(:has(.host))")
        await expect(names).to_have_count(count, timeout=20_000)
        await check_unharmed(page, DRILL_DOWN)
    for payload in PAYLOADS:
        await page.goto(f"{address}&{urlencode({'panel': 'files', 'file': f'2{payload}'})}")
        await expect(page.locator(".said")).to_have_text(f"{payload}: {payload}", use_inner_text=False, timeout=20_000)
        await expect(page.locator(".attempts pre").first).to_have_text(payload, use_inner_text=False)
        await check_unharmed(page, DRILL_DOWN)


@pytest.mark.parametrize("payload", [PAYLOADS[1], PAYLOADS[4], "javascript:owned=1", "../../static/main.js"])
async def test_nothing_in_the_address_is_run(
    projector: Program, gateway: Program, watched: Page, payload: str, console_errors: list[str]
) -> None:
    await watched.goto(f"{gateway.url}/")
    for query in ("batchId", "q"):
        await watched.evaluate(
            "([name, value]) => { location.href = `/?${new URLSearchParams({[name]: value})}#${value}`; }",
            [query, payload],
        )
        await watched.wait_for_url(lambda url, query=query: f"?{query}=" in url)  # type: ignore[misc]
        await expect(watched.get_by_role("heading", level=1)).to_have_text(
            f"Batch {payload}" if query == "batchId" else "Batches"
        )
        await check_unharmed(watched, LIST | BATCH)
    console_errors[:] = [text for text in console_errors if "Failed to load resource" not in text]  # no such batch


async def test_the_policy_forbids_what_the_page_never_does(
    projector: Program, gateway: Program, watched: Page, console_errors: list[str]
) -> None:
    await watched.goto(gateway.url)
    outcome = await watched.evaluate(
        """async () => {
          const tried = {};
          await new Promise((resolve) => setTimeout(resolve)); // out of the debugger's call, which may do anything
          try { eval("window.owned = 1"); } catch (error) { tried.eval = error.name; }
          try { document.body.innerHTML = "<b>"; } catch (error) { tried.html = error.name; }
          const script = document.createElement("script");
          script.append("window.owned = 1");
          try { document.body.append(script); } catch (error) { tried.script = error.name; }
          tried.fetch = await fetch("https://evil.example/").catch((error) => error.name);
          tried.owned = window.owned ?? null;
          return tried;
        }"""
    )
    assert (outcome["eval"], outcome["html"], outcome["fetch"], outcome["owned"]) == (
        "EvalError", "TypeError", "TypeError", None,
    )  # fmt: skip
    console_errors.clear()  # the browser says at length what it has forbidden
