"""Does the dashboard keep up? A late joiner's wait, frames while events pour in, the heap after an hour of them.

A real Chromium without a screen looks at a batch of 200,000 files of which 100,000 are done. Measured are: from the
navigation, with an empty cache, to the right totals on the page; frames drawn a second while 1,000 files a second are
reported; and what the page's heap holds, garbage collected, after as many events as come in an hour at that rate. For
the last the page reads its stream itself, as without a SharedWorker, so that all of it is in one heap.

Beside them: the login page, which asks for nothing; the same page while nothing is reported; the heap before.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice

from confluent_kafka import Producer
from playwright.sync_api import Browser, Page, sync_playwright

from bench.backlog import make_known, new_batches, until_projected
from bench.events import Record, batch_records, producer_settings
from bench.figures import Bound, Figure
from bench.meanwhile import meanwhile
from bench.stack import BenchStack
from infra.local import tools

ROUNDS = 5
FILES = 200_000
DONE = 102_001  # records: the start, the first half of the files, and their checkpoints
TOTALS = "Total: 200,000 | Processed: 99,500 | Errors: 500"
TOTALS_BELOW_MS = 1000
FRAMES_FOR_MS = 10_000
A_SECOND = 1_000  # files
PAUSE_S = 0.01  # between two small writes
OF_IDLE_FRAMES = 0.98
AN_HOUR = 3_600_000  # events
FLUSH_EVERY = 100_000  # records
HEAP_BELOW_MB = 100
TIMEOUT_MS = 300_000
WAIT_FOR_TOTALS = "totals => document.querySelector('.card .counts')?.textContent === totals ? performance.now() : null"
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
COUNT_FRAMES = """ms => new Promise((done) => {
    const begin = performance.now();
    let frames = 0;
    const step = (now) => {
        frames += 1;
        if (now - begin < ms) requestAnimationFrame(step);
        else done(frames * 1000 / (now - begin));
    };
    requestAnimationFrame(step);
})"""
HAVE_COME = "attempts => state.stages.denoise.attempts >= attempts"


def measure(stack: BenchStack) -> list[Figure]:
    """The three, one after another on the same batch."""
    (batch_id,) = new_batches(1)
    records = list(batch_records(FILES))[:-2]  # without their end
    with stack.gateway() as port:
        address = f"http://127.0.0.1:{port}/?batchId={batch_id}"
        with stack.projector() as projector:
            make_known(stack, projector, [batch_id])
            _write(stack, batch_id, records[:DONE])
            until_projected(stack, projector, DONE)
            with _chromium() as browser:
                joined = [_joined(browser, address) for _ in range(ROUNDS)]
                bare = [_loaded(browser, f"http://127.0.0.1:{port}/static/login.html") for _ in range(ROUNDS)]
                frames, idle = _frames(stack, browser, address, batch_id, records[DONE:])
        with _chromium() as browser:
            heap, before = _heap(stack, browser, address, batch_id, records)
    return [
        Figure.of_rounds(
            "a batch with 100,000 files done: navigation to right totals on the page", "ms", joined, bare,
            "the login page, to its load event", Bound(below=TOTALS_BELOW_MS),
        ),
        Figure.of_rounds(
            "frames drawn while 1,000 files/s are reported", "frames/s", frames, idle,
            "the same page, nothing reported", Bound(ratio_at_least=OF_IDLE_FRAMES),
        ),
        Figure.of_rounds(
            f"heap of the page after {AN_HOUR:,} events", "MB", [heap], [before],
            "the same page before them", Bound(below=HEAP_BELOW_MB),
        ),
    ]  # fmt: skip


@contextmanager
def _chromium() -> Iterator[Browser]:
    root = os.geteuid() == 0  # whose sandbox Chromium refuses to make
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(tools.chromium()), chromium_sandbox=not root)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _page(browser: Browser, address: str) -> Iterator[Page]:
    """A page with an empty cache."""
    context = browser.new_context(locale="en-GB")
    try:
        page = context.new_page()
        page.goto(address)
        yield page
    finally:
        context.close()


def _joined(browser: Browser, address: str) -> float:
    with _page(browser, address) as page:
        return float(page.wait_for_function(WAIT_FOR_TOTALS, arg=TOTALS, timeout=TIMEOUT_MS).json_value())


def _loaded(browser: Browser, address: str) -> float:
    with _page(browser, address) as page:
        return float(page.evaluate(LOADED))


def _frames(
    stack: BenchStack, browser: Browser, address: str, batch_id: int, records: Sequence[Record]
) -> tuple[list[float], list[float]]:
    """Frames a second with and without reports, in turn."""
    busy, idle = [], []
    coming = iter(records)
    with _page(browser, address) as page:
        page.wait_for_function(WAIT_FOR_TOTALS, arg=TOTALS, timeout=TIMEOUT_MS)
        for _ in range(ROUNDS):
            idle.append(float(page.evaluate(COUNT_FRAMES, FRAMES_FOR_MS)))
            with _reported(stack, batch_id, coming):
                busy.append(float(page.evaluate(COUNT_FRAMES, FRAMES_FOR_MS)))
    return busy, idle


@contextmanager
def _reported(stack: BenchStack, batch_id: int, records: Iterator[Record]) -> Iterator[None]:
    """So many files a second, until the body ends."""

    def report(ended: threading.Event) -> None:
        producer = Producer(producer_settings(stack, linger_ms=5))
        due = time.perf_counter()
        while not ended.is_set():
            _produce(stack, producer, batch_id, islice(records, round(A_SECOND * PAUSE_S)))
            due += PAUSE_S
            time.sleep(max(0.0, due - time.perf_counter()))
        producer.flush()

    with meanwhile(report):
        yield


def _heap(
    stack: BenchStack, browser: Browser, address: str, batch_id: int, records: Sequence[Record]
) -> tuple[float, float]:
    """MB after and before the events, which are of files that have been reported already."""
    context = browser.new_context()
    context.add_init_script("delete globalThis.SharedWorker")
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("() => state.stages.denoise?.processed > 0", timeout=TIMEOUT_MS)
    known = int(page.evaluate("() => state.stages.denoise.attempts"))
    before = _heap_mb(page)
    files = [record for record in records[1:DONE] if b'"fileName"' in record.value]
    _write(stack, batch_id, islice(cycle(files), AN_HOUR))
    page.wait_for_function(HAVE_COME, arg=known + AN_HOUR, polling=500, timeout=TIMEOUT_MS)
    after = _heap_mb(page)
    context.close()
    return after, before


def _heap_mb(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def _write(stack: BenchStack, batch_id: int, records: Sequence[Record] | Iterator[Record]) -> None:
    producer = Producer(producer_settings(stack, linger_ms=20))
    coming = iter(records)
    while some := list(islice(coming, FLUSH_EVERY)):
        _produce(stack, producer, batch_id, some)
        producer.flush()


def _produce(
    stack: BenchStack, producer: Producer, batch_id: int, records: Sequence[Record] | Iterator[Record]
) -> None:
    topic = stack.names.of_batch(batch_id)
    for record in records:
        producer.produce(topic, value=record.of_batch(batch_id), key=record.key, headers=record.headers)
    producer.poll(0)
