"""What samples of memory say."""

from __future__ import annotations

from bench.memory import Sample, figures


def test_memory_is_told_before_the_first_event_after_a_tenth_and_at_the_peak() -> None:
    samples = [Sample(0, 70.0), Sample(90, 90.0), Sample(100, 200.0), Sample(500, 310.0), Sample(1000, 150.0)]
    tenth, peak = figures(samples, batches=4)
    assert (tenth.ours, tenth.limit, tenth.met) == (200.0, 70.0, True)
    assert (peak.ours, peak.limit, peak.met) == (310.0, 200.0, False)
