"""Reads topics, in threads of its own: one consumer follows the ends of all, others load older ranges. No asyncio here.

The only user of confluent_kafka. Nothing is committed: a gateway has no position of its own.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from headway_events import BadEvent, Event, TopicNames, decode
from headway_events.kafka_refusals import Refusals

from headway_gateway.sse import Chunk, encode_chunk

CHUNK_RECORDS: Final = 2000
CHUNK_BYTES: Final = (
    512 * 1024
)  # of values: a client that stands still can keep a chunk in memory, and records are large
FIRST_RECORDS: Final = 250  # of a range that begins anew: somebody waits for the first byte
SLICE: Final = 250  # records taken at a time; what they are more than CHUNK_BYTES is bounded by what the client queues
REST_S: Final = 0.02  # for the records that follow the first; they came in the same response, or come soon
WAIT_S: Final = 0.05  # how soon an order to the follower is carried out; a record ends the wait at once
LOADER_FETCH_WAIT_MS: Final = 10  # a broker answers a connection's requests in turn: the next topic's wait behind this
FOLLOWER_FETCH_WAIT_MS: Final = 100
LOAD_TIMEOUT_S: Final = 15.0
ASK_TIMEOUT_S: Final = 5.0
LEADER_TIMEOUT_S: Final = 0.5
PING_TIMEOUT_S: Final = 1.0  # those who ask for health do not wait long

_GONE: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_ID})
_LOST: Final = _GONE | {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}


class Offsets(NamedTuple):
    """What a topic holds: from `first` to below `end`."""

    first: int
    end: int


class TopicReader:
    """Loads ranges of topics. One thread at a time; goes on where it stopped without asking Kafka anew."""

    def __init__(self, connection: Mapping[str, str], names: TopicNames) -> None:
        self._consumer = _consumer(connection, LOADER_FETCH_WAIT_MS)
        self._names = names
        self.at: tuple[str, int] | None = None
        """Topic and offset of the record that would come next."""

    def offsets(self, topic: str) -> Offsets | None:
        """What the topic holds, or None if there is no such topic.

        Raises:
            KafkaException: Kafka does not answer.
        """
        try:
            first, end = self._consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=ASK_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() in _GONE:
                return None
            raise
        return Offsets(first, end)

    def knows(self, topic: str) -> bool:
        """Whether a broker that is asked anew knows the topic.

        Raises:
            KafkaException: Kafka does not answer.
        """
        return self._consumer.list_topics(topic, timeout=ASK_TIMEOUT_S).topics[topic].error is None

    def ping(self) -> None:
        """Ask Kafka for its brokers.

        Raises:
            KafkaException: Kafka does not answer.
        """
        self._consumer.list_topics(topic="headway", timeout=PING_TIMEOUT_S)  # one topic's name: not all are listed

    def offset_since(self, topic: str, since: datetime) -> int | None:
        """The first offset whose record's timestamp is `since` or later, or None if there is none."""
        asked = TopicPartition(topic, 0, int(since.timestamp() * 1000))
        (found,) = self._consumer.offsets_for_times([asked], timeout=ASK_TIMEOUT_S)
        return found.offset if found.offset >= 0 else None

    def load(self, topic: str, first: int, end: int) -> Chunk:
        """Some records from `first` on, all below `end`; at least one, as `end` is at most the topic's.

        Raises:
            KafkaException: Kafka does not answer, or no longer has `first`.
        """
        most = min(CHUNK_RECORDS, end - first)
        if self.at != (topic, first):
            self._consumer.assign([TopicPartition(topic, 0, first)])
            _find_leader(self._consumer, topic)
            most = min(FIRST_RECORDS, most)
        self.at = None
        messages = self._take(1, LOAD_TIMEOUT_S)
        while messages and len(messages) < most and sum(map(len, messages)) < CHUNK_BYTES:
            wanted = min(SLICE, most - len(messages))
            some = self._take(wanted, REST_S)
            messages += some
            if len(some) < wanted:
                break
        if not messages:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        chunk = _chunk(self._names, topic, messages, first)
        if chunk.next_offset < end:
            self.at = (topic, chunk.next_offset)
        else:
            self._consumer.unassign()  # at the topic's end it would ask for more, and whoever asks next would wait
        return chunk

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _take(self, most: int, timeout_s: float) -> list[Message]:
        return [message for message in self._consumer.consume(most, timeout=timeout_s) if _checked(message)]


class Follower:
    """Follows the ends of topics, all with one consumer and one thread."""

    def __init__(
        self,
        connection: Mapping[str, str],
        names: TopicNames,
        *,
        arrived: Callable[[str, Chunk], None],
        lost: Callable[[str, str], None],
    ) -> None:
        """Start nothing yet.

        Args:
            connection: Kafka.
            names: of the topics.
            arrived: called, in the follower's thread, with a topic and its new records.
            lost: called, in the follower's thread, with a topic that cannot be followed any more, and why.
        """
        self._connection = connection
        self._names = names
        self._arrived = arrived
        self._lost = lost
        self.refusals = Refusals()
        self._orders: queue.SimpleQueue[Callable[[Consumer], None]] = queue.SimpleQueue()
        self._next: dict[str, int] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join(timeout=ASK_TIMEOUT_S)

    def follow(self, topic: str, offset: int) -> None:
        """Report what comes from `offset` on."""

        def assign(consumer: Consumer) -> None:
            self._next[topic] = offset
            consumer.incremental_assign([TopicPartition(topic, 0, offset)])
            _find_leader(consumer, topic)

        self._orders.put(assign)

    def unfollow(self, topic: str) -> None:
        """Report no more of this topic."""

        def unassign(consumer: Consumer) -> None:
            if self._next.pop(topic, None) is not None:
                consumer.incremental_unassign([TopicPartition(topic, 0)])

        self._orders.put(unassign)

    def _run(self) -> None:
        consumer = _consumer(self._connection, FOLLOWER_FETCH_WAIT_MS, self.refusals)
        while not self._stopped.is_set():
            while not self._orders.empty():
                self._orders.get()(consumer)
            first = consumer.poll(WAIT_S)
            if first is not None:
                self._report([first, *consumer.consume(CHUNK_RECORDS, timeout=0)])
        consumer.close()

    def _report(self, messages: list[Message]) -> None:
        by_topic: dict[str, list[Message]] = {}
        for message in messages:
            topic, error = message.topic() or "", message.error()
            if error is None:
                by_topic.setdefault(topic, []).append(message)
            elif error.code() in _LOST and topic in self._next:
                del self._next[topic]
                self._lost(topic, str(error))
        for topic, some in by_topic.items():
            if topic in self._next:
                chunk = _chunk(self._names, topic, some, self._next[topic])
                self._next[topic] = chunk.next_offset
                self._arrived(topic, chunk)


def _consumer(connection: Mapping[str, str], fetch_wait_ms: int, refusals: Refusals | None = None) -> Consumer:
    return Consumer(
        {
            **connection,
            "group.id": "headway-gateway-unused",  # required by the client, used for nothing
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": fetch_wait_ms,
            "fetch.error.backoff.ms": 50,
            "queued.max.messages.kbytes": 8 * 1024,  # fetched ahead
            "fetch.queue.backoff.ms": 10,  # when that is full; by default the client waits for a second, and starves
            **({"log_level": 2} if refusals is None else refusals.callbacks),
        }
    )


def _find_leader(consumer: Consumer, topic: str) -> None:
    """Ask for a topic's leader at once: by itself the client does so once a second."""
    with contextlib.suppress(KafkaException):  # Kafka is away: the client goes on asking
        consumer.list_topics(topic, timeout=LEADER_TIMEOUT_S)


def _checked(message: Message) -> bool:
    error = message.error()
    if error is not None and error.code() in _LOST:
        raise KafkaException(error)
    return error is None


def _chunk(names: TopicNames, topic: str, messages: list[Message], first_offset: int) -> Chunk:
    batch_id = names.batch_of(topic)
    assert batch_id is not None, topic
    events: list[tuple[int, Event, bytes]] = []
    for message in messages:
        value = message.value()
        try:
            event = decode(value, batch_id=batch_id, recorded_ms=message.timestamp()[1])
        except BadEvent:
            continue  # a dead letter: the projector says so
        assert value is not None  # decode refuses None
        events.append((message.offset() or 0, event, value))
    return encode_chunk(events, first_offset, (messages[-1].offset() or 0) + 1)
