"""A plain Faust agent on all batch topics: LEDGER=ledger.db faust -A examples.consumers.faust_agent worker.

Faust does not subscribe by pattern: `app.topic(pattern=...)` does not start. So this looks which topics there are, when
it starts and every few seconds, and subscribes to those that have come. That is a rebalance of the whole group each
time; and as all topics have one partition, Faust gives all of them to one worker.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import faust
from confluent_kafka.admin import AdminClient
from faust.transport.conductor import Conductor
from headway_events import TopicNames

from examples.consumers.ledger import Ledger

LOOK_EVERY_S: Final = 2.0
BOOTSTRAP: Final = os.environ.get("HEADWAY_KAFKA_BOOTSTRAP", "127.0.0.1:9092")

names = TopicNames(
    prefix=os.environ.get("HEADWAY_TOPIC_PREFIX", TopicNames().prefix),
    registry=os.environ.get("HEADWAY_REGISTRY_TOPIC", TopicNames().registry),
)
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
ledger = Ledger(Path(os.environ["LEDGER"]), names)


def batch_topics() -> set[str]:
    """The topics of all batches, as Kafka has them now."""
    return {topic for topic in admin.list_topics(timeout=10).topics if names.batch_of(topic) is not None}


app: Any = faust.App(
    os.environ.get("CONSUMER_GROUP", "example-faust"),
    broker=f"kafka://{BOOTSTRAP}",
    consumer_auto_offset_reset="earliest",
    broker_session_timeout=6,  # how soon others have the batches of a worker that was killed; 60 s by default
    broker_heartbeat_interval=2,
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
)
Conductor._resubscribe_sleep_lock_seconds = LOOK_EVERY_S  # 45 s by default, and no setting
known = batch_topics()


def topic(*topics: str) -> Any:
    """Some topics, their records as they are."""
    return app.topic(*topics, key_type=bytes, value_type=bytes, value_serializer="raw")


@app.agent(topic(names.registry, *known))  # type: ignore[untyped-decorator] # Faust does not start without a topic
async def note(stream: Any) -> None:
    """Note the events of some batches. An event that makes an agent raise is lost to it: catch what may be raised."""
    async for event in stream.events():
        message = event.message
        ledger.take(message.topic, message.offset, dict(message.headers or ()), message.value)
        ledger.commit()


@app.timer(LOOK_EVERY_S)  # type: ignore[untyped-decorator]
async def look() -> None:
    """Begin with the batches that have come."""
    new = await asyncio.to_thread(batch_topics) - known
    if new:
        known.update(new)
        await app.agent(topic(*new), name=f"note-{len(known)}")(note.fun).start()
