"""A batch is silent when nothing has come for so long while somebody looked, and for no other reason."""

from __future__ import annotations

from headway_projector.alerts.silence import Silence
from headway_projector.lag import Standing


def look(silence: Silence, standings: dict[int, Standing], begin: int, end: int) -> None:
    """A look a second."""
    for second in range(begin, end + 1):
        silence.observe(standings, now=second)


def test_a_batch_that_stands_at_its_topics_end_for_so_long_is_silent_until_it_is_told() -> None:
    silence = Silence()
    look(silence, {1: Standing(5, 5), 2: Standing(7, 7)}, 0, 30)
    assert silence.fallen_silent(30, after_s=30) == []
    look(silence, {1: Standing(5, 5), 2: Standing(8, 8)}, 31, 31)
    assert silence.fallen_silent(31, after_s=30) == [1]
    silence.told([1, 99])
    look(silence, {1: Standing(5, 5), 2: Standing(8, 8)}, 32, 60)
    assert silence.fallen_silent(60, after_s=30) == []


def test_a_batch_that_was_told_and_goes_on_may_fall_silent_again() -> None:
    silence = Silence()
    look(silence, {1: Standing(5, 5)}, 0, 31)
    silence.told([1])
    look(silence, {1: Standing(6, 6)}, 32, 63)
    assert silence.fallen_silent(63, after_s=30) == [1]


def test_a_batch_that_is_behind_is_not_silent_however_long_it_stands() -> None:
    silence = Silence()
    look(silence, {1: Standing(5, 9)}, 0, 100)
    assert silence.fallen_silent(100, after_s=30) == []
    look(silence, {1: Standing(9, 9)}, 101, 110)
    assert silence.fallen_silent(110, after_s=30) == []


def test_while_nobody_could_look_nothing_is_known_of_silence() -> None:
    silence = Silence()
    look(silence, {1: Standing(5, 5)}, 0, 25)
    assert silence.fallen_silent(36, after_s=30) == []  # Kafka is away
    silence.observe({1: Standing(5, 5)}, now=60)
    assert silence.fallen_silent(60, after_s=30) == []
    look(silence, {1: Standing(5, 5)}, 61, 91)
    assert silence.fallen_silent(91, after_s=30) == [1]


def test_a_batch_that_another_projector_owns_now_is_forgotten() -> None:
    silence = Silence()
    look(silence, {1: Standing(5, 5)}, 0, 20)
    silence.observe({}, now=21)
    look(silence, {1: Standing(5, 5)}, 22, 40)
    assert silence.fallen_silent(40, after_s=30) == []
