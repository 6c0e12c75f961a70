"""How fast a run goes and how long it will take: an estimate with its uncertainty, or an honest nothing. Pure.

The dashboard's `estimate.js` is the same; both pass the vectors in `schemas/vectors/estimates/`, so that a terminal
and a page that were opened at the same moment say the same. Why it is done so stands there. Times are milliseconds,
as there, so that not even the rounding differs.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

import msgspec
from headway_events import StageState

SAMPLE_MS: Final = 1000.0  # between two samples
KEPT_MS: Final = 3_600_000.0  # of samples
SPANS_MS: Final = (60_000.0, 120_000.0, 600_000.0, KEPT_MS)  # looked at: the first in which enough files came
ENOUGH_FILES: Final = 20  # in a span, for its windows to be more than chance
FEWEST_FILES: Final = 4  # below which nothing is said
SOONEST_MS: Final = 4000.0  # of seeing a run, before which nothing is said of it
WINDOWS: Final = 12  # of a span

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Estimate(msgspec.Struct, frozen=True, rename="camel"):
    """What may be said of a run's rate and of the time that is left."""

    rate: float | None = None
    """Files a second; None when not known."""
    left_ms: float | None = None
    """Until the last file; None when not known."""
    between_ms: tuple[float, float] | None = None
    """How soon and how late that can be; the latter may be infinite."""
    basis: Literal["recent", "average"] | None = None
    """Of what was seen, or of all since the run began, as a first guess."""


UNKNOWN: Final = Estimate()


class StageHistory:
    """What has been seen of one stage."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()  # when, and files in a final state; oldest first
        self._run = 0

    def observe(self, stage: StageState, now_ms: float) -> None:
        """Note how far the stage is; again and again."""
        files = stage.processed + stage.errors
        last = self._samples[-1] if self._samples else None
        if stage.run != self._run or (last is not None and (files < last[1] or now_ms < last[0])):
            self._samples.clear()
        self._run = stage.run
        if last is not None and self._samples and now_ms - last[0] < SAMPLE_MS:
            return
        self._samples.append((now_ms, files))
        if now_ms - self._samples[0][0] > KEPT_MS:
            self._samples.popleft()

    def estimate(self, stage: StageState, stalled: bool, now_ms: float) -> Estimate:
        """The estimate for the stage as it is now."""
        if stage.ended_at is not None:
            return _average(stage)
        if stalled:
            return UNKNOWN
        rates = self._rates(now_ms)
        if rates is None:
            return _average(stage)
        slow, rate, fast = (_quantile(rates, share) for share in (0.25, 0.5, 0.75))
        if rate == 0:
            return UNKNOWN  # more than half of the time nothing came: who knows
        left = files_left(stage)
        if left is None:
            return Estimate(rate, None, None, "recent")
        latest = 0.0 if left == 0 else left / slow * 1000 if slow else math.inf
        return Estimate(rate, left / rate * 1000, (left / fast * 1000, latest), "recent")

    def _rates(self, now_ms: float) -> list[float] | None:
        """Files a second in each window, in rising order; None while too little was seen."""
        samples = list(self._samples)
        if not samples or now_ms - samples[0][0] < SOONEST_MS:
            return None
        seen, total = now_ms - samples[0][0], samples[-1][1]
        spans = (most for most in SPANS_MS if total - _files_at(samples, now_ms - most) >= ENOUGH_FILES)
        length = min(next(spans, KEPT_MS), seen)
        came = total - _files_at(samples, now_ms - length)
        if came < FEWEST_FILES:
            return None
        windows = max(4, min(WINDOWS, math.floor(came / 2), math.floor(length / SAMPLE_MS)))
        step = length / windows
        counts = [_files_at(samples, now_ms - length + place * step) for place in range(windows + 1)]
        return sorted((after - before) / step * 1000 for before, after in pairwise(counts))


def files_left(stage: StageState) -> int | None:
    """What is left of the run; None when the total is not known."""
    return None if stage.total is None else max(0, stage.total - stage.processed - stage.errors)


def lasted_ms(stage: StageState) -> int | None:
    """From its beginning to its end, or to its last event; None when not known."""
    until = stage.ended_at or stage.updated_at
    return None if until is None or stage.started_at is None else max(0, _ms(until) - _ms(stage.started_at))


def _average(stage: StageState) -> Estimate:
    """All since the run began: what is known of a run that is over, and a first guess for one that is not."""
    ms, files = lasted_ms(stage), stage.processed + stage.errors
    if not ms or files < FEWEST_FILES:
        return UNKNOWN
    rate = files / ms * 1000
    left = files_left(stage) if stage.ended_at is None else None
    return Estimate(rate, None if left is None else left / rate * 1000, None, "average")


def _files_at(samples: list[tuple[float, int]], at_ms: float) -> float:
    """Files at a moment: between two samples as if they had come evenly."""
    if at_ms <= samples[0][0]:
        return samples[0][1]
    if at_ms >= samples[-1][0]:
        return samples[-1][1]
    place = bisect_right(samples, at_ms, key=lambda sample: sample[0])
    (before_ms, before), (after_ms, after) = samples[place - 1], samples[place]
    return before + (after - before) * ((at_ms - before_ms) / (after_ms - before_ms))


def _quantile(ordered: list[float], share: float) -> float:
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    return ordered[below] + (ordered[min(below + 1, len(ordered) - 1)] - ordered[below]) * (place - below)


def _ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, as JavaScript has them."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
