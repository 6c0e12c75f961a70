"""How long files took: percentiles and a histogram from counts in fine bins. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

BINS_A_DOUBLING: Final = 32  # a bin's longest is at most 2.2 % more than its shortest
FINE_BINS_A_BAR: Final = 8  # of the histogram, which has four bars a doubling


class Bin(NamedTuple):
    """Files that took about as long."""

    bin: int
    files: int
    shortest: float
    longest: float


class Bar(NamedTuple):
    """A bar of the histogram: from inclusive, to exclusive, in milliseconds."""

    from_ms: float
    to_ms: float
    files: int


def percentile(bins: Sequence[Bin], share: float) -> float | None:
    """The longest duration of the bin in which that share of the files is reached; None without files.

    So it is at most 2.2 % above the true one, and never below it.
    """
    wanted = math.ceil(share * sum(one.files for one in bins))
    for one in bins:
        wanted -= one.files
        if wanted <= 0:
            return one.longest
    return None


def bars(bins: Sequence[Bin]) -> list[Bar]:
    """The histogram, by the logarithm of the duration: those bars alone that have files, in rising order."""
    counts: dict[int, int] = {}
    for one in bins:
        place = one.bin // FINE_BINS_A_BAR
        counts[place] = counts.get(place, 0) + one.files
    return [Bar(_edge(place), _edge(place + 1), files) for place, files in sorted(counts.items())]


def _edge(place: int) -> float:
    edge: float = 2.0 ** (place * FINE_BINS_A_BAR / BINS_A_DOUBLING)
    return edge
