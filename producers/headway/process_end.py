"""Sends what is still on its way when the process ends: at exit and on SIGTERM; and begins anew after a fork.

SIGTERM is only taken over in the main thread and only while nobody ignores it. A handler that the program has set
itself is called after the flush; without one the process then dies of the signal, as it would have.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import weakref
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.event_logger import EventLogger

_loggers: weakref.WeakSet[EventLogger] = weakref.WeakSet()
_installed = False
_earlier: signal.Handlers | signal._HANDLER = signal.SIG_DFL


def register(event_logger: EventLogger) -> None:
    """Have this logger closed when the process ends."""
    global _installed  # noqa: PLW0603 - one process, one end
    _loggers.add(event_logger)
    if not _installed:
        _installed = True
        atexit.register(_close_all)
        os.register_at_fork(after_in_child=_after_fork_in_child)
        _take_sigterm()


def _close_all() -> None:
    for event_logger in list(_loggers):
        event_logger.close()


def _after_fork_in_child() -> None:
    for event_logger in list(_loggers):
        event_logger._after_fork_in_child()


def _take_sigterm() -> None:
    global _earlier  # noqa: PLW0603
    if threading.current_thread() is not threading.main_thread():
        return
    earlier = signal.getsignal(signal.SIGTERM)
    if earlier is None or earlier is signal.SIG_IGN:
        return
    _earlier = earlier
    signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    if callable(_earlier):
        for event_logger in list(_loggers):
            event_logger.flush(event_logger.close_timeout_s)
        _earlier(number, frame)
        return
    _close_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
