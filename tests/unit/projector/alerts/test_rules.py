"""However a history is cut into polls, its ends are told alike; of errors, what a poll changed is told, once a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise

from headway_events import (
    BatchComplete,
    BatchState,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageProgress,
    StageStart,
    encode,
    fold_batch,
)
from headway_events.alerts import AlertType
from headway_projector.alerts.hooks import ErrorRate, Format, Hook
from headway_projector.alerts.rules import Rules
from headway_projector.poll import BatchMemory, RawRecord, decode_records, project
from headway_projector.rows import AlertRow
from hypothesis import given
from hypothesis import strategies as st

from support.histories import BATCH_ID, histories

ENDS = {AlertType.COMPLETE, AlertType.COMPLETE_WITH_ERRORS}
ERRORS = {AlertType.FIRST_ERROR, AlertType.ERROR_RATE}


def hook(name: str = "h", events: Iterable[AlertType] = AlertType, rate: ErrorRate | None = None) -> Hook:
    return Hook(
        name=name, url="http://h/", host="h", format=Format.SLACK, secrets=(), events=frozenset(events), labels={},
        error_rate=rate or ErrorRate(share=0.1, min_files=10),
    )  # fmt: skip


def raised(polls: Sequence[Sequence[Event]], *hooks: Hook) -> list[list[AlertRow]]:
    """The alerts that each of some polls raises."""
    rules = Rules(hooks or [hook()])
    memory = BatchMemory(batch_id=BATCH_ID, topic="t", log_week=date(2023, 11, 13), position=0)
    found = []
    for poll in filter(None, polls):
        records = [RawRecord(memory.position + number, 0, None, encode(event)) for number, event in enumerate(poll)]
        part = project(memory, decode_records(BATCH_ID, records))
        found.append(rules.raised(memory, part))
    return found


def kinds(polls: Sequence[Sequence[Event]], *hooks: Hook) -> list[list[tuple[int, str]]]:
    return [[(row.run, row.kind) for row in rows] for rows in raised(polls, *hooks)]


@given(history=histories(), data=st.data())
def test_every_end_of_a_batch_is_told_once_however_its_history_is_cut(
    history: list[Event], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(history)), max_size=5).map(sorted))
    polls = [history[begin:end] for begin, end in pairwise([0, *cuts, len(history)])]
    expected, state, run = [], BatchState(), 1
    for event in history:
        before = state.closed
        state = fold_batch(state, event)
        if before and not state.closed:
            run += 1
        elif state.closed and not before:
            failed = any(state.current(stage).errors for stage in state.stages)
            expected.append((run, AlertType.COMPLETE_WITH_ERRORS if failed else AlertType.COMPLETE))
    assert [news for poll in kinds(polls, hook(events=ENDS)) for news in poll] == expected


@given(history=histories(), data=st.data())
def test_no_kind_is_told_twice_in_a_run(history: list[Event], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(history)), max_size=5).map(sorted))
    found = [news for poll in kinds([history[b:e] for b, e in pairwise([0, *cuts, len(history)])]) for news in poll]
    assert len(found) == len(set(found))


def test_the_first_error_is_told_with_its_stage_and_a_file_mended_in_the_same_poll_is_none() -> None:
    mended = [failed(0), succeeded(0)]
    assert raised([[start()], mended, [succeeded(1)]]) == [[], [], []]
    ((row,), (), ()) = raised([[failed(0, "transcribe")], [succeeded(0, "transcribe")], [failed(1)]])
    assert (row.kind, row.stage, row.hook, row.labels) == (AlertType.FIRST_ERROR, "transcribe", "h", "{}")


def test_a_rate_is_told_when_it_is_exceeded_by_enough_files() -> None:
    def rate(*polls: Sequence[Event]) -> list[int]:
        return [len(rows) for rows in kinds(polls, hook(events=[AlertType.ERROR_RATE]))]

    files = [succeeded(number) for number in range(8)]
    assert rate([failed(8), failed(9)], files, [failed(10)]) == [0, 1, 0]  # 2 of 2, of 10, ...
    assert rate([*files, failed(8)], [succeeded(9)], [succeeded(10)]) == [0, 0, 0]  # 1 of 10 is not more than a tenth
    assert rate([StageProgress(batch_id=BATCH_ID, stage="denoise", processed_files=90, failed_files=11)]) == [1]


def test_errors_of_an_earlier_run_are_no_news_in_the_next() -> None:
    one = [start(), *(failed(number) for number in range(10)), end(), BatchComplete(batch_id=BATCH_ID)]
    again = [start(), succeeded(0), BatchComplete(batch_id=BATCH_ID)]
    assert kinds([one, again, [start()], [failed(0)]]) == [
        [(1, AlertType.FIRST_ERROR), (1, AlertType.ERROR_RATE), (1, AlertType.COMPLETE_WITH_ERRORS)],
        [(2, AlertType.COMPLETE)],
        [],
        [(3, AlertType.FIRST_ERROR)],
    ]


def test_each_hook_is_told_of_its_events_alone() -> None:
    hooks = [hook("ends", ENDS), hook("errors", ERRORS, ErrorRate(share=0, min_files=1)), hook("all")]
    (rows,) = raised([[start(), failed(0), BatchComplete(batch_id=BATCH_ID)]], *hooks)
    assert sorted((row.hook, row.kind) for row in rows) == [
        ("all", AlertType.COMPLETE_WITH_ERRORS),
        ("all", AlertType.FIRST_ERROR),
        ("ends", AlertType.COMPLETE_WITH_ERRORS),
        ("errors", AlertType.ERROR_RATE),
        ("errors", AlertType.FIRST_ERROR),
    ]


def start() -> Event:
    return StageStart(batch_id=BATCH_ID, stage="denoise")


def end() -> Event:
    return StageComplete(batch_id=BATCH_ID, stage="denoise")


def failed(number: int, stage: str = "denoise") -> Event:
    return FileError(batch_id=BATCH_ID, stage=stage, file_name=str(number))


def succeeded(number: int, stage: str = "denoise") -> Event:
    return FileComplete(batch_id=BATCH_ID, stage=stage, file_name=str(number))
