"""What the benchmarks write is what the figures say that it is."""

from __future__ import annotations

import pytest
from headway_events import BatchComplete, BatchState, FileError, decode, fold_batch

from bench import catch_up, memory, projection
from bench.events import batch_events, batch_records


def test_a_record_becomes_any_batchs_and_folds_to_what_the_batch_is() -> None:
    batch = BatchState()
    records = list(batch_records(2_000))
    for record in records:
        batch = fold_batch(batch, decode(record.of_batch(2**61 + 1), batch_id=2**61 + 1))
    state = batch.current("denoise")
    assert (state.total, state.processed, state.errors, state.attempts, batch.closed) == (2_000, 1_990, 10, 2_000, True)
    assert len(records) == 2_000 + 40 + 3


def test_five_files_in_a_thousand_fail() -> None:
    assert sum(isinstance(event, FileError) for event in batch_events(0, 3_000)) == 15


@pytest.mark.parametrize(
    ("files", "events"),
    [
        (projection.FILES_OF_MANY, 1_000),
        (projection.FILES, projection.BATCHES * 1_000),
        (memory.FILES, 2_500),
        (catch_up.FILES, 300_000),
    ],
)
def test_batches_have_as_many_events_as_the_figures_say(files: int, events: int) -> None:
    written = list(batch_events(0, files))
    assert len(written) == events
    assert isinstance(written[-1], BatchComplete)
