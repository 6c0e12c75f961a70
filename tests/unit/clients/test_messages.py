"""Frames become typed messages, and messages become counts."""

from __future__ import annotations

import msgspec
import pytest
from headway_client import BadStream, EventMessage, OtherMessage, Reset, Snapshot
from headway_client.messages import count, is_closed, read
from headway_client.sse import Frame
from headway_events import BatchComplete, BatchState, FileComplete, StageStart, encode, fold_batch, snapshot

START = StageStart(batch_id=7, stage="denoise", total_files=2)
DONE = FileComplete(batch_id=7, stage="denoise", file_name="a.wav")
END = BatchComplete(batch_id=7)


def frame(event: StageStart | FileComplete | BatchComplete, event_id: str = "1") -> Frame:
    return Frame(event_id, event.event_type, encode(event))


def test_an_event_is_decoded_and_keeps_its_id_and_its_bytes() -> None:
    raw = b'{"eventType":"file_complete","batchId":7,"stage":"denoise","fileName":"a.wav","new":18446744073709551615}'
    assert read(Frame("any:thing", "file_complete", raw), 7) == EventMessage("any:thing", DONE, raw)


def test_a_snapshot_is_a_batch_to_count_on_from() -> None:
    counted = fold_batch(fold_batch(BatchState(), START), DONE)
    found = read(Frame("1", "snapshot", msgspec.json.encode(snapshot(counted, batch_id=7, offset=2))), 7)
    assert isinstance(found, Snapshot)
    assert (found.offset, found.batch.current("denoise").processed) == (2, 1)
    again = count(count(BatchState(), found), read(frame(DONE), 7))
    assert (again.current("denoise").processed, again.current("denoise").attempts) == (1, 2)


def test_a_reset_says_why_and_forgets_what_was_counted() -> None:
    raw = b'{"reason":"The events after it have expired","requested":0,"from":3}'
    found = read(Frame("2", "reset", raw), 7)
    assert found == Reset("2", "The events after it have expired", raw)
    assert count(fold_batch(BatchState(), START), found) == BatchState()


def test_a_message_of_a_newer_gateway_is_handed_on_and_counts_nothing() -> None:
    found = read(Frame("2", "stage_paused", b"{}"), 7)
    assert found == OtherMessage("2", "stage_paused", b"{}")
    assert count(BatchState(), found) == BatchState()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("file_complete", b"{"),
        ("file_complete", b'{"eventType":"file_complete","batchId":8,"stage":"denoise","fileName":"a.wav"}'),
        ("snapshot", b"{}"),
        ("snapshot", b"[]"),
        ("snapshot", b'{"stages":[{"stage":"x","status":"odd"}],"closed":false,"offset":1}'),
        ("reset", b"\xff"),
    ],
)
def test_what_cannot_be_counted_is_an_error_and_never_a_wrong_number(name: str, data: bytes) -> None:
    with pytest.raises(BadStream, match="with id '5'"):
        read(Frame("5", name, data), 7)


def test_a_batch_is_closed_by_its_last_event_until_a_stage_starts() -> None:
    closed = False
    seen = []
    for event in (START, DONE, END, DONE, START):
        closed = is_closed(read(frame(event), 7), closed)
        seen.append(closed)
    assert seen == [False, False, True, True, False]
