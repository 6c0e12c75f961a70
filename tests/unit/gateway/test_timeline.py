"""Files over time: none is lost, those whose time is known are in their bucket, the others near it."""

from __future__ import annotations

import pytest
from headway_gateway.timeline import MOST_BUCKETS, Buckets, Clock, Knot, Span, over_time, workers_over_time
from hypothesis import given
from hypothesis import strategies as st

BEGIN_MS = 1_700_000_000_000.0
KNOTS = st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 10**11)), min_size=1, max_size=50).map(
    lambda pairs: [Knot(offset, BEGIN_MS + after) for offset, after in sorted(dict(pairs).items())]
)
SPANS = st.lists(st.builds(Span, st.integers(0, 2000), st.integers(0, 500), st.integers(0, 500)), max_size=60)


@given(KNOTS, SPANS, st.sampled_from([1, 7, 512]))
def test_every_file_is_in_some_bucket(knots: list[Knot], spans: list[Span], offsets: int) -> None:
    clock = Clock(knots)
    buckets = Buckets(clock.begin_ms, clock.end_ms)
    succeeded, failed = over_time(clock, buckets, spans, offsets)
    assert buckets.number <= MOST_BUCKETS
    assert sum(succeeded) == pytest.approx(sum(span.succeeded for span in spans), abs=0.01 * MOST_BUCKETS)
    assert sum(failed) == pytest.approx(sum(span.failed for span in spans), abs=0.01 * MOST_BUCKETS)
    assert min([*succeeded, *failed]) >= 0


def test_where_every_time_is_known_the_counts_are_exact() -> None:
    clock = Clock([Knot(offset, BEGIN_MS + 700 * offset) for offset in range(10)])
    spans = [Span(offset, int(offset % 2 == 0), int(offset % 2 == 1)) for offset in range(10)]
    buckets = Buckets(clock.begin_ms, clock.end_ms)
    assert (buckets.step_ms, buckets.number) == (1000, 7)
    assert over_time(clock, buckets, spans, 1) == ([1, 1, 1, 0, 1, 1, 0], [1, 0, 1, 1, 1, 0, 1])


def test_between_known_times_files_are_spread_evenly_and_a_pause_stays_one() -> None:
    clock = Clock(
        [Knot(0, BEGIN_MS), Knot(100, BEGIN_MS + 10_000), Knot(101, BEGIN_MS + 60_000), Knot(200, BEGIN_MS + 69_900)]
    )
    buckets = Buckets(clock.begin_ms, clock.end_ms)
    succeeded, _ = over_time(clock, buckets, [Span(0, 100, 0), Span(1, 100, 0)], 100)
    assert succeeded[:10] == [10] * 10
    assert max(succeeded[11:59]) < 1
    assert sum(succeeded[60:]) > 95


def test_a_clock_never_goes_back() -> None:
    clock = Clock([Knot(0, BEGIN_MS), Knot(5, BEGIN_MS + 50), Knot(6, BEGIN_MS + 10), Knot(10, BEGIN_MS + 90)])
    times = [clock.at(offset) for offset in range(-1, 13)]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (BEGIN_MS, BEGIN_MS + 90)


def test_times_thousands_of_years_apart_make_no_more_buckets() -> None:
    assert Buckets(0, 2.2e14).number <= MOST_BUCKETS


def test_workers_are_named_by_themselves_or_their_gpu_and_the_busiest_come_first() -> None:
    clock = Clock([Knot(0, BEGIN_MS), Knot(3, BEGIN_MS + 3000)])
    reports = {
        0: '{"gpuIp":"10.0.0.7"}',
        1: '{"worker":"a:1","gpuIp":"10.0.0.7"}',
        2: '{"fileName":"x"}',
        3: '{"worker":"a:1"}',
    }
    found = workers_over_time(clock, Buckets(clock.begin_ms, clock.end_ms), reports)
    assert list(found.items()) == [("a:1", [0, 1, 0, 1]), ("10.0.0.7", [1, 0, 0, 0])]
