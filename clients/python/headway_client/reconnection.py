"""When to connect again: the time that the stream asks for, longer after each failure, never the same for all. Pure.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#reconnection-time; RFC 9110, 10.2.3 (Retry-After)
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

DEFAULT_S: Final = 2.0  # until the stream says
LEAST_S: Final = 0.1  # a stream may say 0, which must not become a busy loop
MOST_S: Final = 60.0  # arbitrary: a gateway that is back should not be idle for longer
WATCHED_MOST_S: Final = 5.0  # arbitrary: the same where somebody looks on
JITTER: Final = 0.5  # of the delay, added: a standard client may wait longer than asked, not shorter


class Reconnection:
    """How long one client waits between its connections."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self.asked_s = DEFAULT_S
        """The stream's own reconnection time."""
        self.most_s = MOST_S
        """What longer and longer delays end at."""
        self._failures = 0
        self._chance = chance

    def succeeded(self) -> None:
        """A connection has brought something."""
        self._failures = 0

    def next_delay_s(self, retry_after_s: float | None = None) -> float:
        """How long to wait now; longer each time, until a connection succeeds.

        Args:
            retry_after_s: what the answer's Retry-After demands at least.
        """
        delay = min(self.most_s, max(self.asked_s, LEAST_S) * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return max(delay, retry_after_s or 0.0) * (1 + JITTER * self._chance())


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds that a Retry-After header demands, which may be a date; None if there is none that can be read."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
