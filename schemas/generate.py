"""Writes generated/: JSON Schemas of events and alerts, and the AsyncAPI document, from Structs and golden records.

Run it after a change of headway_events or golden/; with --check it only says whether that was forgotten.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from headway_events import EVENT_TYPES, Announcement, Event, TopicNames
from headway_events.alerts import Alert
from headway_events.topics import (
    BATCH_TOPIC_CONFIG,
    BATCH_TOPIC_PARTITIONS,
    DEAD_LETTER_TOPIC_CONFIG,
    MOST_REPLICAS,
    PRODUCER_CONFIG,
    REGISTRY_PARTITIONS,
    REGISTRY_TOPIC_CONFIG,
)
from headway_events.wire import CE_TYPE_PREFIX

JSON = dict[str, Any]

HERE: Final = Path(__file__).parent
GENERATED: Final = HERE / "generated"
GOLDEN: Final = HERE / "golden"
KAFKA_BINDING: Final = "0.5.0"
TEXT: Final = {"type": "string"}

CREATED: Final = (
    "Whoever writes to it first creates it, with the partitions and the configuration below and a replication factor "
    f"of {MOST_REPLICAS}, or of the number of brokers where that is less."
)
PARTITIONER: Final = "Murmur2 of the key is the partition: Kafka's default; in librdkafka `partitioner=murmur2_random`."
ANNOUNCING: Final = (
    "Each producer does so before its first event of a batch. To announce a batch again changes nothing: what an "
    "announcement leaves out stays as it was."
)
REPORTING: Final = (
    "The record's timestamp is when it happened, as in the event. `x-kafka-producer` is what keeps events in order and "
    "without duplicates; with more than one request in flight, a topic made a moment ago can lose the first records."
)


def main(arguments: list[str] | None = None) -> int:
    """The command; the exit status is 1 when --check finds a file that is not current."""
    parser = argparse.ArgumentParser(description="Write the JSON Schema and the AsyncAPI document of the events.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not current")
    check = parser.parse_args(arguments).check
    wanted = documents()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if check:
        for path in stale:
            print(f"{path.relative_to(HERE)} is not current: run `python schemas/generate.py`", file=sys.stderr)
        return 1 if stale else 0
    GENERATED.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    return 0


def documents() -> dict[Path, str]:
    """The text of every generated file."""
    return {
        GENERATED / "events.schema.json": json.dumps(events_schema(), indent=2, ensure_ascii=False) + "\n",
        GENERATED / "alerts.schema.json": json.dumps(alerts_schema(), indent=2, ensure_ascii=False) + "\n",
        GENERATED / "asyncapi.yaml": yaml.safe_dump(
            without_shared_parts(asyncapi()), sort_keys=False, allow_unicode=True, width=120
        ),
    }


def events_schema() -> JSON:
    """JSON Schema 2020-12 for the value of a record in a batch's topic."""
    description = "Fields that are not listed are allowed; they are kept and not counted."
    return _schema(Event, "urn:headway:events", "A Headway event", description)


def alerts_schema() -> JSON:
    """JSON Schema 2020-12 for what a hook of the format `json` is sent."""
    description = "Fields that are not listed may come with any version."
    return _schema(Alert, "urn:headway:alerts", "A Headway alert", description)


def _schema(described: Any, identity: str, title: str, description: str) -> JSON:
    (found,), definitions = msgspec.json.schema_components([described], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": identity,
        "title": title,
        "description": description,
        **found,
        "$defs": definitions,
    }


def asyncapi() -> JSON:
    """The AsyncAPI 3.0 document: topics, records and who writes and reads them."""
    _, schemas = msgspec.json.schema_components([Event, Announcement], ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Headway",
            "version": version("headway-events"),
            "description": "Progress of file-processing pipelines: the Kafka topics and the records in them.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": messages(list(golden_records())),
            "schemas": {**schemas, "CloudEventHeaders": cloud_event_headers()},
        },
    }


def channels() -> JSON:
    """The three kinds of topics, under the default names."""
    names = TopicNames()
    batch: JSON = {
        "address": f"{names.prefix}{{batchId}}",
        "description": (
            "All that happened to one batch, in order: the offset is an event's position everywhere. "
            f"{CREATED} An event of the whole batch, which names no stage, has no key."
        ),
        "parameters": {"batchId": {"description": "The batch, a signed 64-bit integer."}},
    }
    registry: JSON = {
        "address": names.registry,
        "description": f"Which batches there are: the last of each batch holds. {CREATED} {PARTITIONER}",
    }
    refused: JSON = {"address": names.dead_letters, "description": "Records that are not events, as they came."}
    return {
        "batch": batch | topic(EVENT_TYPES, BATCH_TOPIC_CONFIG, BATCH_TOPIC_PARTITIONS),
        "registry": registry | topic(["announcement"], REGISTRY_TOPIC_CONFIG, REGISTRY_PARTITIONS),
        "deadLetters": refused | topic(["deadLetter"], DEAD_LETTER_TOPIC_CONFIG, None),
    }


def topic(message_names: Iterable[str], config: Mapping[str, str], partitions: int | None) -> JSON:
    """The messages and the Kafka binding of a channel, with all of the topic's configuration."""
    numbers = {name: int(config[name]) for name in ("retention.ms", "max.message.bytes") if name in config}
    settings = {**config, "cleanup.policy": [config["cleanup.policy"]], **numbers}
    return {
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in message_names},
        "bindings": {
            "kafka": {
                **({"partitions": partitions} if partitions else {}),
                "topicConfiguration": settings,
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def operations() -> JSON:
    """Who sends and receives what."""
    described = {
        "reportEvents": ("send", "batch", "A pipeline's EventLogger reports what happens."),
        "projectEvents": ("receive", "batch", "The projector counts events into Postgres."),
        "streamEvents": ("receive", "batch", "The gateway serves events to browsers, from any offset on."),
        "announceBatch": ("send", "registry", "An EventLogger announces the batch that it reports to."),
        "followBatches": ("receive", "registry", "The projectors share the batches by the registry's partitions."),
        "refuseRecord": ("send", "deadLetters", "The projector puts aside what it cannot count."),
    }
    found: JSON = {
        name: {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}
        for name, (action, channel, summary) in described.items()
    }
    for name, description in (("announceBatch", ANNOUNCING), ("reportEvents", REPORTING)):
        found[name] |= {"description": description, "x-kafka-producer": PRODUCER_CONFIG}
    return found


def messages(records: list[JSON]) -> JSON:
    """One message for each event type, the announcement and the dead letter, with the golden records as examples."""
    found = {name: event_message(name, of_channel(records, "batch", name)) for name in EVENT_TYPES}
    found["announcement"] = {
        "summary": first_line(Announcement),
        "payload": {"$ref": "#/components/schemas/Announcement"},
        "bindings": key_binding("The batchId in decimal."),
        "examples": examples(of_channel(records, "registry")),
    }
    found["deadLetter"] = {
        "summary": "A record that was refused: its key and value as they came, and why in the headers.",
        "contentType": "application/octet-stream",
        "headers": dead_letter_headers_schema(),
        "payload": {},
        "bindings": key_binding("The refused record's key."),
        "examples": examples(of_channel(records, "deadLetters")),
    }
    return found


def event_message(name: str, records: list[JSON]) -> JSON:
    """The message of one event type."""
    kind = EVENT_TYPES[name]
    headers = [
        {"$ref": "#/components/schemas/CloudEventHeaders"},
        {"type": "object", "properties": {"ce_type": {"const": CE_TYPE_PREFIX + name}}},
    ]
    return {
        "name": name,
        "summary": first_line(kind),
        "headers": {"allOf": headers},
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        **({"bindings": key_binding("The stage.")} if "stage" in kind.__struct_fields__ else {}),
        "examples": examples(records),
    }


def cloud_event_headers() -> JSON:
    """The headers of every event."""
    return {
        "type": "object",
        "description": "The binary mode of the CloudEvents Kafka binding.",
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {**TEXT, "minLength": 1, "description": "Unique with ce_source."},
            "ce_source": {**TEXT, "format": "uri-reference", "description": "Who reported it: `/host/process`."},
            "ce_type": {**TEXT, "description": f"`{CE_TYPE_PREFIX}` and the eventType."},
            "ce_time": {**TEXT, "format": "date-time", "description": "When it happened."},
            "content-type": {"const": "application/json"},
        },
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    }


def dead_letter_headers_schema() -> JSON:
    """The headers of a dead letter."""
    properties = {
        "topic": {**TEXT, "description": "The topic it was in."},
        "offset": {**TEXT, "pattern": "^[0-9]+$", "description": "Its offset there."},
        "error": {**TEXT, "description": "Why, as a stable code: the class name of the error."},
        "message": {**TEXT, "description": "Why, in words."},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def key_binding(description: str) -> JSON:
    """What a record's key is."""
    return {"kafka": {"key": {**TEXT, "description": description}, "bindingVersion": KAFKA_BINDING}}


def golden_records() -> Iterable[JSON]:
    """The records in golden/, in the order of their file names."""
    for path in sorted(GOLDEN.glob("*.json")):
        yield json.loads(path.read_text("utf-8"))


def of_channel(records: list[JSON], channel: str, event_type: str | None = None) -> list[JSON]:
    """Those records that were written to a channel, of one event type where it is given."""
    return [
        record
        for record in records
        if record["channel"] == channel and (event_type is None or record["value"]["eventType"] == event_type)
    ]


def examples(records: list[JSON]) -> list[JSON]:
    """Golden records as examples of a message."""
    return [
        {
            "name": record["shape"],
            **({"headers": dict(record["headers"])} if record["headers"] else {}),
            "payload": record["value"],
        }
        for record in records
    ]


def first_line(documented: type) -> str:
    """What a class says of itself."""
    return (documented.__doc__ or "").partition("\n")[0]


def without_shared_parts(document: JSON) -> JSON:
    """A copy in which no part occurs twice by identity, which YAML would write as anchors and aliases."""
    copy: JSON = json.loads(json.dumps(document))
    return copy


if __name__ == "__main__":
    sys.exit(main())
