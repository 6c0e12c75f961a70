"""What Kafka says of topics and of the group: which there are, where they end, who takes part. Deletes topics.

Everything here blocks. No record is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from typing import Final, NamedTuple, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec
from headway_events import TopicNames

from headway_projector.kafka_admin import KafkaAdmin
from headway_projector.lifecycle import FoundTopic

TIMEOUT_S: Final = 5.0
GROUP: Final = 500  # topics described in one question: some 15 ms

_ABSENT: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,  # of one topic: it must not hold up the others of its group
    }
)
_NO_LEADER: Final = frozenset(
    {
        KafkaError._NOENT,  # of none of the topics asked for
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
    }
)

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class GroupMember(NamedTuple):
    """A projector, as its group knows it."""

    member_id: str
    host: str
    partitions: frozenset[int]  # of the registry


class Topics:
    """The topics of one installation, as Kafka has them now. Methods raise KafkaException when it does not answer."""

    def __init__(self, connection: Mapping[str, str], names: TopicNames) -> None:
        self._admin = KafkaAdmin(connection)
        self._names = names

    def by_batch(self) -> dict[int, str]:
        """The batch topics that there are."""
        metadata = self._admin.metadata(timeout_s=TIMEOUT_S)
        found = {self._names.batch_of(topic): topic for topic in metadata.topics}
        return {batch_id: topic for batch_id, topic in found.items() if batch_id is not None}

    def ends(self, topics: Collection[str]) -> dict[str, int]:
        """Of each of these topics, the offset that its next record will have.

        Those that are gone, or have no leader at this moment, are left out.
        """
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(topic, 0): latest for topic in topics}
        if not asked:
            return {}
        answers = self._admin.list_offsets(
            asked,
            isolation_level=IsolationLevel.READ_UNCOMMITTED,  # the high watermark, below which every record is
            request_timeout=TIMEOUT_S,
        )
        return {partition.topic: found.offset for partition, found in _there(answers, _ABSENT | _NO_LEADER)}

    def ids(self, topics: Collection[str]) -> dict[str, str]:
        """The ids of those of these topics that there are, in base64 as Kafka's own tools print them."""
        names = list(topics)
        found = {}
        for begin in range(0, len(names), GROUP):
            some = TopicCollection(names[begin : begin + GROUP])
            described = self._admin.describe_topics(some, request_timeout=TIMEOUT_S)
            for name, topic in _there(described, _ABSENT):
                # The client writes base64's usual alphabet, Kafka's tools the one for URLs.
                found[name] = str(topic.topic_id).replace("+", "-").replace("/", "_")
        return found

    def look(self, topic: str) -> FoundTopic | None:
        """The topic, or None if it is gone."""
        topic_id = self.ids([topic]).get(topic)
        if topic_id is None:
            return None
        ends = self.ends([topic])
        if topic not in ends:  # it may have gone just now, or be without a leader: not to be taken for gone
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE, topic))
        return FoundTopic(topic_id, ends[topic])

    def delete(self, topic: str) -> None:
        """Delete a topic, or find it gone."""
        (deletion,) = self._admin.delete_topics(
            [topic], request_timeout=TIMEOUT_S, operation_timeout=TIMEOUT_S
        ).values()
        try:
            deletion.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise

    def registry_partitions(self) -> int:
        """How many partitions the registry has; 0 without a registry."""
        registry = self._names.registry
        return len(self._admin.metadata(registry, timeout_s=TIMEOUT_S).topics[registry].partitions)

    def group_members(self, group: str) -> list[GroupMember]:
        """Who shares the registry in this group; nobody if there is no such group."""
        described = self._admin.describe_consumer_groups([group], request_timeout=TIMEOUT_S)[group]
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


def _there(answers: dict[Asked, Future[Answer]], absent: Collection[int]) -> Iterator[tuple[Asked, Answer]]:
    """The answers about what there is; errors with these codes say that something is not."""
    for asked, future in answers.items():
        try:
            answer = future.result()
        except KafkaException as error:
            if error.args[0].code() not in absent:
                raise
        else:
            yield asked, answer
