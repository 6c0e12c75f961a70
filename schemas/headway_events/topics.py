"""The names and configuration of Headway's topics, and the rule from a batch to its topic and registry partition.

Values only; creating topics is the producers' job (`headway.kafka`).
"""

from __future__ import annotations

from typing import Final

import msgspec

REGISTRY_PARTITIONS: Final = 64  # the most projectors that can share the batches; arbitrary beyond that

BATCH_TOPIC_PARTITIONS: Final = 1  # total order: the offset is an event's position everywhere
BATCH_TOPIC_CONFIG: Final[dict[str, str]] = {
    "cleanup.policy": "delete",
    "compression.type": "producer",  # stored as the producer compressed it: the broker does not compress again
    "retention.ms": str(14 * 24 * 60 * 60 * 1000),
    "max.message.bytes": str(1_048_588),  # Kafka's default, stated: 1 MiB of record batch with its overhead
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": str(2**63 - 1),  # a worker whose clock runs ahead must not lose its events
}
REGISTRY_TOPIC_CONFIG: Final[dict[str, str]] = {
    "cleanup.policy": "compact",
    "compression.type": "producer",
}
MOST_REPLICAS: Final = 3  # of a new topic; fewer where there are fewer brokers
PRODUCER_CONFIG: Final[dict[str, str | int | bool]] = {
    "enable.idempotence": True,  # with acks=all: no duplicate and no reordering by retries
    "acks": "all",
    # A topic made a moment ago can refuse the first request and take the second. The broker, which knows nothing of
    # this producer yet, accepts that, and then takes the first one's retry for a duplicate: lost, and reported as
    # delivered.
    "max.in.flight.requests.per.connection": 1,
    "compression.type": "lz4",
}
"""Of whoever writes events or announcements, in any language; see `registry_partition` for the partitioner."""

DEAD_LETTER_TOPIC_CONFIG: Final[dict[str, str]] = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "retention.ms": str(90 * 24 * 60 * 60 * 1000),
    "max.message.bytes": str(2 * 1_048_588),  # a refused record comes here whole, with more headers
}


class TopicNames(msgspec.Struct, frozen=True, kw_only=True):
    """The names that one installation uses; several installations can share a cluster under different names."""

    prefix: str = "headway-batch-"
    registry: str = "headway-batches"
    dead_letters: str = "headway-dead-letters"

    def of_batch(self, batch_id: int) -> str:
        """The topic of a batch."""
        return f"{self.prefix}{batch_id}"

    def batch_of(self, topic: str) -> int | None:
        """The batch of a topic, or None if the topic is no batch's."""
        rest = topic.removeprefix(self.prefix)
        if rest == topic:
            return None
        try:
            batch_id = int(rest)
        except ValueError:
            return None
        canonical = rest == str(batch_id) and -(2**63) <= batch_id < 2**63
        return batch_id if canonical else None


def registry_key(batch_id: int) -> bytes:
    """The key of a batch's records in the registry topic."""
    return str(batch_id).encode()


def registry_partition(batch_id: int, partitions: int) -> int:
    """The partition of the registry topic that holds a batch: Kafka's default, murmur2 of the key.

    Every client that writes the registry must partition so (in librdkafka `partitioner=murmur2_random`): compaction
    keeps one record a key only within a partition, and a projector owns batches by these partitions.
    """
    return (murmur2(registry_key(batch_id)) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 as in org.apache.kafka.common.utils.Utils.murmur2, unsigned."""
    mask = 0xFFFFFFFF
    multiplier = 0x5BD1E995
    length = len(data)
    hashed = (0x9747B28C ^ length) & mask
    for start in range(0, length - length % 4, 4):
        word = int.from_bytes(data[start : start + 4], "little")
        word = (word * multiplier) & mask
        word ^= word >> 24
        word = (word * multiplier) & mask
        hashed = ((hashed * multiplier) & mask) ^ word
    if length % 4:
        hashed ^= int.from_bytes(data[length - length % 4 :], "little")
        hashed = (hashed * multiplier) & mask
    hashed ^= hashed >> 13
    hashed = (hashed * multiplier) & mask
    return hashed ^ (hashed >> 15)
