"""A reading resumes where it was, tries again what passes, and gives up what does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from headway_client import BadRequest, BadStream, Forbidden, GatewayAway, Gone, NotFound, Problem, Unauthorized
from headway_client.place import Place, Start

DATABASE_AWAY = b'{"type":"/problems/DatabaseAway","status":503,"detail":"PostgreSQL does not answer"}'
NOT_FOUND = (
    b'{"type":"/problems/NoSuchBatch","title":"Not Found","status":404,"detail":"There is no batch 7","batchId":7}'
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def place(start: Start = "earliest", *, patience_s: float | None = 60.0, clock: Clock | None = None) -> Place:
    return Place(7, start, "", (), (), patience_s=patience_s, clock=clock or Clock())


def test_it_asks_for_what_was_asked_for() -> None:
    asked = Place(7, datetime(2026, 11, 24, tzinfo=UTC), "", ["a", "b"], ["file_error"], patience_s=None).query()
    assert asked == [
        ("batchId", "7"), ("from", "2026-11-24T00:00:00+00:00"), ("stage", "a"), ("stage", "b"),
        ("eventType", "file_error"),
    ]  # fmt: skip


def test_it_resumes_after_the_last_whole_message_whatever_form_its_id_has() -> None:
    reading = place()
    assert "Last-Event-ID" not in reading.headers()
    reading.opened("text/event-stream")
    reading.take(b"id: 1=5,2=7\nevent: x\ndata: {}\n\nid: 1=6\nevent: x\nda")
    reading.lost(ConnectionResetError())
    assert reading.headers()["Last-Event-ID"] == "1=5,2=7"
    reading.opened("text/event-stream")
    (message,) = reading.take(b"id: 1=6\nevent: x\ndata: {}\n\n")
    assert message.id == "1=6"


def test_what_is_no_stream_is_an_error() -> None:
    with pytest.raises(BadStream, match="text/html"):
        place().opened("text/html")


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequest), (401, Unauthorized), (403, Forbidden), (404, NotFound), (410, Gone)]
)
def test_a_refusal_is_raised_as_the_problem_that_it_is(status: int, kind: type[Problem]) -> None:
    with pytest.raises(kind) as raised:
        place().refused(status, NOT_FOUND, None)
    refusal = raised.value
    assert (refusal.status, refusal.type, refusal.members) == (status, "/problems/NoSuchBatch", {"batchId": 7})
    assert str(refusal) == f"{status}: There is no batch 7"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff"])
def test_a_refusal_by_something_else_than_a_gateway_is_a_problem_too(body: bytes) -> None:
    with pytest.raises(Problem, match=r"^418: I'm a Teapot$"):
        place().refused(418, body, None)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again_and_not_before_retry_after(status: int) -> None:
    reading = place()
    reading.refused(status, b"", "17")
    assert 17 <= reading.delay_s() <= 17 * 1.5
    reading.refused(status, b"", None)
    assert reading.delay_s() < 17


def test_without_postgresql_counting_begins_with_the_first_event_at_once() -> None:
    reading = place("snapshot")
    reading.refused(503, DATABASE_AWAY, "2")
    assert reading.delay_s() == 0
    assert ("from", "earliest") in reading.query()


def test_a_stream_with_an_id_waits_for_postgresql_where_it_is() -> None:
    reading = Place(7, "snapshot", "5", (), (), patience_s=None)
    reading.refused(503, DATABASE_AWAY, "2")
    assert reading.delay_s() >= 2
    assert ("from", "snapshot") in reading.query()


def test_the_end_of_a_finished_batch_is_confirmed_at_once_and_any_other_end_is_waited_for() -> None:
    reading = place()
    reading.opened("text/event-stream")
    reading.take(b'id: 4\nevent: batch_complete\ndata: {"eventType":"batch_complete","batchId":7}\n\n')
    reading.ended()
    assert reading.delay_s() == 0
    reading.opened("text/event-stream")
    reading.ended()
    assert reading.delay_s() >= 2, "an empty stream must not be asked for in a busy loop"


def test_patience_ends_when_nothing_has_answered_for_so_long() -> None:
    clock = Clock()
    reading = place(patience_s=60, clock=clock)
    reading.lost(ConnectionRefusedError("refused"))
    reading.delay_s()
    clock.now = 59
    reading.opened("text/event-stream")
    clock.now = 1000
    reading.lost(ConnectionRefusedError("refused"))
    reading.delay_s()
    clock.now = 1061
    with pytest.raises(GatewayAway, match="61 s: ConnectionRefusedError: refused"):
        reading.delay_s()


def test_without_a_bound_patience_never_ends() -> None:
    clock = Clock()
    reading = place(patience_s=None, clock=clock)
    for clock.now in (0.0, 1e9):
        reading.lost(ConnectionRefusedError())
        assert reading.delay_s() > 0


def test_the_streams_reconnection_time_is_kept() -> None:
    reading = place()
    reading.opened("text/event-stream")
    reading.take(b"retry: 7000\n\n")
    reading.lost(ConnectionResetError())
    assert 7 <= reading.delay_s() <= 7 * 1.5


def test_it_is_away_after_a_try_that_failed_and_not_after_a_stream_that_ended() -> None:
    reading = place("snapshot")
    assert not reading.away
    reading.refused(503, DATABASE_AWAY, None)
    assert not reading.away  # as it goes on at once, from the first event
    reading.lost(OSError("no route"))
    assert (reading.away, reading.wrong) == (True, "OSError: no route")
    reading.opened("text/event-stream")
    assert not reading.away
    reading.ended()
    assert not reading.away
    reading.refused(503, b"", None)
    assert reading.away
