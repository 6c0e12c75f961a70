"""Percentiles from bins are as near to the true ones as they say, and never below them."""

from __future__ import annotations

import math
from itertools import groupby, pairwise

from headway_gateway.durations import BINS_A_DOUBLING, Bin, bars, percentile
from hypothesis import given
from hypothesis import strategies as st

DURATIONS = st.lists(st.floats(0.001, 1e9), min_size=1, max_size=300)


def binned(durations: list[float]) -> list[Bin]:
    """As the statement `duration_bins` does."""
    place = {one: math.floor(BINS_A_DOUBLING * math.log(one) / math.log(2)) for one in durations}
    groups = [(key, list(some)) for key, some in groupby(sorted(durations), key=place.__getitem__)]
    return [Bin(key, len(some), some[0], some[-1]) for key, some in groups]


@given(DURATIONS, st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_at_most_a_fortieth_above_the_true_one(durations: list[float], share: float) -> None:
    found = percentile(binned(durations), share)
    true = sorted(durations)[math.ceil(share * len(durations)) - 1]
    assert found is not None
    assert true <= found <= true * 1.025


@given(DURATIONS)
def test_every_file_is_in_the_bar_that_its_duration_says(durations: list[float]) -> None:
    found = bars(binned(durations))
    assert sum(bar.files for bar in found) == len(durations)
    for one, other in pairwise(found):
        assert one.to_ms <= other.from_ms
    for bar in found:
        near = sum(bar.from_ms * 0.999 <= one <= bar.to_ms * 1.001 for one in durations)  # edges are rounded
        assert 0 < bar.files <= near


def test_without_files_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None
