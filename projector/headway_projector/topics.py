"""What Kafka says of the topics and the group: which there are, where they end, who takes part. Reads no record.

Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from headway_events import TopicNames

KAFKA_TIMEOUT_S: Final = 5.0


class GroupMember(NamedTuple):
    """A projector, as its group knows it."""

    member_id: str
    host: str
    partitions: frozenset[int]  # of the registry


class Topics:
    """The topics of one installation."""

    def __init__(self, bootstrap: str, names: TopicNames) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._names = names

    def by_batch(self) -> dict[int, str]:
        """The batch topics that there are.

        Raises:
            KafkaException: Kafka does not answer.
        """
        metadata = self._admin.list_topics(timeout=KAFKA_TIMEOUT_S)
        found = {self._names.batch_of(topic): topic for topic in metadata.topics}
        return {batch_id: topic for batch_id, topic in found.items() if batch_id is not None}

    def ends(self, topics: Collection[str]) -> dict[str, int]:
        """Of each of these topics, the offset that its next record will have.

        A topic that does not answer, such as one that was deleted a moment ago, is left out.

        Raises:
            KafkaException: none answers.
        """
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(topic, 0): latest for topic in topics}
        if not asked:
            return {}
        ends: dict[str, int] = {}
        failed: KafkaException | None = None
        for partition, future in self._admin.list_offsets(asked, request_timeout=KAFKA_TIMEOUT_S).items():
            try:
                ends[partition.topic] = future.result().offset
            except KafkaException as error:
                failed = error
        if failed is not None and not ends:
            raise failed
        return ends

    def registry_partitions(self) -> int:
        """How many partitions the registry has; 0 without a registry.

        Raises:
            KafkaException: Kafka does not answer.
        """
        return len(
            self._admin.list_topics(self._names.registry, timeout=KAFKA_TIMEOUT_S)
            .topics[self._names.registry]
            .partitions
        )

    def group_members(self, group: str) -> list[GroupMember]:
        """Who shares the registry in this group; nobody if there is no such group.

        Raises:
            KafkaException: Kafka does not answer.
        """
        described = self._admin.describe_consumer_groups([group], request_timeout=KAFKA_TIMEOUT_S)[group]
        try:
            members = described.result().members
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return []
            raise
        return [
            GroupMember(
                member.member_id,
                member.host.removeprefix("/"),
                frozenset(
                    partition.partition
                    for partition in (member.assignment.topic_partitions if member.assignment else [])
                    if partition.topic == self._names.registry
                ),
            )
            for member in members
        ]
