"""The colours of the terminal, by what they mean. Pure."""

from __future__ import annotations

from typing import Final

from headway_events import Status

TITLE: Final = "bold"
QUIET: Final = "dim"
GOOD: Final = "green"
BAD: Final = "red"
WAITING: Final = "yellow"
STATUS: Final = {
    Status.PENDING: QUIET,
    Status.PROCESSING: "blue",
    Status.COMPLETE: GOOD,
    Status.COMPLETE_WITH_ERRORS: BAD,
    Status.STALLED: WAITING,
}
