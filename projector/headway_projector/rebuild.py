"""Projects a batch again: its counts from the raw log, or everything from its topic."""

from __future__ import annotations

from confluent_kafka import KafkaException

from headway_projector.errors import TopicIncomplete
from headway_projector.poll import BatchMemory, decode_records, project
from headway_projector.reader import Reader
from headway_projector.settings import Settings
from headway_projector.store import Store


async def rebuild(store: Store, batch_id: int) -> None:
    """Replace counts and file outcomes by what the raw log says, all at once: no reader sees less meanwhile.

    Projectors wait for it if they have events of the batch. The log holds each record as it was in the topic, so
    that this needs no Kafka.

    Raises:
        NoSuchBatch: the batch is not in the tables.
    """
    async with store.hold(batch_id, lock=True) as held:
        await held.forget_counts()
        memory = BatchMemory(batch_id=batch_id, topic=held.topic, log_week=held.log_week, position=0)
        async for records in held.log():
            part = project(memory, decode_records(batch_id, records))
            await held.write_counts(part)


async def rebuild_from_topic(store: Store, settings: Settings, batch_id: int) -> None:
    """Forget all that is known of a batch's events: the projector that owns it reads its topic from the beginning.

    For a log in doubt, or a topic that was deleted and made anew.

    Raises:
        NoSuchBatch: the batch is not in the tables.
        TopicIncomplete: the topic does not hold the batch from the beginning; nothing was changed.
    """
    async with store.hold(batch_id, lock=False) as held:
        topic = held.topic
    reader = Reader(settings.connection)
    try:
        first, _ = reader.watermarks(topic)
    except KafkaException as error:
        raise TopicIncomplete(topic, str(error)) from error
    finally:
        reader.close()
    if first != 0:
        raise TopicIncomplete(topic, f"it begins at offset {first}")
    await store.reset(batch_id)
