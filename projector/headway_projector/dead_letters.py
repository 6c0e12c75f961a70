"""Copies refused records to the dead-letter topic; makes that topic and the registry. The only producer here."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import NewTopic
from headway_events import TopicNames, dead_letter_headers
from headway_events.topics import DEAD_LETTER_TOPIC_CONFIG, REGISTRY_PARTITIONS, REGISTRY_TOPIC_CONFIG

from headway_projector.kafka_admin import KafkaAdmin
from headway_projector.rows import DeadLetter

logger = logging.getLogger(__name__)

KAFKA_TIMEOUT_S: Final = 10.0
MOST_REPLICAS: Final = 3
MOST_BYTES: Final = 2_000_000  # twice what a batch topic takes: the record comes whole, with more headers


def make_topics(connection: Mapping[str, str], names: TopicNames, replication_factor: int) -> int:
    """Create the registry and the dead-letter topic unless they are there; the registry's number of partitions.

    Raises:
        KafkaException: Kafka does not answer, or refuses.
    """
    admin = KafkaAdmin(connection)
    metadata = admin.metadata(timeout_s=KAFKA_TIMEOUT_S)
    replicas = replication_factor or max(1, min(MOST_REPLICAS, len(metadata.brokers)))
    missing = [
        topic
        for topic in (
            NewTopic(names.registry, REGISTRY_PARTITIONS, replicas, config=REGISTRY_TOPIC_CONFIG),
            NewTopic(names.dead_letters, 1, replicas, config=DEAD_LETTER_TOPIC_CONFIG),
        )
        if topic.topic not in metadata.topics
    ]
    if missing:
        for future in admin.create_topics(missing, request_timeout=KAFKA_TIMEOUT_S).values():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
        return make_topics(connection, names, replication_factor)
    return len(metadata.topics[names.registry].partitions)


class DeadLetters:
    """Writes to the dead-letter topic. At least once: a crash between it and the tables writes a record again."""

    def __init__(self, connection: Mapping[str, str], topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                **connection,
                "enable.idempotence": True,
                "max.in.flight.requests.per.connection": 1,  # see headway.kafka
                "compression.type": "lz4",
                "message.max.bytes": MOST_BYTES,
                "message.timeout.ms": int(KAFKA_TIMEOUT_S * 1000),
                "log_level": 2,
            }
        )

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Write records as they came, with the reason in the headers, and wait until Kafka has them. Blocks.

        Raises:
            KafkaException: Kafka does not have them all; write them again.
        """
        failed: list[KafkaError] = []
        for letter in letters:
            logger.warning(
                "A record is not an event; it goes to the dead letters",
                extra={
                    "action": "dead_letter",
                    "batch_id": letter.batch_id,
                    "topic": letter.topic,
                    "offset": letter.topic_offset,
                    "error": letter.error,
                    "reason": letter.message,
                },
            )
            self._producer.produce(
                self._topic,
                value=letter.value,
                key=letter.key,
                headers=[
                    *dead_letter_headers(
                        topic=letter.topic, offset=letter.topic_offset, error=letter.error, message=letter.message
                    )
                ],
                on_delivery=lambda error, _message: failed.append(error) if error else None,
            )
        left = self._producer.flush(KAFKA_TIMEOUT_S * 2)
        if failed or left:
            raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT))
