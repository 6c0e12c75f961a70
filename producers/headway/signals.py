"""Sees to it that a signal is acted upon even if it comes just as the main thread begins to wait.

Python runs a handler in the main thread, once that returns to the interpreter. A signal that comes between the
interpreter's last look and a system call that waits (a read, a semaphore) interrupts nothing, and its handler runs when
the wait is over: perhaps never. `multiprocessing.Pool` ends its workers by SIGTERM just as they begin to wait for
their next task, so that with any handler in Python it would now and then wait for them for ever.

The interpreter writes each signal's number to the wakeup descriptor at once. A thread reads it there and, if the
handler has not begun soon after, sends the signal to the main thread again, which interrupts the wait.

A forked child shares the descriptor until it lets go of it, and a signal that it gets meanwhile would be taken for one
to the parent: whoever uses this holds the signal back from the child until `forget_after_fork` (see `process_end`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

AGAIN_AFTER_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""The pauses before each repetition: few, as a library in the main thread may bear interruptions badly."""
SAME_S: Final = 1.0
"""A handler that began at most so long before a signal was read here was called for it."""

_pipe: tuple[int, int] | None = None


def repeat_unless_begun(number: signal.Signals, begun_since: Callable[[float], bool]) -> None:
    """Send the main thread this signal again until its handler has begun. Called in the main thread.

    Does nothing if it does so already, or if somebody else, asyncio mostly, uses the wakeup descriptor: whoever waits
    on that does not miss a signal.

    Args:
        number: the signal.
        begun_since: whether its handler has begun since then (by `time.monotonic`), or is no longer the one meant.
    """
    global _pipe  # noqa: PLW0603 - one process, one wakeup descriptor
    if _pipe is not None:
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    _pipe = reading, writing
    others = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if others != -1:
        signal.set_wakeup_fd(others)
        _hand_on(reading, others)
        _close_pipe()
        return
    try:
        threading.Thread(
            target=_watch, args=(reading, number, begun_since), name="headway-signals", daemon=True
        ).start()
    except RuntimeError:  # the interpreter ends
        signal.set_wakeup_fd(-1)
        _close_pipe()


def forget_after_fork() -> None:
    """In a forked child: let go of what is the parent's, which must not take the child's signals for its own."""
    if _pipe is None:
        return
    current = signal.set_wakeup_fd(-1)
    if current not in {-1, _pipe[1]}:
        signal.set_wakeup_fd(current)
    _close_pipe()


def _hand_on(reading: int, others: int) -> None:
    """What came for the others while the descriptor was ours, they would never hear of."""
    os.set_blocking(reading, False)
    with contextlib.suppress(BlockingIOError):
        os.write(others, os.read(reading, 64))


def _close_pipe() -> None:
    global _pipe  # noqa: PLW0603
    assert _pipe is not None
    for end in _pipe:
        os.close(end)
    _pipe = None


def _watch(reading: int, number: signal.Signals, begun_since: Callable[[float], bool]) -> None:
    while arrived := os.read(reading, 64):
        if number not in arrived:
            continue
        came_after = time.monotonic() - SAME_S
        for pause_s in AGAIN_AFTER_S:
            time.sleep(pause_s)
            main = threading.main_thread().ident
            if main is None or begun_since(came_after):
                break
            signal.pthread_kill(main, number)
