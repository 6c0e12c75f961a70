"""From the pipeline's threads to Kafka, by way of memory and, when Kafka is away, of the disk.

`put` is all that the pipeline's threads run: it appends to a deque and returns. One background thread, the sender,
takes from there, in order:
    1. take     what is in the buffer; make the topics of its batches
    2. send     to Kafka's producer, if nothing waits in the spool and not too much is unacknowledged
    3. spool    otherwise, behind what waits there already; what the spool does not take stays in memory
    4. drain    the spool, oldest first, as soon as Kafka takes records again
The order of one process's events is kept throughout. What cannot be kept (past the bounds of the spool, or where the
disk refuses, past those of the buffer too) is counted in `lost` and said in the log: the oldest events are kept.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message
from headway_events.kafka_refusals import explained

from headway import process_end
from headway.job_log import JobLog
from headway.kafka import KafkaSender, TopicState
from headway.record import OVERHEAD_BYTES, Record
from headway.settings import Settings
from headway.spool import Segment, Spool

logger = logging.getLogger("headway")

MOST_UNACKNOWLEDGED: Final = 20_000  # records in the producer; what a kill -9 can lose while Kafka is away
MOST_UNACKNOWLEDGED_BYTES: Final = 64 * 1024 * 1024  # far below the producer's own bound, which would block
TAKE_AT_MOST: Final = 250  # records a round: less than a millisecond in which no other thread has the interpreter
SPOOL_AT_MOST: Final = 2_000  # records a round on their way to the disk, which is waited for once a round
TAKE_AT_MOST_BYTES: Final = 16 * 1024 * 1024
PAUSE_S: Final = 0.02  # between two rounds: lets records gather. To be woken by a call would cost the caller 50 µs
YIELD_S: Final = 0.0005  # must stay below the 1 ms that a call may take
IDLE_S: Final = 0.05  # between two rounds when there has been nothing to do for a while; what an event then waits
LEAVE_S: Final = 10.0  # for a round under way and the last writes to disk; more means that the disk hangs
DESTROY_S: Final = 1.0  # for the producer's threads to end; more means that a resolver hangs
RETRY_S: Final = 1.0  # before a topic that was refused, or a disk, is tried again


class Outbox:
    """A bounded buffer and the thread that empties it. Threads may share it; processes may not (see `event_logger`)."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is started before the first `put`."""
        self._settings = settings
        self._buffer: deque[Record] = deque()
        self._buffered_bytes = 0
        self._spare_bytes = settings.buffer_bytes // 2
        self._wake: SimpleQueue[None] = SimpleQueue()  # unlike an Event, safe in a signal handler amid another call
        self._closing = False
        self._has_left = False  # the sender has ended, but for the destruction of its producer
        self._start_lock = threading.RLock()  # a signal handler may log, too
        self._thread: threading.Thread | None = None
        self._taken: list[Record] = []  # by the sender, and neither sent nor spooled yet
        self._sender: KafkaSender | None = None
        self._is_broken = False  # the producer has failed for good, and needs a successor
        self._numbers = itertools.count()
        self._unacknowledged: dict[int, Record] = {}  # by when they were given to the producer
        self._unacknowledged_bytes = 0
        self._segment_of: dict[str, Segment] = {}  # by the id of a record that came from the spool
        self._pending: deque[Record] = deque()  # read from the spool, or given up by a producer, and not yet sent
        self._refused_now: list[Record] = []  # by Kafka, in this round, and to be sent again
        self._topic_retry_at = 0.0
        self._spool_retry_at = 0.0
        self._lost_said = 0
        self._log = JobLog()
        self._is_spooling = False  # events wait on disk, and that has been said
        self._spool = Spool(settings.spool_dir, settings.spool_bytes)
        self.lost = 0
        """Records that could not be kept anywhere."""

    def put(self, record: Record) -> None:
        """Hand a record over. Never raises, and never blocks longer than about half a millisecond."""
        if self._buffered_bytes > self._spare_bytes:
            time.sleep(YIELD_S)  # the sender is behind, as the program keeps the interpreter: give it that
            if self._buffered_bytes > self._settings.buffer_bytes:
                self._lose(1, "the buffer is full")
                return
        self._buffered_bytes += len(record.value) + OVERHEAD_BYTES  # racy, until the sender next finds no record
        self._buffer.append(record)
        if self._thread is None:
            self._start()

    def waiting(self) -> int:
        """Records that Kafka does not have yet, those in the spool counted as one if there are any."""
        in_memory = (self._buffer, self._taken, self._unacknowledged, self._refused_now, self._pending)
        return sum(map(len, in_memory)) + (0 if self._spool.is_empty else 1)

    def flush(self, timeout_s: float | None = None) -> int:
        """Wait until Kafka has every record, at most so long (by default `close_timeout_s`); the records left."""
        deadline = time.monotonic() + (self._settings.close_timeout_s if timeout_s is None else timeout_s)
        while self.waiting() and time.monotonic() < deadline:
            self._wake.put(None)
            time.sleep(PAUSE_S)
        return self.waiting()

    def close(self, timeout_s: float | None = None) -> int:
        """Flush, leave to the spool what Kafka does not have, and end the sender; the records left.

        A later `put` begins anew, with what was left.
        """
        thread = self._thread
        if thread is None or not thread.is_alive():
            left = self.waiting()
        else:
            left = self.flush(timeout_s)
            self._closing = True
            self._wake.put(None)
            deadline = time.monotonic() + LEAVE_S
            while not self._has_left and thread.is_alive():
                if time.monotonic() > deadline:
                    return left
                time.sleep(YIELD_S)
            thread.join(DESTROY_S)
        with self._start_lock:
            self._thread = None  # before the last look at the buffer: a `put` after the look starts another
            self._closing = False
            self._leave_to_spool()
        process_end.forget(self)
        return left

    def abandon(self) -> None:
        """In a forked child: let go of what is the parent's (its thread, its locks), and send nothing of it."""
        self._spool.abandon()

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is not None:
                return
            self._has_left = False
            self._thread = threading.Thread(target=self._run, name="headway-sender", daemon=True)
            try:
                if process_end.is_over():
                    raise RuntimeError("nobody would end the thread")
                self._thread.start()
            except RuntimeError:  # also from `start`, while the interpreter ends: the next process will send it
                self._thread = None
                self._leave_to_spool()
            else:
                process_end.close_at_end(self)

    # The sender's thread from here on.

    def _run(self) -> None:
        try:
            self._spool.adopt()
        except OSError as error:
            self._log.say(logging.WARNING, "spool_unreadable", f"Earlier events cannot be looked for on disk: {error}")
        pause_s = PAUSE_S
        while not self._closing:
            try:
                busy = self._round()
            except Exception as error:  # noqa: BLE001
                # Whatever it was, the pipeline must not notice, and the records taken are still in `_taken`.
                self._log.say(logging.ERROR, "sender_failed", f"The sender failed and tries again: {error!r}", error)
                busy = False
            if busy:
                time.sleep(0 if self._buffered_bytes > self._spare_bytes else YIELD_S)  # callers yield if we are behind
                continue
            pause_s = PAUSE_S if self._unacknowledged else min(2 * pause_s, IDLE_S)
            with contextlib.suppress(Empty):
                self._wake.get(timeout=pause_s)
        sender = self._sender
        self._leave_to_spool()
        self._has_left = True
        if sender is not None:
            sender.destroy()

    def _round(self) -> bool:
        """Steps 1 to 4 once; whether there is more that can be done at once."""
        if self._sender is None or self._is_broken:
            self._connect()
        assert self._sender is not None
        straight = self._spool.is_read and not self._pending and self._has_room()
        self._take(TAKE_AT_MOST if straight else SPOOL_AT_MOST)
        if self._taken:
            self._forward(straight=straight)
        has_drained = self._drain()
        self._sender.poll(0)
        if self._refused_now:
            self._keep_refused()
        if self._is_spooling and self._spool.is_empty:
            self._is_spooling = False
            logger.info("Kafka has all that waited on disk", extra={"action": "spool_drained"})
        return not self._taken and (bool(self._buffer) or has_drained)

    def _connect(self) -> None:
        """A first producer, or one in place of one that failed for good: what that had not delivered is sent again."""
        if self._sender is not None:
            self._sender.purge()
            self._sender.destroy()
            self._pending.extendleft(reversed(self._unacknowledged.values()))  # older than all that waits elsewhere
            self._unacknowledged.clear()
            self._unacknowledged_bytes = 0
        self._sender = KafkaSender(self._settings)
        self._is_broken = False

    def _take(self, most: int) -> None:
        """Take records until there are so many, or too many bytes; there are some already if they could go nowhere."""
        some = [self._buffer[number] for number in range(min(most - len(self._taken), len(self._buffer)))]
        room = TAKE_AT_MOST_BYTES - sum(record.size for record in self._taken)
        sizes = list(itertools.accumulate(record.size for record in some))
        del some[bisect.bisect(sizes, room) + 1 :]
        self._buffered_bytes -= sum(record.size for record in some)
        self._taken += some  # before they leave the buffer: `waiting` must never miss one
        for _ in some:
            self._buffer.popleft()
        if not self._buffer:
            self._buffered_bytes = 0  # what threads that raced have miscounted must not add up

    def _forward(self, *, straight: bool) -> None:
        """Steps 2 and 3 for what has been taken. While Kafka makes a topic it waits: not for long, nor for much."""
        topics = self._topics(self._taken) if straight else TopicState.FAILED
        if topics is TopicState.READY:
            self._send(self._taken)
            self._taken = []
        elif topics is TopicState.FAILED or self._buffered_bytes > self._settings.buffer_bytes // 4:
            self._taken = self._taken[self._to_spool(self._taken) :]

    def _has_room(self) -> bool:
        return len(self._unacknowledged) + SPOOL_AT_MOST <= MOST_UNACKNOWLEDGED and self._unacknowledged_bytes <= min(
            MOST_UNACKNOWLEDGED_BYTES, self._settings.buffer_bytes
        )

    def _topics(self, records: list[Record]) -> TopicState:
        """Whether every record's topic is there; asks Kafka again only now and then when it does not answer."""
        assert self._sender is not None
        if time.monotonic() < self._topic_retry_at:
            return TopicState.FAILED
        for batch_id in {record.batch_id for record in records}:
            state = self._sender.ensure_batch_topic(self._settings.names.of_batch(batch_id))
            if state is TopicState.FAILED:
                self._topic_retry_at = time.monotonic() + RETRY_S
            if state is not TopicState.READY:
                return state
        return TopicState.READY

    def _send(self, records: list[Record]) -> None:
        assert self._sender is not None
        produce, delivered = self._sender.produce, self._delivered
        self._unacknowledged_bytes += sum(record.size for record in records)
        for record, number in zip(records, self._numbers, strict=False):
            self._unacknowledged[number] = record
            try:
                produce(record, partial(delivered, number))
            except KafkaException as error:
                delivered(number, error.args[0], None)

    def _drain(self) -> bool:
        """Send some of what waits on disk; whether there was something that could be sent."""
        if not self._pending and not self._unacknowledged and (segment := self._spool.read_segment()) is not None:
            if segment.missing:
                self._lose(segment.missing, "they were in the spool, and are not there any more")
            self._segment_of.update((record.event_id, segment) for record in segment.records)
            self._pending.extend(segment.records)
        if not self._pending or not self._has_room():
            return False
        some = [self._pending[number] for number in range(min(TAKE_AT_MOST, len(self._pending)))]
        if self._topics(some) is not TopicState.READY:
            return False
        self._send(some)
        for _ in some:
            self._pending.popleft()
        return True

    def _to_spool(self, records: list[Record]) -> int:
        """Write what the spool takes, from the first on; how many."""
        if time.monotonic() < self._spool_retry_at:
            return 0
        try:
            unfit = self._spool.append(records)
        except OSError as error:
            self._spool_retry_at = time.monotonic() + RETRY_S
            self._say_stuck(f"the spool cannot be written: {error}")
            return 0
        if unfit:
            self._say_stuck(f"the spool is full ({self._settings.spool_bytes} bytes)")
        if unfit < len(records):
            self._say_spooling()
        return len(records) - unfit

    def _say_stuck(self, reason: str) -> None:
        then = f"they wait in memory, and past {self._settings.buffer_bytes} bytes are lost"
        sentence = f"Kafka at {self._settings.bootstrap} does not take events, and {reason}; {then}"
        self._log.say(logging.WARNING, "spool_refuses", sentence)

    def _say_spooling(self) -> None:
        if self._is_spooling:
            return
        self._is_spooling = True
        reason = self._sender.problem if self._sender is not None else ""
        self._log.say(
            logging.WARNING,
            "spooling",
            f"Kafka at {self._settings.bootstrap} does not take events as fast as they come; until it does they "
            f"wait in {self._settings.spool_dir}{reason and f' ({reason})'}",
        )

    def _keep_refused(self) -> None:
        """All that this round's answers refused, with one write to disk: a deleted topic refuses thousands."""
        kept = self._to_spool(self._refused_now)
        self._pending.extendleft(reversed(self._refused_now[kept:]))
        self._refused_now = []  # last: they must never be nowhere

    def _delivered(self, number: int, error: KafkaError | None, _message: Message | None) -> None:
        """What became of a record: Kafka has it, or will not take it."""
        record = self._unacknowledged.get(number)
        if record is None:
            return  # given up by `_connect` meanwhile
        if error is None or not self._is_kept(record, error):
            del self._unacknowledged[number]
            self._unacknowledged_bytes -= record.size
            if self._segment_of and (segment := self._segment_of.pop(record.event_id, None)) is not None:
                segment.arrived(record)

    def _is_kept(self, record: Record, error: KafkaError) -> bool:
        """Whether a record that Kafka will not take stays ours to send: else it is lost, or in the spool."""
        if self._is_broken or error.fatal() or error.code() == KafkaError._FATAL:
            self._is_broken = True
            return True  # `_connect` sends it again
        if error.code() in {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}:
            return True  # by `_leave_to_spool`, which keeps it
        if error.code() in {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_TIMESTAMP}:
            self._lose(1, f"Kafka refused a record of {len(record.value)} bytes: {error}")
            return False
        self._log.say(logging.WARNING, "refused", f"Kafka refused an event, which goes again: {explained(error)}")
        if self._sender is not None:
            self._sender.forget_topic(record.topic)
        self._topic_retry_at = time.monotonic() + RETRY_S
        self._refused_now.append(record)
        return False

    def _leave_to_spool(self) -> None:
        """At the end: what Kafka does not have goes to disk, for the next process, in order.

        Records that came from the spool are still there: their segments are only removed once all have arrived.
        """
        if self._sender is not None:
            self._sender.purge()
        oldest = [*self._unacknowledged.values(), *self._refused_now, *self._pending]
        oldest = [record for record in oldest if record.event_id not in self._segment_of]
        newest = self._taken
        while self._buffer:
            newest.append(self._buffer.popleft())
        if kept := self._leave(oldest, self._spool.prepend) + self._leave(newest, self._spool.append):
            logger.warning(
                "Kafka did not take every event in time; %d wait in %s for the next process",
                kept,
                self._settings.spool_dir,
                extra={"action": "left_to_spool", "events": kept, "directory": str(self._settings.spool_dir)},
            )
        if self.lost != self._lost_said:
            logger.error("%d events were lost in all", self.lost, extra={"action": "events_lost", "lost": self.lost})
        self._spool.close()
        self._forget()

    def _leave(self, records: list[Record], write: Callable[[list[Record]], int]) -> int:
        """Write them to disk, and count as lost what it does not take; how many it took."""
        if not records:
            return 0
        try:
            unfit = write(records)
        except OSError as error:
            unfit = len(records)
            reason = f"the spool cannot be written: {error}"
        else:
            reason = f"the spool is full ({self._settings.spool_bytes} bytes)"
        if unfit:
            self._lose(unfit, f"Kafka does not take them, and {reason}")
        return len(records) - unfit

    def _forget(self) -> None:
        """Be as new: a later `put` adopts what was left on disk like anybody else."""
        self._sender = None
        self._is_broken = self._is_spooling = False
        self._taken, self._refused_now = [], []
        self._pending.clear()
        self._unacknowledged.clear()
        self._spool_retry_at = 0.0
        self._unacknowledged_bytes = self._buffered_bytes = 0
        self._segment_of.clear()
        self._spool = Spool(self._settings.spool_dir, self._settings.spool_bytes)

    def _lose(self, records: int, reason: str) -> None:
        self.lost += records
        if self._log.say(logging.ERROR, "events_lost", f"{self.lost} events were lost so far: {reason}"):
            self._lost_said = self.lost
