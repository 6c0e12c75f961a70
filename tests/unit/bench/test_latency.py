"""A latency ends when its offset is first seen."""

from __future__ import annotations

import pytest

from bench.latency import Seen, milliseconds


def test_a_latency_is_from_the_call_to_the_first_sight_past_its_offset() -> None:
    seen = [Seen(1.0, 0), Seen(1.5, 3), Seen(2.0, 6)]
    assert milliseconds({0: 1.25, 2: 1.375, 3: 1.5, 5: 1.75}, seen) == [250.0, 125.0, 500.0, 250.0]


def test_an_offset_that_was_never_seen_is_no_latency_of_zero() -> None:
    with pytest.raises(RuntimeError, match="Offset 6 was never seen"):
        milliseconds({5: 1.0, 6: 1.0}, [Seen(2.0, 6)])
