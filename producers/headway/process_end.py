"""Sends what is still on its way when the process ends: at exit and on SIGTERM; and begins anew after a fork.

SIGTERM is only taken over from the main thread and only while nobody ignores it. A handler that the program has set
itself is called after the flush; without one the process then dies of the signal, as it would have.

Children of `multiprocessing` end by `os._exit` and never reach `atexit`; what they do run is its own finalizers.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import threading
import time
import weakref
from multiprocessing import util
from types import FrameType
from typing import Final, Protocol

from headway import signals


class Ending(Protocol):
    """What has a thread that must be ended with the process: an outbox."""

    def flush(self, timeout_s: float | None = None) -> int:
        """Wait until everything is sent."""

    def close(self, timeout_s: float | None = None) -> int:
        """Wait until everything is sent, and end the thread."""

    def abandon(self) -> None:
        """In a forked child: let go of what is the parent's."""


class Forking(Protocol):
    """What a forked child must begin anew: a logger."""

    def begin_anew(self) -> None:
        """The parent's events are the parent's to send."""


_running: Final[set[Ending]] = set()  # strongly: a logger can be gone while its events are still on their way
_loggers: Final[weakref.WeakSet[Forking]] = weakref.WeakSet()
_parents: Final[list[Ending]] = []  # kept in a forked child: destroying a producer without its threads would hang
_held: Final = threading.local()  # mask: of the thread that forks, as it was before
_is_over = False
_sigterm_taken = False
_sigterm_at = -math.inf  # when our handler last began
_earlier: signal.Handlers | signal._HANDLER = signal.SIG_DFL


def renew_after_fork(logger: Forking) -> None:
    """Have this logger begin anew in a forked child, as long as somebody holds it."""
    _loggers.add(logger)
    _take_sigterm()


def close_at_end(outbox: Ending) -> None:
    """Have this outbox closed when the process ends."""
    _running.add(outbox)
    _take_sigterm()


def forget(outbox: Ending) -> None:
    """This outbox has been closed."""
    _running.discard(outbox)


def is_over() -> bool:
    """Whether the process has ended so far that nobody will close another outbox."""
    return _is_over


def _close_all() -> None:
    for outbox in list(_running):
        outbox.close()


def _at_exit() -> None:
    global _is_over  # noqa: PLW0603 - one process, one end
    _is_over = True
    _close_all()


def _hold_sigterm() -> None:
    """Before a fork: a child must not be told to end while it still has what is the parent's."""
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _take_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _after_fork_in_child() -> None:
    signals.forget_after_fork()
    for outbox in list(_running):
        outbox.abandon()
        _parents.append(outbox)
    _running.clear()
    for logger in list(_loggers):
        logger.begin_anew()
    if _sigterm_taken:
        _take_sigterm()  # also in children that never log: the handler is theirs, too
    _take_signals()


def _finalize_with_multiprocessing(_: object = None) -> None:
    util.Finalize(None, _close_all, exitpriority=0)


def _take_sigterm() -> None:
    global _earlier, _sigterm_taken  # noqa: PLW0603
    if threading.current_thread() is not threading.main_thread():
        return
    if not _sigterm_taken:
        _sigterm_taken = True
        earlier = signal.getsignal(signal.SIGTERM)
        if earlier is None or earlier is signal.SIG_IGN:
            return
        _earlier = earlier
        signal.signal(signal.SIGTERM, _on_sigterm)
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signals.repeat_unless_begun(signal.SIGTERM, _sigterm_begun_since)


def _sigterm_begun_since(moment: float) -> bool:
    return _sigterm_at > moment or signal.getsignal(signal.SIGTERM) is not _on_sigterm


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    global _sigterm_at  # noqa: PLW0603
    _sigterm_at = time.monotonic()
    if callable(_earlier):
        for outbox in list(_running):
            outbox.flush()
        _earlier(number, frame)
        return
    _close_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


# At import, so that handlers which the program registers later, and which may log, run before these.
atexit.register(_at_exit)
os.register_at_fork(before=_hold_sigterm, after_in_parent=_take_signals, after_in_child=_after_fork_in_child)
util.register_after_fork(_loggers, _finalize_with_multiprocessing)
_finalize_with_multiprocessing()
