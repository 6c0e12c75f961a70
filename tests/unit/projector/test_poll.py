"""However a history is cut into polls and whatever is forgotten between them, what is written is its straight fold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest
from headway_events import (
    BatchComplete,
    Event,
    FileComplete,
    StageComplete,
    StageStart,
    WorkerHeartbeat,
    encode,
    fold_batch,
)
from headway_events.fold import BatchState, StageState, Status
from headway_projector.copy import storable
from headway_projector.poll import (
    BatchMemory,
    BatchProjection,
    RawRecord,
    StageMemory,
    decode_records,
    is_worth_loading,
    project,
    remember_outcomes,
    unknown_files,
)
from headway_projector.rows import WorkerRow
from hypothesis import given
from hypothesis import strategies as st

from support.histories import BATCH_ID, histories

RECORDED_MS = 1_700_000_000_000
WEEK = date(2023, 11, 13)


def memory() -> BatchMemory:
    return BatchMemory(batch_id=BATCH_ID, topic="t", log_week=WEEK, position=0)


def records(events: list[Event], first_offset: int = 0) -> list[RawRecord]:
    return [RawRecord(first_offset + number, RECORDED_MS, None, encode(event)) for number, event in enumerate(events)]


def stamped(event: Event) -> Event:
    """The event as it is decoded: one without a time takes the record's."""
    recorded = datetime.fromtimestamp(RECORDED_MS / 1000, UTC)
    return event if event.timestamp is not None else msgspec.structs.replace(event, timestamp=recorded)


class TablesInMemory:
    """What the statements of a poll leave in the tables; refuses what a unique index would."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, int], tuple[object, ...]] = {}
        self.outcomes: dict[tuple[str, int, str], str] = {}
        self.workers: dict[tuple[str, str], WorkerRow] = {}
        self.log: list[int] = []

    def write(self, part: BatchProjection) -> None:
        for line in part.new_outcome_rows.splitlines():
            _, _, stage, run, name, outcome, *_ = line.split("\t")
            assert (stage, int(run), name) not in self.outcomes
            self.outcomes[stage, int(run), name] = outcome
        for change in part.changed_outcomes:
            assert (change.stage, change.run, change.file_name) in self.outcomes
            self.outcomes[change.stage, change.run, change.file_name] = change.outcome
        for row in part.runs:
            self.runs[row.stage, row.run] = row[4:]
        for _, stage, worker in part.gone_workers:
            del self.workers[stage, worker]
        for changed in part.changed_workers:
            place = changed.stage, changed.worker
            assert self.workers.get(place) != changed, "written again though nothing has changed"
            self.workers[place] = changed
        self.log += [int(line.split("\t")[11]) for line in part.log_rows.splitlines()]

    def look_up(self, memory: BatchMemory, stage: str, names: set[str] | None) -> Iterator[tuple[str, str]]:
        run = memory.stages[stage].state.run
        return (
            (file, outcome)
            for (of_stage, of_run, file), outcome in self.outcomes.items()
            if (of_stage, of_run) == (stage, run) and (names is None or file in names)
        )


@given(history=histories(), data=st.data())
def test_polls_of_any_size_with_anything_forgotten_between_write_the_straight_fold(
    history: list[Event], data: st.DataObject
) -> None:
    tables, remembered = TablesInMemory(), memory()
    position = 0
    while position < len(history):
        end = data.draw(st.integers(position + 1, len(history)))
        decoded = decode_records(BATCH_ID, records(history[position:end], position))
        for stage, names in unknown_files(remembered, decoded).items():
            whole = is_worth_loading(remembered.stages[stage], len(names), most_files=10)
            remember_outcomes(remembered, stage, tables.look_up(remembered, stage, None if whole else names))
            remembered.stages[stage].complete = whole
        part = project(remembered, decoded)
        assert (part.expected_offset, part.batch.next_offset) == (position, end)
        tables.write(part)
        if data.draw(st.booleans()):
            remembered.forget_files()
        position = end
    expected = BatchState()
    for event in history:
        expected = fold_batch(expected, stamped(event))
    assert tables.log == list(range(len(history)))
    assert remembered.closed == expected.closed
    assert tables.runs == {
        (stage, run.run): tuple(
            value
            for name, value in msgspec.structs.asdict(run).items()
            if name not in {"run", "outcomes", "workers", "in_flight"}
        )
        for stage, runs in expected.stages.items()
        for run in runs
    }
    assert tables.outcomes == {
        (stage, run.run, name): outcome
        for stage, runs in expected.stages.items()
        for run in runs
        for name, outcome in run.outcomes.items()
    }
    assert {
        (row.stage, row.run, row.worker): (row.last_heard_at, json.loads(row.files_in_flight))
        for row in tables.workers.values()
    } == {
        (stage, run.run, name): (worker.last_heard_at, list(worker.files))
        for stage, runs in expected.stages.items()
        for run in runs
        for name, worker in run.workers.items()
    }


def test_a_run_taken_over_in_the_middle_is_loaded_once_enough_of_it_was_looked_up() -> None:
    state = StageState(run=1, status=Status.PROCESSING, attempts=1000, processed=900, errors=0)
    stage = StageMemory(state=state, first_offset=0, complete=False)
    assert not is_worth_loading(stage, 100, most_files=10_000)
    assert not is_worth_loading(stage, 100, most_files=10_000)
    assert is_worth_loading(stage, 100, most_files=10_000)
    assert not is_worth_loading(stage, 100_000, most_files=899)


def test_workers_are_written_when_they_have_changed_and_when_they_are_busy_no_more() -> None:
    def poll(*events: Event) -> BatchProjection:
        return project(remembered, decode_records(BATCH_ID, records(list(events), remembered.position)))

    def heartbeat(worker: str, *files: str) -> Event:
        return WorkerHeartbeat(batch_id=BATCH_ID, stage="s", worker=worker, files_in_flight=list(files))

    remembered = memory()
    first = poll(heartbeat("one", "a.wav"), heartbeat("two", "b.wav", "c.wav"))
    second = poll(FileComplete(batch_id=BATCH_ID, stage="s", file_name="b.wav"))
    third = poll(StageStart(batch_id=BATCH_ID, stage="s"))
    fourth = poll(heartbeat("one"), StageComplete(batch_id=BATCH_ID, stage="s", processed_files=3))

    assert [(row.worker, row.files_in_flight) for row in first.changed_workers] == [
        ("one", '["a.wav"]'),
        ("two", '["b.wav","c.wav"]'),
    ]
    assert [(row.worker, row.files_in_flight) for row in second.changed_workers] == [("two", '["c.wav"]')]
    assert (third.changed_workers, third.gone_workers) == ([], [])
    assert (fourth.changed_workers, fourth.gone_workers) == ([], [(BATCH_ID, "s", "one"), (BATCH_ID, "s", "two")])


def test_a_record_that_is_no_event_is_refused_and_its_offset_passed() -> None:
    decoded = decode_records(
        BATCH_ID, [RawRecord(7, RECORDED_MS, b"k", b"no JSON"), RawRecord(8, -(2**63), None, None)]
    )
    remembered = memory()
    remembered.position = 7
    part = project(remembered, decoded)
    assert [(letter.topic_offset, letter.error, letter.key, letter.value) for letter in part.dead_letters] == [
        (7, "MalformedRecord", b"k", b"no JSON"),
        (8, "MalformedRecord", None, None),
    ]
    assert [letter.recorded_at for letter in part.dead_letters] == [
        datetime.fromtimestamp(RECORDED_MS / 1000, UTC),
        None,
    ]
    assert (part.events, part.log_rows, part.batch.next_offset) == (0, "", 9)


def test_a_file_after_the_end_of_its_stage_is_flagged_late_in_the_log() -> None:
    file = FileComplete(batch_id=BATCH_ID, stage="s", file_name="a")
    end = StageComplete(batch_id=BATCH_ID, stage="s", processed_files=1)
    part = project(memory(), decode_records(BATCH_ID, records([file, end, file])))
    assert [line.split("\t")[13] for line in part.log_rows.splitlines()] == ["f", "f", "t"]
    assert part.runs[0].late == 1


def test_a_stage_started_after_the_end_of_the_batch_opens_it_again() -> None:
    remembered = memory()
    project(remembered, decode_records(BATCH_ID, records([BatchComplete(batch_id=BATCH_ID)])))
    assert remembered.closed
    part = project(remembered, decode_records(BATCH_ID, records([StageStart(batch_id=BATCH_ID, stage="s")], 1)))
    assert not part.batch.closed


def test_the_last_outcome_of_a_poll_is_written_once_with_the_offset_that_decided() -> None:
    error, success = (
        encode(FileComplete(batch_id=BATCH_ID, stage="s", file_name="a", duration_ms=1)).replace(b"file_complete", kind)
        for kind in (b"file_error", b"file_complete")
    )
    values = [error, error, success, success]
    part = project(memory(), decode_records(BATCH_ID, [RawRecord(n, 0, None, value) for n, value in enumerate(values)]))
    assert part.new_outcome_rows == f"2023-11-13\t{BATCH_ID}\ts\t1\ta\tsuccess\t2\t1.0\tt\n"
    assert part.changed_outcomes == []


def test_a_time_of_an_offset_that_postgresql_does_not_take_is_written_in_utc() -> None:
    far_east = timezone(timedelta(hours=23, minutes=59))
    event = StageStart(batch_id=BATCH_ID, stage="s", timestamp=datetime(2024, 1, 2, 0, 0, tzinfo=far_east))
    part = project(memory(), decode_records(BATCH_ID, records([event])))
    assert part.log_rows.split("\t")[10] == "2024-01-01T00:01:00Z"


@pytest.mark.parametrize(
    ("response", "stored"),
    [
        (r'"a\u0000b"', r'"a\ufffdb"'),
        (r'"\\u0000"', r'"\\u0000"'),
        (r'"\\\u0000\u0000"', r'"\\\ufffd\ufffd"'),
        (r'{"a":1}', r'{"a":1}'),
    ],
)
def test_an_escaped_nul_and_nothing_else_becomes_the_replacement_character(response: str, stored: str) -> None:
    assert storable(response) == stored
