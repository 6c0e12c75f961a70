"""The exit codes of `headway`, which scripts rely on: never another meaning for a number. Pure."""

from __future__ import annotations

from enum import IntEnum

from headway_events import HeadwayError, Status, batch_status

from headway_client.errors import BadAddress, GatewayAway, Problem
from headway_client.place import TEMPORARY
from headway_client.watched import Standing, Watched
from headway_client.watching import NO_SUCH_BATCH


class Exit(IntEnum):
    """How a command ended. 1 is left to what nobody foresaw, and 2 to arguments that cannot be read."""

    SUCCESS = 0
    USAGE = 2
    ERRORS = 3
    """The batch is finished, and files stand as failed."""
    STALLED = 4
    """Nothing was heard of the batch for too long, or nothing more can be, and it never said that it is finished."""
    TIMEOUT = 5
    """It was not finished in the time given."""
    UNKNOWN = 6
    """There is no such batch, or none is running."""
    AWAY = 7
    """The gateway cannot be reached, or cannot answer."""
    REFUSED = 8
    """The gateway refuses, what answers is none, or it counts the batch no further."""
    INTERRUPTED = 130
    """Ctrl-C; as shells have it, 128 and the signal."""
    PIPE = 141
    """Whoever read the output has gone."""
    TERMINATED = 143
    """SIGTERM."""


def of_batch(watched: Watched) -> Exit:
    """How a batch ended that is watched no more."""
    if watched.standing is Standing.STOPPED:
        return Exit.REFUSED
    if not watched.batch.closed:
        return Exit.STALLED
    return Exit.SUCCESS if batch_status(watched.batch) is Status.COMPLETE else Exit.ERRORS


def of_error(error: HeadwayError) -> Exit:
    """What an error means."""
    if isinstance(error, BadAddress):
        return Exit.USAGE
    if isinstance(error, GatewayAway) or (isinstance(error, Problem) and error.status in TEMPORARY):
        return Exit.AWAY
    return Exit.UNKNOWN if isinstance(error, Problem) and error.type == NO_SUCH_BATCH else Exit.REFUSED
