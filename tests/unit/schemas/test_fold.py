"""The fold keeps its promises on any history, and agrees with the naive count and with fold.js."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from headway_events import (
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    Outcome,
    StageComplete,
    StageEvent,
    StageStart,
    StageState,
    Status,
    WorkerHeartbeat,
    fold,
    percent,
    status_at,
)
from headway_events.fold import MAX_IN_FLIGHT
from hypothesis import given, settings
from hypothesis import strategies as st

from support.counts import JavaScriptFold, counts, fold_in_python
from support.histories import BATCH_ID, BEGINNING, adversarial, as_json, events, histories
from support.naive_counts import NaiveRun, naive_runs

properties = settings(max_examples=200)


@properties
@given(history=histories(), seconds=st.integers(0, 1200))
def test_python_and_javascript_count_the_same(
    history: list[Event], seconds: int, javascript_fold: JavaScriptFold
) -> None:
    now = BEGINNING + timedelta(seconds=seconds)

    in_python = counts(fold_in_python(history), now=now, limit=timedelta(seconds=30))
    in_javascript = javascript_fold(as_json(history), now=now.timestamp() * 1000, limitMs=30_000)

    assert in_javascript == in_python


@properties
@given(history=histories())
def test_the_fold_agrees_with_the_naive_count(history: list[Event]) -> None:
    batch = fold_in_python(history)

    for stage, runs in batch.stages.items():
        assert [as_naive(run) for run in runs] == naive_runs(history, stage)


@properties
@given(history=histories())
def test_processed_goes_back_within_a_run_only_by_stage_complete(history: list[Event]) -> None:
    state = StageState()
    for event in of_stage(history, "denoise"):
        run, before = state.run, state.processed
        state = fold(state, event)
        if state.run == run and not isinstance(event, StageComplete):
            assert state.processed >= before


@properties
@given(history=adversarial(checkpoints=False))
def test_without_checkpoints_processed_and_errors_are_the_distinct_files_of_the_run(history: list[Event]) -> None:
    for runs in fold_in_python(history).stages.values():
        for run in runs:
            assert run.processed + run.errors == len(run.outcomes)
            assert run.attempts >= len(run.outcomes)


@properties
@given(history=histories())
def test_errors_are_never_fewer_than_the_files_that_stand_failed(history: list[Event]) -> None:
    state = StageState()
    for event in of_stage(history, "denoise"):
        state = fold(state, event)
        if not state.status.is_final:
            assert state.errors >= sum(outcome is Outcome.ERROR for outcome in state.outcomes.values())


@properties
@given(data=st.data(), history=histories())
def test_a_file_event_delivered_again_within_its_run_changes_only_the_count_of_reports(
    data: st.DataObject, history: list[Event]
) -> None:
    reports = [index for index, event in enumerate(history) if isinstance(event, FileComplete | FileError)]
    if not reports:
        return
    index = data.draw(st.sampled_from(reports))
    again = data.draw(st.integers(index + 1, end_of_counting(history, index)))
    redelivered = [*history[:again], history[index], *history[again:]]

    assert without_reports(redelivered) == without_reports(history)


@properties
@given(history=histories())
def test_percent_is_from_0_to_100_and_100_only_when_final(history: list[Event]) -> None:
    for runs in fold_in_python(history).stages.values():
        for run in runs:
            shown = percent(run)
            assert (shown is None) == (run.total is None)
            assert shown is None or 0 <= shown <= (100 if run.status.is_final else 99)


@properties
@given(history=adversarial(), extra=events(["denoise"]))
def test_events_of_one_stage_change_no_other(history: list[Event], extra: Event) -> None:
    before, after = fold_in_python(history), fold_in_python([*history, extra])
    before.stages.pop("denoise", None)
    after.stages.pop("denoise", None)

    assert after.stages == before.stages


@pytest.mark.parametrize(("silent_s", "expected"), [(30, "processing"), (31, "stalled")])
def test_a_stage_silent_for_longer_than_allowed_is_stalled(
    silent_s: int, expected: str, javascript_fold: JavaScriptFold
) -> None:
    start = StageStart(batch_id=BATCH_ID, stage="denoise", timestamp=BEGINNING)
    now = BEGINNING + timedelta(seconds=silent_s)

    assert status_at(fold(StageState(), start), now, timedelta(seconds=30)) == expected
    in_javascript = javascript_fold(as_json([start]), now=now.timestamp() * 1000, limitMs=30_000)
    assert in_javascript["stages"][0][1][0]["statusAt"] == expected


def test_a_complete_stage_is_never_stalled() -> None:
    end = StageComplete(batch_id=BATCH_ID, stage="denoise", processed_files=1, timestamp=BEGINNING)

    assert status_at(fold(StageState(), end), BEGINNING + timedelta(days=365), timedelta(seconds=30)) is Status.COMPLETE


def test_a_stage_of_which_nothing_is_known_is_pending_and_not_stalled() -> None:
    assert status_at(StageState(), BEGINNING, timedelta(0)) is Status.PENDING


def test_a_new_run_leaves_the_state_given_as_it_was() -> None:
    start = StageStart(batch_id=BATCH_ID, stage="denoise", total_files=2)
    first = fold(StageState(), start)
    first = fold(first, FileComplete(batch_id=BATCH_ID, stage="denoise", file_name="a.wav"))

    second = fold(first, start)

    assert (first.run, first.processed, second.run, second.processed) == (1, 1, 2, 0)
    assert first.outcomes == {"a.wav": Outcome.SUCCESS}


def test_a_run_follows_only_so_many_files_in_flight_and_counts_the_others(javascript_fold: JavaScriptFold) -> None:
    names = [str(number) for number in range(MAX_IN_FLIGHT)]
    history: list[Event] = [
        WorkerHeartbeat(batch_id=BATCH_ID, stage="denoise", worker="hoarder", files_in_flight=[*names, "one more"]),
        WorkerHeartbeat(batch_id=BATCH_ID, stage="denoise", worker="late", files_in_flight=["a.wav", "b.wav"]),
        FileComplete(batch_id=BATCH_ID, stage="denoise", file_name="0"),
        WorkerHeartbeat(batch_id=BATCH_ID, stage="denoise", worker="late", files_in_flight=["a.wav", "b.wav"]),
    ]

    batch = fold_in_python(history)

    state = batch.current("denoise")
    assert len(state.in_flight) == MAX_IN_FLIGHT
    assert list(state.workers["late"].files) == ["a.wav"]
    assert state.files_left_out == 1 + 2 + 1
    assert javascript_fold(as_json(history)) == counts(batch)


@pytest.mark.parametrize(("quiet_s", "silent"), [(20, []), (21, ["gpu-3"])])
def test_a_busy_worker_not_heard_for_longer_than_allowed_is_silent(
    quiet_s: int, silent: list[str], javascript_fold: JavaScriptFold
) -> None:
    common: dict[str, Any] = {"batch_id": BATCH_ID, "stage": "denoise", "timestamp": BEGINNING}
    history: list[Event] = [
        WorkerHeartbeat(**common, worker="gpu-3", files_in_flight=["a.wav"]),
        WorkerHeartbeat(**common, worker="idle"),
    ]
    now, limit = BEGINNING + timedelta(seconds=quiet_s), timedelta(seconds=20)

    (_, (in_python,)), *_ = counts(fold_in_python(history), now=now, limit=limit)["stages"]
    in_javascript = javascript_fold(as_json(history), now=now.timestamp() * 1000, limitMs=20_000)

    assert in_python["silentWorkers"] == silent
    assert in_javascript["stages"][0][1][0]["silentWorkers"] == silent


def test_an_event_type_unknown_to_the_page_changes_nothing(javascript_fold: JavaScriptFold) -> None:
    known = as_json([StageStart(batch_id=BATCH_ID, stage="denoise", total_files=2)])
    unknown = {
        "eventType": "stage_paused",
        "batchId": BATCH_ID,
        "stage": "denoise",
        "timestamp": "2024-01-13T10:00:00Z",
    }

    assert javascript_fold([*known, unknown]) == javascript_fold(known)


def as_naive(run: StageState) -> NaiveRun:
    return NaiveRun(
        total=run.total,
        processed=run.processed,
        errors=run.errors,
        attempts=run.attempts,
        late=run.late,
        complete=run.status.is_final,
        in_flight=run.in_flight,
    )


def of_stage(history: list[Event], stage: str) -> list[StageEvent]:
    return [event for event in history if not isinstance(event, BatchComplete) and event.stage == stage]


def end_of_counting(history: list[Event], index: int) -> int:
    """Where the run of the file event at `index` may be over: the next stage_start or stage_complete, or the end."""
    report = history[index]
    return next(
        (
            later
            for later, event in enumerate(history)
            if later > index and isinstance(event, StageStart | StageComplete) and of_stage([report], event.stage)
        ),
        len(history),
    )


def without_reports(history: list[Event]) -> object:
    """The counts, save those of reports: a report that comes again is one more of them, and the latest news.

    It also takes a file that is tried again out of its worker's hands, until the next heartbeat.
    """
    result = counts(fold_in_python(history))
    for _, runs in result["stages"]:
        for run in runs:
            del run["attempts"], run["late"], run["updatedAt"], run["workers"], run["inFlight"]
    return result
