"""A topic that Kafka does not know is gone once that has been the answer for ten seconds."""

from __future__ import annotations

import pytest
from headway_gateway.missed_topics import GONE_AFTER_S, MOST_GONE, MissedTopics


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def missed(clock: Clock) -> MissedTopics:
    return MissedTopics(clock)


def asked(missed: MissedTopics, clock: Clock, *after_s: float, topic: str = "one") -> list[bool]:
    """The answers, each so long after the one before."""
    answers = []
    for pause_s in after_s:
        clock.now += pause_s
        answers.append(missed.is_gone(topic))
    return answers


def test_a_topic_is_gone_once_it_was_missed_for_long_enough(missed: MissedTopics, clock: Clock) -> None:
    assert asked(missed, clock, 0, 4, 4, 4) == [False, False, False, True]


def test_a_topic_that_was_there_in_between_is_missed_anew(missed: MissedTopics, clock: Clock) -> None:
    asked(missed, clock, 0, 9)
    missed.found("one")
    assert asked(missed, clock, 2, 9, 2) == [False, False, True]


def test_two_answers_far_apart_say_nothing_of_the_time_between(missed: MissedTopics, clock: Clock) -> None:
    assert asked(missed, clock, 0, 2 * GONE_AFTER_S, 9, 2) == [False, False, False, True]


def test_a_topic_that_is_gone_stays_so_until_it_is_found(missed: MissedTopics, clock: Clock) -> None:
    asked(missed, clock, 0, 10)
    assert asked(missed, clock, 3600) == [True]
    missed.found("one")
    assert asked(missed, clock, 0) == [False]


def test_the_memory_of_what_is_gone_is_bounded(missed: MissedTopics, clock: Clock) -> None:
    topics = [str(number) for number in range(MOST_GONE + 1)]
    for _ in range(2):
        for topic in topics:
            missed.is_gone(topic)
        clock.now += GONE_AFTER_S
    assert not missed.is_gone(topics[0])
    assert missed.is_gone(topics[-1])
