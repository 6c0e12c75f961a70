"""A real audio pipeline's counts are the same on the screen as everywhere else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from headway import EventLogger
from headway_events import TopicNames
from playwright.async_api import Page

from examples.denoise import compare, corpus, pipeline
from support.browser import Dashboard
from support.programs import Program


async def test_each_stages_counts_agree_between_pipeline_tables_api_stream_and_screen(
    kafka: str,
    names: TopicNames,
    projector: Program,
    gateway: Program,
    database_url: str,
    page: Page,
    batch_id: int,
    tmp_path: Path,
    console_errors: list[str],
) -> None:
    files = {path.name: path for path in corpus.write(corpus.plan(12, broken=3), tmp_path / "corpus")}
    dashboard = Dashboard(page, gateway.url, batch_id)
    await dashboard.open()
    with EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path / "spool") as logger:
        counts = await asyncio.to_thread(
            pipeline.run, files, tmp_path / "output", logger=logger, batch_id=batch_id, workers=2
        )
        logger.batch_complete(batch_id)
    for stage, expected in counts.items():
        await dashboard.shows(
            stage,
            counts=f"Total: {expected.total} | Processed: {expected.processed} | Errors: {expected.errors}",
            files=f"{expected.processed}/{expected.total} files",
            percent=f"{expected.processed * 100 // (expected.total or 1)}%",
            status="Complete with errors",
        )
    sources = compare.Sources(database_url, gateway.url)
    for source, found in (await compare.read_counts(sources, batch_id)).items():
        assert found == counts, source
    console_errors[:] = [text for text in console_errors if "404" not in text]  # the batch is unknown at first
