"""How the projector logs: one line an event, a sentence and the fields that `extra` gives, in key=value form."""

from __future__ import annotations

import asyncio
import copy
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

LIBRARIES: Final = ("faust", "mode", "aiokafka")
UNTRACED: Final = ("faust.app", "faust.transport", "mode", "aiokafka")  # these call none of our code: a line is enough
REPEATED_AFTER_S: Final = 60.0

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "data", "taskName"}


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if record.name.startswith(UNTRACED) and record.exc_info:
            reason = record.exc_info[1]
            record = copy.copy(record)
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {reason!r}", None, None
        line = super().format(record)
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return " ".join([line, *(f"{name}={value!r}" for name, value in fields.items())])


class LibraryNoise(logging.Filter):
    """Lets the same line of a library through once a minute: of a Kafka that is away aiokafka says forty a second.

    And none on a task that was cancelled: to Faust an agent that is stopped has crashed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}  # when, by the logger and the line without its arguments

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be logged."""
        if not record.name.startswith(LIBRARIES):
            return True
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            return False
        now = self._clock()
        self._said = {line: at for line, at in self._said.items() if now - at < REPEATED_AFTER_S}
        line = (record.name, str(record.msg))
        if line in self._said:
            return False
        self._said[line] = now
        return True


def _say_thread_ended(ended: threading.ExceptHookArgs) -> None:
    """Faust's thread ends so where Kafka is away while it stops."""
    if ended.exc_value is not None:
        logging.getLogger("faust").warning("A thread has ended by an error: %r", ended.exc_value)


def configure(level: str = "INFO") -> None:
    """Log to stderr. Faust and its Kafka client are only heard from WARNING on, and not all the time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(LibraryNoise())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in LIBRARIES:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    threading.excepthook = _say_thread_ended
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)  # who needs a connection says that there is none
