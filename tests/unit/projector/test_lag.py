"""The lag is what the topics have and the tables have not, and a batch without progress is told from a busy one."""

from __future__ import annotations

from headway_projector.lag import Lag, Standing


def test_the_total_is_the_sum_over_the_batches_that_are_behind() -> None:
    lag = Lag()
    lag.observe({1: Standing(10, 15), 2: Standing(7, 7), 3: Standing(0, 100)}, now=0)
    assert lag.total() == 105
    assert lag.top(1) == [(3, 100)]
    assert lag.top(10) == [(3, 100), (1, 5)]


def test_a_topic_that_ends_before_the_tables_is_not_lag() -> None:
    lag = Lag()
    lag.observe({1: Standing(10, 3)}, now=0)
    assert lag.total() == 0
    assert lag.top(10) == []
    assert lag.stuck(1000, after_s=0) == []


def test_a_batch_that_moves_is_not_stuck_however_far_it_is_behind() -> None:
    lag = Lag()
    for second in range(100):
        lag.observe({1: Standing(second, 1_000_000), 2: Standing(5, 6)}, now=second)
    assert lag.stuck(100, after_s=60) == [2]
    assert lag.seconds_without_progress(100) == 100


def test_a_batch_that_caught_up_begins_anew_when_it_falls_behind_again() -> None:
    lag = Lag()
    lag.observe({1: Standing(5, 6)}, now=0)
    lag.observe({1: Standing(6, 6)}, now=50)
    assert lag.seconds_without_progress(50) == 0
    lag.observe({1: Standing(6, 7)}, now=90)
    assert lag.stuck(100, after_s=60) == []


def test_a_batch_that_another_projector_owns_now_is_forgotten() -> None:
    lag = Lag()
    lag.observe({1: Standing(5, 6)}, now=0)
    lag.observe({}, now=1)
    assert (lag.total(), lag.stuck(1000, after_s=1)) == (0, [])
