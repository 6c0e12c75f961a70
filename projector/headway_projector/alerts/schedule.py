"""When an alert that was not taken is sent again. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_S: Final = 4.0  # a restart of the receiver
LONGEST_S: Final = 60 * 60.0  # some 30 attempts in the day after which an alert is given up
LONGEST_ASKED_S: Final = 24 * 60 * 60.0  # by Retry-After; a receiver that asks for more is asked once a day


def pause_s(attempts: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds until the next attempt: twice as many after each, and half of them by chance.

    Chance, so that many alerts that failed together are not all sent again at one moment.

    Args:
        attempts: made so far, at least one.
        chance: a number from 0 to below 1.
    """
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(attempts - 1, 20))
    return longest * (0.5 + chance() / 2)


def retry_after_s(header: str | None, now: datetime) -> float:
    """Seconds for which a receiver asks not to be called: RFC 9110's seconds or date; 0 if it does not, or in vain."""
    if header is None:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST_ASKED_S)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if until.tzinfo is None:  # the form "-0000"
        until = until.replace(tzinfo=UTC)
    return min(max(0.0, (until - now).total_seconds()), LONGEST_ASKED_S)
