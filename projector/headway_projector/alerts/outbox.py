"""The outbox: alerts that were raised and not yet taken by their receivers. `sql/alerts.sql` in Python."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
from headway_events.alerts import AlertType

from headway_projector.alerts.hooks import Hook
from headway_projector.statements import load, rows
from headway_projector.store import Store

LATELY_S: Final = 7 * 24 * 60 * 60.0  # for which people are shown what was given up

_queries: Final = load("alerts.sql")


class Due(NamedTuple):
    """An alert that this process sends now."""

    id: UUID
    batch_id: int
    kind: str
    hook: str
    happened_at: datetime
    facts: str  # as JSON
    attempts: int  # this one included


class Tally(NamedTuple):
    """How the alerts of a hook stand."""

    outstanding: int
    given_up: int  # lately


class NotDelivered(NamedTuple):
    """An alert that is outstanding, or was given up."""

    hook: str
    batch_id: int
    kind: str
    state: str
    raised_at: datetime
    due_at: datetime
    attempts: int
    last_answer: str | None


class Outbox:
    """The statements. Every method may raise what asyncpg raises when PostgreSQL is away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = asyncio.Lock()  # one connection at most, however many alerts: the others are the projection's

    async def raise_stalled(self, hooks: Collection[Hook], batch_ids: Sequence[int], most_s: float) -> None:
        """Raise that these batches are silent, for those hooks and batches that it is news for.

        Args:
            hooks: who wants to know.
            batch_ids: the batches.
            most_s: for how long one may have been silent for that to be news.
        """
        await self._do(
            "raise_stalled",
            kind=AlertType.STALLED.value,
            hooks=[hook.name for hook in hooks],
            labels=[hook.labels_json for hook in hooks],
            batch_ids=list(batch_ids),
            most_s=most_s,
        )

    async def claim(self, free: Mapping[str, int], lease_s: float) -> list[Due]:
        """Take alerts that are due, at most so many of each hook; they are this process's for so long."""
        found = await self._ask("claim", hooks=list(free), free=list(free.values()), lease_s=lease_s)
        return [Due(*row) for row in found]

    async def delivered(self, due: Due, answer: str) -> None:
        """The receiver has taken it."""
        await self._do("note_delivered", id=due.id, answer=answer)

    async def refused(self, due: Due, answer: str, *, after_s: float, most_s: float, gone: bool) -> bool:
        """The receiver has not taken it: try again after so long; whether it is given up.

        Args:
            due: the alert.
            answer: why, for people.
            after_s: until the next attempt.
            most_s: the age at which it is given up.
            gone: whether to give it up at once.
        """
        given_up = await self._do(
            "note_refused",
            id=due.id,
            attempts=due.attempts,
            answer=answer,
            after_s=after_s,
            most_s=most_s,
            gone=gone,
        )
        return bool(given_up)

    async def put_off(self, hook: str, after_s: float) -> None:
        """Send the hook nothing for so long."""
        await self._do("put_off", hook=hook, after_s=after_s)

    async def give_up_unknown(self, hooks: Collection[str], most_s: float) -> list[asyncpg.Record]:
        """Give up the alerts of other hooks than these that are older than that; hook, kind, batch and attempts."""
        return await self._ask("give_up_unknown", hooks=list(hooks), most_s=most_s)

    async def tallies(self) -> dict[str, Tally]:
        """How the alerts of each hook stand that has some to speak of."""
        found = await self._ask("tallies", lately_s=LATELY_S)
        return {row["hook"]: Tally(row["outstanding"], row["givenup"]) for row in found}

    async def not_delivered(self, most: int) -> list[NotDelivered]:
        """The alerts that are outstanding, or were given up lately, the oldest first."""
        return [NotDelivered(*row) for row in await self._ask("not_delivered", lately_s=LATELY_S, most=most)]

    async def _do(self, query: str, **parameters: Any) -> Any:
        async with self._turn, self._store.connection() as connection:
            return await getattr(_queries, query)(connection, **parameters)

    async def _ask(self, query: str, **parameters: Any) -> list[asyncpg.Record]:
        async with self._turn, self._store.connection() as connection:
            return await rows(getattr(_queries, query)(connection, **parameters))
