"""A plain consumer of all batch topics: python -m examples.consumers.plain LEDGER.

It subscribes by pattern, in a group of its own, and commits after its work: what it was doing when it was killed comes
again, and the ledger knows it.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Message
from headway_events import KafkaSecurity, TopicNames

from examples.consumers.ledger import Ledger

names = TopicNames(prefix=os.environ.get("HEADWAY_TOPIC_PREFIX", TopicNames().prefix))
consumer = Consumer(
    {
        **KafkaSecurity.from_environment(os.environ).connection(
            os.environ.get("HEADWAY_KAFKA_BOOTSTRAP", "127.0.0.1:9092")
        ),
        "group.id": os.environ.get("CONSUMER_GROUP", "example-plain"),
        "auto.offset.reset": "earliest",  # a batch that began before it was noticed is read from its beginning
        "enable.auto.commit": False,
        "partition.assignment.strategy": "cooperative-sticky",  # a new batch does not stop those being read
        "session.timeout.ms": 6000,  # how soon others have the batches of one that was killed
        "topic.metadata.refresh.interval.ms": 2000,  # how soon a new batch is noticed; 5 minutes by default
    }
)
stopping = False


def stop(*_: object) -> None:
    """End after the records at hand."""
    global stopping  # noqa: PLW0603
    stopping = True


def is_record(message: Message) -> bool:
    """Whether it is a record, and not what the client says of a server or a topic: it deals with that by itself."""
    error = message.error()
    if error is not None and error.fatal():
        raise KafkaException(error)
    return error is None


def main() -> None:
    """Note the events of every batch until SIGTERM or Ctrl-C."""
    ledger = Ledger(Path(sys.argv[1]), names)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    consumer.subscribe([f"^{re.escape(names.prefix)}.*"])
    while not stopping:
        records = [message for message in consumer.consume(1000, timeout=1) if is_record(message)]
        for record in records:
            headers = dict(record.headers() or ())
            ledger.take(record.topic() or "", record.offset() or 0, headers, record.value())
        if records:
            ledger.commit()
            consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()
