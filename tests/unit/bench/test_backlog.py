"""A rate is taken from the times of commits."""

from __future__ import annotations

import pytest

from bench.backlog import Commit, rate


def test_a_rate_counts_from_the_first_commit_whose_own_rows_came_before() -> None:
    assert rate([Commit(10.0, 7), Commit(10.5, 100), Commit(12.0, 200)]) == 150.0


def test_a_rate_from_a_moment_counts_every_row() -> None:
    assert rate([Commit(10.0, 100), Commit(12.0, 200)], since=9.0) == 100.0


def test_one_commit_has_no_rate() -> None:
    with pytest.raises(ValueError, match="two commits, found 1"):
        rate([Commit(10.0, 100)])
