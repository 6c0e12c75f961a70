"""Asks Kafka which batch topics there are, what their ids are and where they end; deletes them. Blocks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Future
from typing import Final, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from headway_events import TopicNames

from headway_projector.lifecycle import FoundTopic

TIMEOUT_S: Final = 5.0
GROUP: Final = 500  # topics in one question: some 15 ms

_ABSENT: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,  # of one topic: it must not hold up the others of its group
    }
)

Result = TypeVar("Result")


class BatchTopics:
    """The topics of batches, as Kafka has them now. Methods raise KafkaException when it does not answer."""

    def __init__(self, bootstrap: str, names: TopicNames) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._names = names

    def listed(self) -> list[str]:
        """The names of all of them."""
        metadata = self._admin.list_topics(timeout=TIMEOUT_S)
        return [topic for topic in metadata.topics if self._names.batch_of(topic) is not None]

    def ids(self, topics: Collection[str]) -> dict[str, str]:
        """The ids of those of these topics that there are, in base64 as Kafka's own tools print them."""
        names = list(topics)
        found = {}
        for begin in range(0, len(names), GROUP):
            some = TopicCollection(names[begin : begin + GROUP])
            described = self._admin.describe_topics(some, request_timeout=TIMEOUT_S)
            for name, topic in _there(described):
                # The client writes base64's usual alphabet, Kafka's tools the one for URLs.
                found[name] = str(topic.topic_id).replace("+", "-").replace("/", "_")
        return found

    def look(self, topic: str) -> FoundTopic | None:
        """The topic, or None if it is gone."""
        topic_id = self.ids([topic]).get(topic)
        if topic_id is None:
            return None
        partition = TopicPartition(topic, 0)
        # Uncommitted: the high watermark, below which every record is.
        answers = self._admin.list_offsets(
            {partition: OffsetSpec.latest()},  # type: ignore[no-untyped-call]
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=TIMEOUT_S,
        )
        for _, offset in _there(answers):
            return FoundTopic(topic_id, offset.offset)
        return None

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


def _there(answers: dict[Result, Future[Result]]) -> Iterator[tuple[Result, Result]]:
    """The answers about what there is."""
    for asked, future in answers.items():
        try:
            answer = future.result()
        except KafkaException as error:
            if error.args[0].code() not in _ABSENT:
                raise
        else:
            yield asked, answer
