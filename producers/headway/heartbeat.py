"""The thread that says that this process is alive: which files each of its open stages is on, and its GPUs.

One thread for the process, which runs only while a stage is open; it is no thread of a forked child, whose stages are
its own to open. A stage has a Pulse: when it last beat and what it said. Nothing here is called for a single file.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final

from headway import process_end
from headway.arguments import is_file_name
from headway.gpu import SAMPLE_EVERY_S, sampler
from headway.intervals import is_heartbeat_due

logger = logging.getLogger("headway")

MOST_LISTED: Final = 1_000  # names in one heartbeat
MOST_LISTED_CHARACTERS: Final = 200_000  # of names together: with 4 bytes each still a record that Kafka takes
LOOKS_A_PERIOD: Final = 4  # a change is noticed after at most a quarter of the time between two heartbeats for changes
LOOK_AT_MOST_EVERY_S: Final = 0.01  # however short the settings are: a thread that only looks must not take a core
LEAVE_S: Final = 1.0  # for a look at the GPUs under way when the process ends


def listed(files: list[str]) -> tuple[list[str], int]:
    """Those of the files in flight that a heartbeat lists, and how many it leaves out: too many, or no fit names."""
    names: list[str] = []
    characters = 0
    for name in files[:MOST_LISTED]:
        characters += len(name)
        if characters > MOST_LISTED_CHARACTERS:
            break
        if is_file_name(name):
            names.append(name)
    return names, len(files) - len(names)


class Pulse:
    """The heartbeats of one open stage."""

    def __init__(
        self,
        in_flight: Callable[[], list[str]],
        send: Callable[[list[str], int], None],
        *,
        every_s: float,
        changed_s: float,
    ) -> None:
        """Describe them; the first is due `changed_s` from now if files are in flight then, else `every_s` from now.

        Args:
            in_flight: the files that the worker is on.
            send: sends a heartbeat with these names, and that many more in flight.
            every_s: between two heartbeats at most.
            changed_s: between two heartbeats at least, if the files in flight have changed.
        """
        self.look_every_s = max(min(every_s, changed_s) / LOOKS_A_PERIOD, LOOK_AT_MOST_EVERY_S)
        self._in_flight = in_flight
        self._send = send
        self._every_s = every_s
        self._changed_s = changed_s
        self._said: list[str] = []
        self._said_at = time.monotonic()
        self._is_over = False
        self._lock = threading.Lock()

    def beat_if_due(self) -> None:
        """Send one if it is time."""
        with self._lock:
            files = self._in_flight()
            since_s = time.monotonic() - self._said_at
            if not self._is_over and is_heartbeat_due(
                since_s, changed=files != self._said, every_s=self._every_s, changed_s=self._changed_s
            ):
                self._beat(files)

    def end(self) -> None:
        """Send the last one, if the one before listed files: the worker is on none of them any more."""
        with self._lock:
            self._is_over = True
            if self._said:
                self._beat([])

    def _beat(self, files: list[str]) -> None:
        self._said, self._said_at = files, time.monotonic()
        self._send(*listed(files))


class Heart:
    """The open stages of a process, and the thread that beats for them. Thread-safe."""

    def __init__(self) -> None:
        """Nothing is started before the first `join`."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin without stages: at first, and in a forked child, whose parent beats for its own."""
        self._pulses: list[Pulse] = []
        self._lock = threading.RLock()  # a signal handler may leave a stage amid another call
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._sampled_at = -SAMPLE_EVERY_S

    def join(self, pulse: Pulse) -> None:
        """A stage has been opened."""
        with self._lock:
            self._pulses.append(pulse)
            if self._thread is None:
                self._start()

    def leave(self, pulse: Pulse) -> None:
        """A stage is being left. What a forked child inherited is not its own, and is left without a word."""
        with self._lock:
            if pulse not in self._pulses:
                return
            self._pulses.remove(pulse)
            if not self._pulses:
                self._stop.set()
                self._thread = None
        pulse.end()

    def stop(self) -> None:
        """End the thread: the process ends."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._pulses.clear()
            self._stop.set()
        if thread is not None:
            thread.join(LEAVE_S)

    def _start(self) -> None:
        if process_end.is_over():
            return
        self._stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(self._stop,), name="headway-heartbeat", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter ends: the job matters more
            logger.debug("No heartbeats: %s", error, extra={"action": "no_heartbeats"})
        else:
            self._thread = thread

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - the next one may succeed; the job must not notice
                logger.warning("A heartbeat failed: %r", error, extra={"action": "heartbeat_failed"})
            stop.wait(min((pulse.look_every_s for pulse in list(self._pulses)), default=SAMPLE_EVERY_S))
        if self._thread is None:
            sampler.forget()

    def _look(self) -> None:
        if time.monotonic() - self._sampled_at >= SAMPLE_EVERY_S:
            self._sampled_at = time.monotonic()
            sampler.sample()
        for pulse in list(self._pulses):
            pulse.beat_if_due()


heart: Final = Heart()
"""The process's own."""


def _after_fork_in_child() -> None:
    heart.begin_anew()
    sampler.begin_anew()


# At import, after process_end's: this runs before it, so that nothing beats while the last events are sent.
atexit.register(heart.stop)
os.register_at_fork(after_in_child=_after_fork_in_child)
