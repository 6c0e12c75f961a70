"""The events of Headway: types, wire format, topics, registry and the fold that counts."""

from __future__ import annotations

from headway_events.dead_letters import dead_letter_headers
from headway_events.errors import (
    BadEvent,
    HeadwayError,
    InvalidField,
    MalformedRecord,
    UnknownEventType,
    WrongBatch,
)
from headway_events.events import (
    EVENT_TYPES,
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    FileEvent,
    Gpu,
    StageComplete,
    StageEvent,
    StageProgress,
    StageStart,
    WorkerHeartbeat,
)
from headway_events.fold import (
    BatchState,
    BusyWorker,
    Outcome,
    StageState,
    Status,
    batch_status,
    fold,
    fold_batch,
    is_silent,
    percent,
    restore_workers,
    status_at,
)
from headway_events.kafka_security import InvalidSecurity, KafkaSecurity
from headway_events.registry import Announcement, BadAnnouncement, decode_announcement, encode_announcement
from headway_events.snapshot import resume, snapshot
from headway_events.topics import TopicNames, registry_key, registry_partition
from headway_events.wire import decode, encode, headers, key

__all__ = [
    "EVENT_TYPES",
    "Announcement",
    "BadAnnouncement",
    "BadEvent",
    "BatchComplete",
    "BatchState",
    "BusyWorker",
    "Event",
    "FileComplete",
    "FileError",
    "FileEvent",
    "Gpu",
    "HeadwayError",
    "InvalidField",
    "InvalidSecurity",
    "KafkaSecurity",
    "MalformedRecord",
    "Outcome",
    "StageComplete",
    "StageEvent",
    "StageProgress",
    "StageStart",
    "StageState",
    "Status",
    "TopicNames",
    "UnknownEventType",
    "WorkerHeartbeat",
    "WrongBatch",
    "batch_status",
    "dead_letter_headers",
    "decode",
    "decode_announcement",
    "encode",
    "encode_announcement",
    "fold",
    "fold_batch",
    "headers",
    "is_silent",
    "key",
    "percent",
    "registry_key",
    "registry_partition",
    "restore_workers",
    "resume",
    "snapshot",
    "status_at",
]
