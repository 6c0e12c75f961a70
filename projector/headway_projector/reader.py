"""Reads the topics of the owned batches: manual assignment, from the offsets that the tables hold. One thread only.

The only consumer of batch topics. It commits nothing to Kafka: where a batch stands is in PostgreSQL. Offsets that a
topic no longer has are reported, never skipped.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from headway_projector.poll import BatchMemory, RawRecord

POLL_S: Final = 0.05  # the longest a record waits for others to share its transaction
POLL_BYTES: Final = 16 << 20  # of values in one poll; bounds the memory that a poll of large records takes
SLICE: Final = 1000  # records taken at a time: the client holds the interpreter's lock while it makes them
QUEUED_KB: Final = 16 * 1024  # fetched ahead: half a second's worth at full speed
FETCH_BYTES: Final = 1 << 20  # in one response, compressed: ten times that in memory, on top of what is queued
REFETCH_MS: Final = 10  # when the queue was full; by default the client waits for a second, and starves
WATERMARK_TIMEOUT_S: Final = 5.0
LEADER_TIMEOUT_S: Final = 0.5

_OUT_OF_RANGE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
_GONE: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_ID})


class Polled(NamedTuple):
    """What one poll brought."""

    records: list[tuple[BatchMemory, list[RawRecord]]]  # in order
    out_of_range: list[BatchMemory]  # whose topics do not have the offset asked for
    gone: list[BatchMemory]  # whose topics are not there


class Reader:
    """A consumer whose assignment other threads may change; `poll` and `close` belong to one thread at a time."""

    def __init__(self, connection: Mapping[str, str]) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._reading: dict[str, BatchMemory] = {}  # by topic, as of the orders carried out
        self._consumer = Consumer(
            {
                **connection,
                "group.id": "headway-projector-unused",  # required by the client, used for nothing: see above
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "queued.max.messages.kbytes": QUEUED_KB,
                "fetch.max.bytes": FETCH_BYTES,
                "fetch.message.max.bytes": FETCH_BYTES // 2,  # of one topic
                "fetch.queue.backoff.ms": REFETCH_MS,
                "fetch.wait.max.ms": 100,
                "log_level": 3,
            }
        )

    def begin(self, memory: BatchMemory) -> None:
        """Read a batch from its memory's position on, as of the next poll.

        What a poll brings comes with the memory for which it was read: a batch that was ended and begun again from
        another position can be told from what it was before.
        """
        partition = TopicPartition(memory.topic, 0, memory.position)
        self._orders.put(lambda: self._assign(memory, partition))

    def end(self, memory: BatchMemory) -> None:
        """Read a batch no more, as of the next poll."""
        self._orders.put(lambda: self._unassign(memory))

    def poll(self, most_records: int) -> Polled:
        """What has come, at most so much; waits a little for the first."""
        self._carry_out_orders()
        records: dict[str, list[RawRecord]] = {}
        errors: dict[str, KafkaError] = {}
        for message in self._messages(most_records):
            error = message.error()
            topic = message.topic() or ""
            if error is None:
                records.setdefault(topic, []).append(_record(message))
            else:
                errors[topic] = error
        reading = self._reading
        return Polled(
            [(reading[topic], some) for topic, some in records.items() if topic in reading],
            [reading[topic] for topic, error in errors.items() if topic in reading and error.code() in _OUT_OF_RANGE],
            [reading[topic] for topic, error in errors.items() if topic in reading and error.code() in _GONE],
        )

    def _messages(self, most: int) -> Iterator[Message]:
        """What the client has, in slices, until it has no more or the poll is full."""
        records, size, wait_s = 0, 0, POLL_S
        while records < most and size < POLL_BYTES:
            wanted = min(SLICE, most - records)
            some = self._consumer.consume(wanted, timeout=wait_s)
            yield from some
            if len(some) < wanted:
                return
            records += len(some)
            size += sum(len(message) for message in some)
            wait_s = 0.0

    def watermarks(self, topic: str) -> tuple[int, int]:
        """The first offset that the topic has, and the one after its last.

        Raises:
            KafkaException: Kafka does not answer, or has no such topic.
        """
        low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WATERMARK_TIMEOUT_S)
        return low, high

    def end_of(self, memory: BatchMemory) -> int:
        """The end of a batch's topic as the last fetch from it told; negative before the first."""
        known = self._consumer.get_watermark_offsets(TopicPartition(memory.topic, 0), cached=True)
        return -1 if known is None else known[1]

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _carry_out_orders(self) -> None:
        before = set(self._reading)
        with contextlib.suppress(queue.Empty):
            while True:
                self._orders.get_nowait()()
        self._find_leaders(self._reading.keys() - before)

    def _find_leaders(self, new: Collection[str]) -> None:
        """Ask for the leaders of topics at once: by itself the client does so once a second."""
        if new:
            with contextlib.suppress(KafkaException):  # Kafka is away: the client goes on asking
                self._consumer.list_topics(next(iter(new)) if len(new) == 1 else None, timeout=LEADER_TIMEOUT_S)

    def _assign(self, memory: BatchMemory, partition: TopicPartition) -> None:
        self._reading[memory.topic] = memory
        self._consumer.incremental_assign([partition])

    def _unassign(self, memory: BatchMemory) -> None:
        if self._reading.get(memory.topic) is memory:
            del self._reading[memory.topic]
            self._consumer.incremental_unassign([TopicPartition(memory.topic, 0)])


def _record(message: Message) -> RawRecord:
    offset = message.offset()
    assert offset is not None  # only a message that was not delivered has none
    return RawRecord(offset, message.timestamp()[1], message.key(), message.value())
