"""Which batches nothing has been heard of for so long, by the clock of who asks Kafka. Pure.

A batch is silent when it stands at the same offset, with nothing left to be projected, in every look at the topics for
that long. So a projector that was away, or Kafka, or that is busy with a backlog, makes no batch silent, and neither
does a worker whose clock is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from headway_projector.lag import Standing

LONGEST_GAP_S: Final = 10.0  # between two looks, which are a second apart: after a longer one nothing is known


class _Quiet(NamedTuple):
    next_offset: int
    since: float
    told: bool


class Silence:
    """The batches that one projector owns, as last seen."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._quiet: dict[int, _Quiet] = {}
        self._looked_at = float("-inf")

    def observe(self, standings: Mapping[int, Standing], now: float) -> None:
        """Replace what is known.

        Args:
            standings: every batch owned.
            now: seconds of a monotonic clock.
        """
        before = self._quiet if now - self._looked_at <= LONGEST_GAP_S else {}
        self._looked_at = now
        self._quiet = {}
        for batch_id, standing in standings.items():
            if not standing.lag:
                known = before.get(batch_id)
                same = known is not None and known.next_offset == standing.next_offset
                self._quiet[batch_id] = known if known and same else _Quiet(standing.next_offset, now, told=False)

    def fallen_silent(self, now: float, after_s: float) -> list[int]:
        """The batches that have been silent for so long, without those told of."""
        if now - self._looked_at > LONGEST_GAP_S:
            return []
        return [batch_id for batch_id, quiet in self._quiet.items() if not quiet.told and now - quiet.since > after_s]

    def told(self, batch_ids: Collection[int]) -> None:
        """What there is to say of the silence of these batches is said."""
        for batch_id in batch_ids:
            if batch_id in self._quiet:
                self._quiet[batch_id] = self._quiet[batch_id]._replace(told=True)
