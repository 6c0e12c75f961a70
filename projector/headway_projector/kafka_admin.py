"""A client that asks Kafka about topics, and says which setting is to blame when Kafka refuses it."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata
from headway_events.kafka_refusals import Refusals


class KafkaAdmin(AdminClient):
    """librdkafka reports a wrong password beside the call that then times out; here the call's error says it."""

    def __init__(self, connection: Mapping[str, str]) -> None:
        self._refusals = Refusals()
        super().__init__({**connection, **self._refusals.callbacks})

    def metadata(self, topic: str | None = None, *, timeout_s: float) -> ClusterMetadata:
        """The brokers, and this topic or all.

        Raises:
            KafkaException: Kafka does not answer, or refuses.
        """
        try:
            found = self.list_topics(topic, timeout=timeout_s)
        except KafkaException as error:
            self.poll(0)  # hears what has been reported meanwhile
            if not self._refusals.last:
                raise
            raise KafkaException(KafkaError(error.args[0].code(), self._refusals.last)) from error
        self._refusals.forget()
        return found
