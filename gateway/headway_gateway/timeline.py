"""What happened when in a batch: files and workers over time, from counts by offset and the times of some events. Pure.

The tables hold how files stand by offset, and times only in the log, which takes a second to read for a million files.
So the files are counted by spans of offsets, exactly, and the time of one event in each span is looked up; between two
known times, offsets are taken to pass evenly. A batch of no more events than are looked up is exact.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import msgspec

MOST_BUCKETS: Final = 400  # of time; as many as a chart has room for
STEPS_MS: Final = tuple(
    1000 * seconds
    for seconds in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400, 604800)
)


class Knot(NamedTuple):
    """An event whose time is known."""

    offset: int
    at_ms: float


class Span(NamedTuple):
    """Files decided by the offsets of one span."""

    place: int
    succeeded: int
    failed: int


class Clock:
    """When an offset was, from the events whose times are known."""

    def __init__(self, knots: Sequence[Knot]) -> None:
        """At least one knot. Clocks of producers differ: the time never goes back here."""
        self._offsets = [knot.offset for knot in knots]
        self._times = list(accumulate((knot.at_ms for knot in knots), max))

    @property
    def begin_ms(self) -> float:
        """The first known time."""
        return self._times[0]

    @property
    def end_ms(self) -> float:
        """The last known time."""
        return self._times[-1]

    def at(self, offset: int) -> float:
        """The time of an offset; that of the nearest known one outside of them."""
        place = bisect_right(self._offsets, offset)
        if place == 0:
            return self._times[0]
        if place == len(self._offsets):
            return self._times[-1]
        first, last = self._offsets[place - 1], self._offsets[place]
        share = (offset - first) / (last - first)
        return self._times[place - 1] + share * (self._times[place] - self._times[place - 1])

    def pieces(self, first: int, end: int) -> Iterator[tuple[float, float, float]]:
        """From when to when the offsets from `first` to below `end` were, and which share, between known times."""
        inside = self._offsets[bisect_right(self._offsets, first) : bisect_left(self._offsets, end)]
        for one, other in pairwise([first, *inside, end]):
            yield self.at(one), self.at(other), (other - one) / (end - first)


class Buckets:
    """Equal parts of a batch's time."""

    def __init__(self, begin_ms: float, end_ms: float) -> None:
        """Of so much time; the steps are round."""
        lasted = end_ms - begin_ms
        self.step_ms = next((step for step in STEPS_MS if lasted / step < MOST_BUCKETS - 1), 0)
        if not self.step_ms:  # years: events with times of another age
            self.step_ms = STEPS_MS[-1] * (int(lasted / STEPS_MS[-1] / (MOST_BUCKETS - 1)) + 1)
        self.begin_ms = int(begin_ms // self.step_ms) * self.step_ms
        self.number = int((end_ms - self.begin_ms) // self.step_ms) + 1

    def place(self, at_ms: float) -> int:
        """The bucket of a time."""
        return min(self.number - 1, max(0, int((at_ms - self.begin_ms) // self.step_ms)))

    def spread(self, counts: list[float], files: float, from_ms: float, to_ms: float) -> None:
        """Add files that came evenly between two times."""
        first, last = self.place(from_ms), self.place(to_ms)
        if first == last:
            counts[first] += files
            return
        for place in range(first, last + 1):
            begin = self.begin_ms + place * self.step_ms
            part = min(to_ms, begin + self.step_ms) - max(from_ms, begin)
            counts[place] += files * part / (to_ms - from_ms)


def over_time(clock: Clock, buckets: Buckets, spans: Iterable[Span], offsets: int) -> tuple[list[float], list[float]]:
    """How many files succeeded and failed in each bucket; `offsets` is the length of a span."""
    succeeded, failed = [0.0] * buckets.number, [0.0] * buckets.number
    for span in spans:
        first = span.place * offsets
        exact = [(clock.at(first), clock.at(first), 1.0)]
        for begin, end, share in exact if offsets == 1 else clock.pieces(first, first + offsets):
            buckets.spread(succeeded, span.succeeded * share, begin, end)
            buckets.spread(failed, span.failed * share, begin, end)
    return [round(files, 2) for files in succeeded], [round(files, 2) for files in failed]


class _Reporter(msgspec.Struct, rename="camel"):
    """What of a file's report says who worked on it."""

    worker: str | None = None
    gpu_ip: str | None = None


def workers_over_time(clock: Clock, buckets: Buckets, reports: Mapping[int, str]) -> dict[str, list[int]]:
    """How many of these records, by offset, each worker wrote in each bucket, the busiest first.

    A worker is named by itself, else by its GPU's address; records that say neither are left out.
    """
    found: dict[str, list[int]] = {}
    for offset, value in reports.items():
        reporter = msgspec.json.decode(value, type=_Reporter)
        name = reporter.worker or reporter.gpu_ip
        if name:
            found.setdefault(name, [0] * buckets.number)[buckets.place(clock.at(offset))] += 1
    return dict(sorted(found.items(), key=lambda one: (-sum(one[1]), one[0])))
