"""The Java example, written from the AsyncAPI document alone, writes what our own producer would have written."""

from __future__ import annotations

import os
import subprocess

import jsonschema
import yaml
from confluent_kafka.admin import ConfigResource, ResourceType
from headway_events import (
    FileError,
    Status,
    TopicNames,
    decode,
    decode_announcement,
    key,
    registry_key,
    registry_partition,
)
from headway_events.topics import BATCH_TOPIC_CONFIG, REGISTRY_PARTITIONS, REGISTRY_TOPIC_CONFIG
from headway_events.wire import CE_TYPE_PREFIX

from infra.local import tools
from infra.local.settings import CHECKOUT
from support import servers
from support.pipelines import fold, response
from support.programs import Program
from support.tables import Tables, expected
from support.topics import Topics

EXAMPLE = CHECKOUT / "examples" / "other_languages" / "Example.java"
HEADERS = yaml.safe_load((CHECKOUT / "schemas" / "generated" / "asyncapi.yaml").read_text("utf-8"))["components"][
    "schemas"
]["CloudEventHeaders"]
FILES = ['a "quoted" name.wav', "Gespräch 🎧.wav", "broken.wav", "c.wav"]


async def test_the_java_example_writes_what_our_own_producer_would_and_it_is_projected(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    names = topics.names
    run_example(topics.bootstrap, names, batch_id)
    records = topics.read(names.of_batch(batch_id))
    events = [decode(record.value, batch_id=batch_id) for record in records]
    batch = fold(events)
    (run,) = batch.stages["copy"]
    assert batch.closed
    assert (run.total, run.processed, run.errors, run.status) == (4, 3, 1, Status.COMPLETE_WITH_ERRORS)
    assert set(run.outcomes) == set(FILES)
    (error,) = [event for event in events if isinstance(event, FileError)]
    assert response(error)["message"] == "cannot read broken.wav"
    for record, event in zip(records, events, strict=True):
        headers = {name: value.decode() for name, value in record.headers.items()}
        jsonschema.Draft202012Validator(HEADERS).validate(headers)
        assert headers["ce_type"] == CE_TYPE_PREFIX + event.event_type
        assert record.key == key(event)
        assert event.timestamp is not None
        assert record.timestamp_ms == int(event.timestamp.timestamp() * 1000)
    assert len({record.headers["ce_id"] for record in records}) == len(records)

    (record,) = topics.read_partition(names.registry, registry_partition(batch_id, REGISTRY_PARTITIONS))
    assert record.key == registry_key(batch_id)
    announcement = decode_announcement(record.value)
    assert (announcement.batch_id, announcement.topic) == (batch_id, names.of_batch(batch_id))
    assert made(topics, names.of_batch(batch_id), BATCH_TOPIC_CONFIG) == (1, BATCH_TOPIC_CONFIG)

    await tables.wait_for(batch_id, len(records))
    assert await tables.of_batch(batch_id) == expected(batch_id, records)


def test_the_java_example_makes_the_registry_where_there_is_none(topics: Topics, batch_id: int) -> None:
    run_example(topics.bootstrap, topics.names, batch_id)
    assert made(topics, topics.names.registry, REGISTRY_TOPIC_CONFIG) == (REGISTRY_PARTITIONS, REGISTRY_TOPIC_CONFIG)


def run_example(bootstrap: str, names: TopicNames, batch_id: int) -> None:
    """Run the example over `FILES`."""
    settings = {"HEADWAY_TOPIC_PREFIX": names.prefix, "HEADWAY_REGISTRY_TOPIC": names.registry, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [tools.java(), "-cp", f"{servers.JARS}/*", EXAMPLE, bootstrap, str(batch_id), *FILES],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Not reported" not in done.stderr


def made(topics: Topics, topic: str, configuration: dict[str, str]) -> tuple[int, dict[str, str | None]]:
    """A topic's number of partitions, and what it has for these names."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    found = topics.admin.describe_configs([resource])[resource].result(timeout=10)
    partitions = topics.admin.list_topics(topic, timeout=10).topics[topic].partitions
    return len(partitions), {name: found[name].value for name in configuration}
