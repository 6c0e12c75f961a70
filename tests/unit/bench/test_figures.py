"""A figure says what it is beside its limit, and whether it keeps what is asked, good or bad."""

from __future__ import annotations

import pytest

from bench.figures import Bound, Figure, report


def _figure(ours: float, limit: float, bound: Bound | None = None) -> Figure:
    return Figure.of_rounds("a question", "events/s", [ours], [limit], "a limit", bound)


def test_a_figure_is_the_median_of_its_rounds_with_their_spread() -> None:
    figure = Figure.of_rounds("a question", "ms", [30.0, 10.0, 20.0], [5.0, 4.0, 9.0], "a limit")
    assert (figure.ours, figure.limit, figure.spread, figure.rounds) == (20.0, 5.0, (10.0, 30.0), 3)
    assert figure.ratio == 4.0


@pytest.mark.parametrize(("ours", "met"), [(49.0, False), (50.0, True), (51.0, True)])
def test_a_ratio_keeps_its_bound_from_the_bound_on(ours: float, met: bool) -> None:
    assert _figure(ours, 100.0, Bound(ratio_at_least=0.5)).met is met


@pytest.mark.parametrize(("ours", "met"), [(299.0, True), (300.0, False), (301.0, False)])
def test_a_value_keeps_its_bound_below_it(ours: float, met: bool) -> None:
    assert _figure(ours, 1.0, Bound(below=300)).met is met


@pytest.mark.parametrize(("ours", "met"), [(9.0, True), (9.6, False), (10.0, False)])
def test_a_value_keeps_all_of_its_bounds(ours: float, met: bool) -> None:
    assert _figure(ours, 4.75, Bound(below=10, ratio_below=2)).met is met


def test_of_a_figure_with_no_bound_nothing_is_said() -> None:
    figure = _figure(1.0, 2.0)
    assert figure.met is None
    assert "met" not in report([figure])


def test_the_table_says_what_is_asked_and_whether_it_is_met() -> None:
    good, bad = _figure(60_000.4, 100_000, Bound(ratio_at_least=0.5)), _figure(300.0, 100.0, Bound(below=250))
    lines = report([good, bad]).splitlines()
    assert lines[2] == (
        "| a question | 60,000 events/s | 100,000 events/s, a limit | 0.60 | ratio at least 0.5: met "
        "| 1 (60,000 to 60,000) |"
    )
    assert "| below 250 events/s: not met |" in lines[3]
