"""The pipeline's reports on a real Kafka: every file once in each stage that it reaches, with numbers or a reason."""

from __future__ import annotations

import multiprocessing
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from headway import EventLogger
from headway_events import BatchState, TopicNames, decode, fold_batch

from examples.denoise import corpus, pipeline
from examples.denoise.counts import Counts
from support.topics import Topics

SIZE = 12
BROKEN = 3  # one fails in each stage
EXPECTED = {"denoise": Counts(12, 11, 1), "normalise": Counts(11, 10, 1), "encode": Counts(10, 9, 1)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A dozen clips, three of them broken."""
    clips = corpus.plan(SIZE, broken=BROKEN)
    return {path.name: path for path in corpus.write(clips, tmp_path_factory.mktemp("corpus"))}


@dataclass(frozen=True)
class Run:
    """A run of the pipeline that has ended."""

    folder: Path
    counts: dict[str, Counts]
    shown: list[tuple[str, Counts]]  # to `watch`
    events: list[dict[str, Any]]  # in the batch's topic


@pytest.fixture(scope="module")
def run(kafka: str, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run over `files`, for all tests that only look at it."""
    names = TopicNames(prefix=f"t{uuid.uuid4().hex}-", registry=f"t{uuid.uuid4().hex}")
    folder = tmp_path_factory.mktemp("output")
    shown: list[tuple[str, Counts]] = []
    with EventLogger(bootstrap=kafka, names=names, spool_dir=folder / "spool") as logger:
        counts = pipeline.run(
            files,
            folder / "files",
            logger=logger,
            batch_id=1,
            workers=2,
            watch=lambda stage, counts: shown.append((stage, counts)),
        )
        assert logger.flush() == 0
    return Run(folder / "files", counts, shown, events_of(Topics(kafka, names), 1))


@pytest.fixture
def logger(bootstrap: str, names: TopicNames, tmp_path: Path) -> Iterator[EventLogger]:
    """A logger on this test's topics."""
    with EventLogger(bootstrap=bootstrap, names=names, spool_dir=tmp_path / "spool") as logger:
        yield logger


def events_of(topics: Topics, batch_id: int) -> list[dict[str, Any]]:
    """Every event of a batch, as JSON."""
    return [msgspec.json.decode(record.value or b"") for record in topics.read(topics.names.of_batch(batch_id))]


def folded(events: list[dict[str, Any]]) -> dict[str, Counts]:
    """What the events count up to, in the last run of each stage."""
    batch = BatchState()
    for event in events:
        batch = fold_batch(batch, decode(msgspec.json.encode(event), batch_id=event["batchId"]))
    current = {stage: runs[-1] for stage, runs in batch.stages.items()}
    return {stage: Counts(run.total, run.processed, run.errors) for stage, run in current.items()}


def test_what_is_reported_counts_up_to_what_was_done(run: Run) -> None:
    assert run.counts == EXPECTED
    assert folded(run.events) == EXPECTED


def test_a_file_is_reported_once_in_each_stage_that_it_reaches_and_then_no_more(
    run: Run, files: dict[str, Path]
) -> None:
    reports = Counter(
        (event["fileName"], event["stage"], event["eventType"])
        for event in run.events
        if event["eventType"].startswith("file_")
    )
    stages = ["denoise", "normalise", "encode"]
    failing = dict(zip((name for name in files if "snr" not in name), stages, strict=True))
    expected = Counter(
        (name, stage, "file_error" if failing.get(name) == stage else "file_complete")
        for name in files
        for stage in stages[: stages.index(failing.get(name, "encode")) + 1]
    )
    assert reports == expected


def test_success_is_reported_with_measured_numbers(run: Run) -> None:
    successes = [event for event in run.events if event["eventType"] == "file_complete"]
    assert all(event["durationMs"] > 0 and event["gpuIp"] == pipeline.THIS_MACHINE for event in successes)
    loudness = [
        event["response"]["loudnessAfterLufs"]
        for event in successes
        if event["stage"] == "normalise" and "snr" in event["fileName"]
    ]
    assert loudness == pytest.approx([-23.0] * 9, abs=0.05)


def test_failure_is_reported_with_the_type_message_and_traceback_of_the_error(run: Run) -> None:
    failures = {event["stage"]: event["response"] for event in run.events if event["eventType"] == "file_error"}
    assert {stage: response["type"] for stage, response in failures.items()} == {
        "denoise": "LibsndfileError",
        "normalise": "ValueError",
        "encode": "LibsndfileError",
    }
    assert "Malformed" in failures["denoise"]["message"]
    for stage, response in failures.items():
        assert response["status"] == "error"
        assert f"in {stage}\n" in response["traceback"], "the traceback leads into the stage, in the worker process"


def test_only_the_encoded_files_of_survivors_are_left(run: Run, files: dict[str, Path]) -> None:
    left = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert left == {f"encode/{name}.flac" for name in files if "snr" in name}


def test_progress_is_shown_from_nothing_done_to_all_done(run: Run) -> None:
    for stage, last in EXPECTED.items():
        shown = [counts for name, counts in run.shown if name == stage]
        assert [each.processed + each.errors for each in shown] == list(range((last.total or 0) + 1))
        assert shown[-1] == last


def test_files_in_folders_keep_their_places(
    files: dict[str, Path], logger: EventLogger, batch_id: int, tmp_path: Path
) -> None:
    good = next(path for name, path in files.items() if "snr" in name)
    pipeline.run(
        {"a/same.wav": good, "b/c/same.wav": good}, tmp_path / "out", logger=logger, batch_id=batch_id, workers=1
    )
    assert (tmp_path / "out/encode/a/same.wav.flac").is_file()
    assert (tmp_path / "out/encode/b/c/same.wav.flac").is_file()


def test_a_worker_that_dies_leaves_its_stage_without_an_end_and_its_files_unreported(
    files: dict[str, Path], logger: EventLogger, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    others = multiprocessing.active_children()  # those of tests before this one, in the same process

    def kill_a_worker(stage: str, counts: Counts) -> None:
        worker = next(child for child in multiprocessing.active_children() if child not in others)
        worker.kill()

    with pytest.raises(BrokenProcessPool):
        pipeline.run(files, tmp_path / "out", logger=logger, batch_id=batch_id, workers=2, watch=kill_a_worker)
    assert logger.flush() == 0
    assert [event["eventType"] for event in events_of(topics, batch_id)] == ["stage_start"]
