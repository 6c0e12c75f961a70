"""Where one reading of a stream is, and whether and when it is tried again. Nothing here but the clock does I/O."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, TypeAlias

from headway_client.errors import BadStream, GatewayAway, problem
from headway_client.messages import TELLING, Message, is_closed, read
from headway_client.reconnection import Reconnection, retry_after_s
from headway_client.sse import EventStreamParser

logger = logging.getLogger(__name__)

TEMPORARY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})  # worth another try
NO_SNAPSHOT: Final = "/problems/DatabaseAway"

Start: TypeAlias = str | int | datetime


class Place:
    """The place of one reading, over all its connections."""

    def __init__(
        self,
        batch_id: int,
        start: Start,
        last_event_id: str,
        stages: Iterable[str],
        event_types: Iterable[str],
        *,
        patience_s: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batch_id = batch_id
        self._start = start.isoformat() if isinstance(start, datetime) else str(start)
        self._selection = [("stage", stage) for stage in stages] + [("eventType", kind) for kind in event_types]
        self._last_event_id = last_event_id
        self._patience_s = patience_s
        self._clock = clock
        self.reconnection = Reconnection()
        """How long it waits between its connections."""
        self.wrong = ""
        """What was wrong with the last try."""
        self.away = False
        """Whether the last try has failed; a stream that has ended as streams should has not."""
        self._parser = EventStreamParser(last_event_id)
        self._closed = False
        self._received = False
        self._retry_after_s: float | None = None
        self._away_since: float | None = None
        self._at_once = False

    def query(self) -> list[tuple[str, str]]:
        """The parameters to connect with."""
        return [("batchId", str(self._batch_id)), ("from", self._start), *self._selection]

    def headers(self) -> dict[str, str]:
        """The headers to connect with."""
        resumed = {"Last-Event-ID": self._last_event_id} if self._last_event_id else {}
        return {"Accept": "text/event-stream", "Cache-Control": "no-store", **resumed}

    def opened(self, content_type: str) -> None:
        """A stream begins.

        Raises:
            BadStream: it is none.
        """
        if content_type != "text/event-stream":
            raise BadStream(
                f"Expected text/event-stream, got {content_type}: is there a Headway gateway at the address?"
            )
        self._parser = EventStreamParser(self._last_event_id)
        self._received = False
        self._away_since = None
        self.away = False
        self.wrong = "the stream has ended"

    def take(self, chunk: bytes) -> list[Message]:
        """The messages that are complete with a chunk.

        Raises:
            BadStream: one of them cannot be read.
        """
        frames = self._parser.feed(chunk)
        messages = [read(frame, self._batch_id) for frame in frames]
        self._last_event_id = self._parser.last_event_id
        if self._parser.retry_ms is not None:
            self.reconnection.asked_s = self._parser.retry_ms / 1000
        if not TELLING.isdisjoint({frame.name for frame in frames}):
            for message in messages:
                self._closed = is_closed(message, self._closed)
        if messages:
            self._received = True
            self.reconnection.succeeded()
        return messages

    def refused(self, status: int, body: bytes, retry_after: str | None) -> None:
        """The gateway answers with an error.

        Raises:
            Problem: one that does not pass by itself.
        """
        refusal = problem(status, body)
        if status not in TEMPORARY:
            raise refusal
        self.wrong = str(refusal)
        self.away = True
        self._retry_after_s = retry_after_s(retry_after)
        if refusal.type == NO_SNAPSHOT and self._start == "snapshot" and not self._last_event_id:
            self._start = "earliest"  # which gives the same counts, and does not need PostgreSQL
            self._at_once = True
            self.away = False

    def ended(self) -> None:
        """The stream has ended as streams should."""
        self._at_once = self._closed and self._received  # to be told 204, unless the batch has begun again

    def lost(self, error: Exception) -> None:
        """There is no connection, or none any more."""
        self.wrong = describe(error)
        self.away = True

    def delay_s(self) -> float:
        """How long to wait before the next connection.

        Raises:
            GatewayAway: none has succeeded for too long.
        """
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
        elif self._patience_s is not None and now - self._away_since > self._patience_s:
            raise GatewayAway(f"Nothing was received for {now - self._away_since:.0f} s: {self.wrong}")
        if self._at_once:
            self._at_once = False
            return 0.0
        delay = self.reconnection.next_delay_s(self._retry_after_s)
        self._retry_after_s = None
        logger.info("Batch %d: connecting again in %.1f s: %s", self._batch_id, delay, self.wrong)
        return delay


def describe(error: Exception) -> str:
    """An error's text, or its kind, as some have no text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
