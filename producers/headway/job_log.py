"""What the outbox says in the job's log: a sentence and a stable action, and the same action only now and then."""

from __future__ import annotations

import logging
import time
from typing import Final

logger = logging.getLogger("headway")

SAY_EVERY_S: Final = 10.0  # arbitrary: a person sees it, and a day's outage does not fill the log


class JobLog:
    """Remembers when what was said."""

    def __init__(self) -> None:
        self._said_at: dict[str, float] = {}

    def say(self, level: int, action: str, sentence: str, error: Exception | None = None) -> bool:
        """Log, unless the same action was said a moment ago; whether it was logged."""
        now = time.monotonic()
        if now - self._said_at.get(action, -SAY_EVERY_S) < SAY_EVERY_S:
            return False
        self._said_at[action] = now
        logger.log(level, sentence, extra={"action": action}, exc_info=error)
        return True
