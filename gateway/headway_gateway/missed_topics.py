"""Whether a topic that Kafka does not know is gone, or is missed for a moment only. Pure.

Brokers that have just started, or were frozen, can say of a topic that there is none. So that is believed once it has
been the answer for a while, as often as somebody asked; clients of a stream ask every two seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

GONE_AFTER_S: Final = 10.0  # several times as long as brokers need to know their topics; arbitrary beyond that
MOST_GONE: Final = 10_000  # topics remembered as gone; of others it takes a while again


class MissedTopics:
    """What Kafka has answered lately about topics that should be there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._missed: dict[str, tuple[float, float]] = {}  # since when, and when somebody asked; who asked last, last
        self._gone: dict[str, None] = {}  # in the order in which they went

    def found(self, topic: str) -> None:
        """The topic is there."""
        self._missed.pop(topic, None)
        self._gone.pop(topic, None)

    def is_gone(self, topic: str) -> bool:
        """Kafka says now that the topic is not there: whether to believe it."""
        if topic in self._gone:
            return True
        now = self._clock()
        self._forget(now - GONE_AFTER_S)
        since, _ = self._missed.pop(topic, (now, now))
        if now - since < GONE_AFTER_S:
            self._missed[topic] = since, now
            return False
        self._gone[topic] = None
        if len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]
        return True

    def _forget(self, before: float) -> None:
        """What was not asked of since then: what it has been in between is not known."""
        while self._missed:
            topic, (_, asked) = next(iter(self._missed.items()))
            if asked >= before:
                return
            del self._missed[topic]
