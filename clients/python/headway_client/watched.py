"""What is known of a batch that is watched: counts, last events, connection, and what the stream does not tell. Pure.

The same as the dashboard's `store.js` and `pace.js`. Whoever watches (`watching`) tells it what comes; `page` says it
in words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from headway_events import (
    BatchState,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageStart,
    StageState,
    Status,
    batch_status,
    status_at,
)

from headway_client.api import BatchInfo
from headway_client.estimate import Estimate, StageHistory
from headway_client.messages import EventMessage, Message, Reset, Snapshot, count

RECENT_EVENTS: Final = 20  # of each stage; older ones are in the log
STALLED_AFTER_S: Final = 30.0  # until the gateway says
SILENT_AFTER_S: Final = 20.0  # likewise

_SHOWN: Final = (StageStart, FileComplete, FileError, StageComplete)  # a union would be built anew at every call
_COUNTED_FROM_THE_FIRST: Final = "Counted from the first event on, as PostgreSQL does not answer."


class Standing(StrEnum):
    """How the watching stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    OFFLINE = "offline"
    FINISHED = "finished"
    UNKNOWN = "unknown"
    """Nobody knows the batch yet."""
    STOPPED = "stopped"
    """The gateway counts it no further, as the batch's topic is not what it was."""

    SEEN = "seen"
    """There was one look at it, and there will be no other."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more is expected."""
        return self in {Standing.FINISHED, Standing.STOPPED}


class RecentEvent(msgspec.Struct, frozen=True):
    """An event that is shown with its stage."""

    id: str
    event: StageStart | FileComplete | FileError | StageComplete


class Watched:
    """All that is known of one batch."""

    def __init__(self, batch_id: int) -> None:
        self.batch_id = batch_id
        self.batch = BatchState()
        self.recent: dict[str, deque[RecentEvent]] = {}
        """Of each stage, newest first."""
        self.standing = Standing.CONNECTING
        self.since: datetime | None = None
        """When the standing became what it is."""
        self.reason = ""
        """Why it is offline."""
        self.notice = ""
        """What people must know of the numbers; empty when all is well."""
        self.info: BatchInfo | None = None
        self.taken = 0
        """How many messages have come."""
        self._histories: dict[str, StageHistory] = {}
        self._begun = False

    def take(self, message: Message) -> None:
        """One more message of the stream."""
        self.taken += 1
        if isinstance(message, Snapshot):
            self.begin(message.batch)
        elif isinstance(message, Reset):
            self.begin(BatchState(), f"Counted anew: {message.reason}.")
        elif isinstance(message, EventMessage):
            if not self._begun:
                self.begin(self.batch, _COUNTED_FROM_THE_FIRST)
            self.batch = count(self.batch, message)
            _remember(self.recent, message)

    def begin(self, batch: BatchState, notice: str = "") -> None:
        """Count on from here."""
        self.batch = batch
        self.recent.clear()
        self.notice = notice
        self._begun = True

    def stand(self, standing: Standing, now: datetime, reason: str = "") -> None:
        """The watching stands otherwise, or as before for another reason."""
        if standing is not self.standing:
            self.standing, self.since = standing, now
        self.reason = reason

    def add_older(self, stage: str, older: Iterable[RecentEvent]) -> None:
        """Add events from before the beginning, newest first, below those that have come since."""
        recent = self.recent.setdefault(stage, deque(maxlen=RECENT_EVENTS))
        known = {one.id for one in recent}
        for one in older:
            if one.id not in known and len(recent) < RECENT_EVENTS:
                recent.append(one)

    def observe(self, now: datetime) -> None:
        """Note how far the stages are; now and then, so that their rates are known."""
        for stage in self.batch.stages:
            self._histories.setdefault(stage, StageHistory()).observe(self.batch.current(stage), _ms(now))

    def estimate(self, stage: str, now: datetime) -> Estimate:
        """How fast a stage goes, and how long it will take."""
        history = self._histories.get(stage) or StageHistory()
        stalled = self.status_of(self.batch.current(stage), now) is Status.STALLED
        return history.estimate(self.batch.current(stage), stalled, _ms(now))

    def status_of(self, stage: StageState, now: datetime) -> Status:
        """A stage's status as people should see it."""
        seconds = STALLED_AFTER_S if self.info is None else self.info.stalled_after_s
        return status_at(stage, now, timedelta(seconds=seconds))

    def status(self, now: datetime) -> Status:
        """The batch's status as people should see it: stalled if a stage is."""
        current = (self.batch.current(stage) for stage in self.batch.stages)
        stalled = any(self.status_of(stage, now) is Status.STALLED for stage in current)
        return Status.STALLED if stalled and not self.batch.closed else batch_status(self.batch)

    @property
    def silent_after(self) -> timedelta:
        """After how long a busy worker is silent."""
        return timedelta(seconds=SILENT_AFTER_S if self.info is None else self.info.worker_silent_after_s)

    @property
    def errors(self) -> int:
        """Files that stand as failed, in the current run of each stage."""
        return sum(self.batch.current(stage).errors for stage in self.batch.stages)


def recent_event(id_: str, event: Event) -> RecentEvent | None:
    """An event as it is shown with its stage; None for one that is not (checkpoints, heartbeats)."""
    return RecentEvent(id_, event) if isinstance(event, _SHOWN) else None


def _remember(recent: dict[str, deque[RecentEvent]], message: EventMessage) -> None:
    shown = recent_event(message.id, message.event)
    if shown is not None:
        recent.setdefault(shown.event.stage, deque(maxlen=RECENT_EVENTS)).appendleft(shown)


def _ms(moment: datetime) -> float:
    return moment.timestamp() * 1000
