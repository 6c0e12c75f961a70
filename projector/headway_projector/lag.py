"""How far the tables are behind the topics, and for how long a batch has been behind without progress. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import NamedTuple


class Standing(NamedTuple):
    """Where one batch stands."""

    next_offset: int  # the tables have every offset below it
    end: int  # the offset that the topic's next record will have

    @property
    def lag(self) -> int:
        """Records that are not projected yet."""
        return max(0, self.end - self.next_offset)


class Lag:
    """The consumer lag of the batches that one projector owns, as last observed."""

    def __init__(self) -> None:
        self._behind: dict[int, tuple[Standing, float]] = {}  # by batch: since when it stands there

    def observe(self, standings: Mapping[int, Standing], now: float) -> None:
        """Replace what is known.

        Args:
            standings: every batch owned.
            now: seconds of a monotonic clock.
        """
        before, self._behind = self._behind, {}
        for batch_id, standing in standings.items():
            if standing.lag:
                known = before.get(batch_id)
                stood_still = known is not None and known[0].next_offset == standing.next_offset
                self._behind[batch_id] = (standing, known[1] if known is not None and stood_still else now)

    def total(self) -> int:
        """Records of all batches that are not projected yet."""
        return sum(standing.lag for standing, _ in self._behind.values())

    def top(self, most: int) -> list[tuple[int, int]]:
        """The batches furthest behind, and by how many records, the furthest first."""
        lags = ((batch_id, standing.lag) for batch_id, (standing, _) in self._behind.items())
        return heapq.nlargest(most, lags, key=lambda of_batch: of_batch[1])

    def seconds_without_progress(self, now: float) -> float:
        """For how long the batch that has stood still the longest has been behind; 0 when none is behind."""
        return max((now - since for _, since in self._behind.values()), default=0.0)

    def stuck(self, now: float, after_s: float) -> list[int]:
        """The batches that are behind and have made no progress for so long."""
        return sorted(batch_id for batch_id, (_, since) in self._behind.items() if now - since > after_s)
