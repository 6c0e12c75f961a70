"""When a checkpoint is due."""

from __future__ import annotations

import pytest
from headway.intervals import CEILING_S, FLOOR_S, default_interval, is_due


@pytest.mark.parametrize(
    ("total_files", "every"), [(0, 5), (99, 5), (100, 10), (1000, 10), (1001, 50), (1_000_000, 50), (None, 50)]
)
def test_the_interval_is_the_guides_for_the_size_of_the_stage(total_files: int | None, every: int) -> None:
    assert default_interval(total_files) == every


@pytest.mark.parametrize(
    ("files", "seconds", "due"),
    [
        pytest.param(10, FLOOR_S, True, id="enough files, floor reached"),
        pytest.param(11, 1.0, True, id="more than enough files"),
        pytest.param(9, 1.0, False, id="too few files"),
        pytest.param(10_000, FLOOR_S / 2, False, id="fast files wait for the floor"),
        pytest.param(1, CEILING_S, True, id="slow files are told by the ceiling"),
        pytest.param(0, 1e9, False, id="nothing to tell"),
    ],
)
def test_a_checkpoint_is_due_by_files_between_a_floor_and_a_ceiling_of_time(
    files: int, seconds: float, due: bool
) -> None:
    assert is_due(files, seconds, every=10) is due
