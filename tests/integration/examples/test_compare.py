"""The pipeline's counts, read where people see them: terminal, Postgres, its log, the API and the stream agree."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from headway import EventLogger
from headway_events import TopicNames

from examples.denoise import compare, corpus, demo, pipeline
from examples.denoise.compare import Sources
from examples.denoise.counts import Counts
from examples.denoise.errors import DemoError
from support.programs import Program

SOURCES = ["Postgres", "Postgres log", "/api", "SSE fold"]


@pytest.fixture
def sources(projector: Program, gateway: Program, database_url: str) -> Sources:
    """This test's stack."""
    return Sources(database_url, gateway.url)


def run_pipeline(logger: EventLogger, batch_id: int, folder: Path, *, size: int, broken: int) -> dict[str, Counts]:
    clips = corpus.plan(size, broken=broken)
    files = {path.name: path for path in corpus.write(clips, folder / f"corpus-{broken}")}
    counts = pipeline.run(files, folder / "output", logger=logger, batch_id=batch_id, workers=2)
    logger.batch_complete(batch_id)
    assert logger.flush() == 0
    return counts


async def test_all_sources_agree_with_the_terminal_and_again_after_a_second_run(
    sources: Sources, bootstrap: str, names: TopicNames, batch_id: int, tmp_path: Path
) -> None:
    with EventLogger(bootstrap=bootstrap, names=names, spool_dir=tmp_path / "spool") as logger:
        first = run_pipeline(logger, batch_id, tmp_path, size=12, broken=3)
        assert first == {"denoise": Counts(12, 11, 1), "normalise": Counts(11, 10, 1), "encode": Counts(10, 9, 1)}
        seen = await compare.read_counts(sources, batch_id)
        assert seen == dict.fromkeys(SOURCES, first)

        second = run_pipeline(logger, batch_id, tmp_path, size=8, broken=2)
        assert second == {"denoise": Counts(8, 7, 1), "normalise": Counts(7, 6, 1), "encode": Counts(6, 6, 0)}
        seen = await compare.read_counts(sources, batch_id)
        assert seen == dict.fromkeys(SOURCES, second)


def test_a_terminal_that_missed_a_file_is_found_out_by_every_source(
    sources: Sources,
    bootstrap: str,
    names: TopicNames,
    batch_id: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with EventLogger(bootstrap=bootstrap, names=names, spool_dir=tmp_path / "spool") as logger:
        with logger.stage(batch_id, "denoise", total_files=2) as stage:
            stage.done("a.wav")
            stage.failed("b.wav", "no such file")
        logger.batch_complete(batch_id)
        assert logger.flush() == 0
    assert demo.counts_agree({"denoise": Counts(2, 1, 1)}, sources, batch_id)
    assert "All counts agree, number for number." in capsys.readouterr().out

    assert not demo.counts_agree({"denoise": Counts(2, 2, 0)}, sources, batch_id)
    said = capsys.readouterr().out
    assert "All counts agree" not in said
    assert said.strip().splitlines()[-3:] == [
        "The counts do NOT agree:",
        "denoise processed: terminal says 2, " + ", ".join(f"{source} says 1" for source in SOURCES),
        "denoise errors: terminal says 0, " + ", ".join(f"{source} says 1" for source in SOURCES),
    ]


async def test_a_batch_that_nobody_knows_is_an_error_and_not_an_agreement(sources: Sources, batch_id: int) -> None:
    with pytest.raises(DemoError, match="404") as caught:
        await compare.read_counts(sources, batch_id)
    assert isinstance(caught.value.__cause__, aiohttp.ClientResponseError)
