"""When `headway wait` gives a batch up: after silence that was heard as such, never on the strength of old news."""

from __future__ import annotations

from datetime import timedelta

import pytest
from headway_client.cli.wait import SETTLED_S, Stall
from headway_client.messages import EventMessage
from headway_client.watched import Standing, Watched
from headway_events import BatchComplete, FileComplete, StageComplete

from support.watched import BATCH_ID, NOW, at, batch_info, watched_batch

LATER = NOW + timedelta(seconds=31)
TOLD = BatchComplete(batch_id=BATCH_ID)


def given_up(stall: Stall, watched: Watched, *clocks_s: float) -> list[bool]:
    return [stall.has_come(watched, LATER, clock_s) for clock_s in clocks_s]


def test_a_batch_that_stays_silent_is_given_up_once_that_is_certain() -> None:
    assert given_up(Stall(None), watched_batch(), 0, SETTLED_S - 0.1, SETTLED_S) == [False, False, True]


@pytest.mark.parametrize(("after_s", "expected"), [(None, True), (20.0, True), (60.0, False)])
def test_what_counts_as_silence_is_the_gateways_affair_or_that_of_who_waits(
    after_s: float | None, expected: bool
) -> None:
    assert given_up(Stall(after_s), watched_batch(), 0, 100)[-1] is expected
    assert given_up(Stall(after_s), watched_batch(batch_info(stalled_after_s=100)), 0, 100)[-1] is (after_s == 20)


def test_messages_however_old_show_that_it_goes_on() -> None:
    watched, stall = watched_batch(), Stall(None)
    for second in range(20):
        event = FileComplete(batch_id=BATCH_ID, timestamp=at(50), stage="denoise", file_name=f"late{second}.wav")
        watched.take(EventMessage(str(second), event, b""))
        assert not stall.has_come(watched, LATER, second)


def test_while_the_gateway_is_away_nothing_is_known_of_the_batch() -> None:
    watched, stall = watched_batch(), Stall(None)
    watched.stand(Standing.OFFLINE, LATER)
    assert given_up(stall, watched, 0, 100, 1000) == [False, False, False]
    watched.stand(Standing.LIVE, LATER)
    assert given_up(stall, watched, 1001, 1006) == [False, True]


def test_between_two_stages_and_after_the_last_nobody_is_silent() -> None:
    watched = watched_batch()
    done = StageComplete(batch_id=BATCH_ID, timestamp=NOW, stage="denoise")
    watched.take(EventMessage("1", done, b""))
    assert given_up(Stall(None), watched, 0, 100) == [False, False]
    closed = watched_batch()
    closed.take(EventMessage("1", TOLD, b""))
    assert given_up(Stall(None), closed, 0, 100) == [False, False]


def test_a_stage_that_goes_on_keeps_the_others_from_being_given_up() -> None:
    watched = watched_batch()
    event = FileComplete(batch_id=BATCH_ID, timestamp=LATER, stage="mix", file_name="a.wav")
    watched.take(EventMessage("1", event, b""))
    assert given_up(Stall(None), watched, 0, 100) == [False, False]
