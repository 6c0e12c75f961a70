"""The event types, one msgspec Struct each: their meaning, fields and units.

This module is the source of the JSON Schema and the AsyncAPI document in `generated/`. It does no I/O; turning events
into bytes and back is `wire`'s job, and counting them is `fold`'s.

On the wire names are camelCase and `eventType` tells the type. Fields that are not listed here are kept in the record
(the log, the stream and the topic carry it as it came) and are ignored when counting.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

MAX_STAGE_LENGTH: Final = 100  # characters; with MAX_FILE_NAME_BYTES an index row stays below Postgres's 2,704 bytes
MAX_FILE_NAME_LENGTH: Final = 1024  # characters; an S3 key's longest
MAX_FILE_NAME_BYTES: Final = 2048  # of UTF-8, for the same index row
MAX_WORKER_LENGTH: Final = 255  # characters; with MAX_STAGE_LENGTH for the same index row
MAX_COUNT: Final = 2**31 - 1  # a Postgres integer

_NO_NUL: Final = {"pattern": "^[^\\u0000]*$"}  # for the JSON Schema; `decode` looks for NUL itself, which is faster

BatchId: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, description="The batch, a signed 64-bit integer.")]
StageName: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_STAGE_LENGTH,
        description="The stage of the pipeline, without NUL.",
        extra_json_schema=_NO_NUL,
    ),
]
FileName: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_FILE_NAME_LENGTH,
        description=f"The file, unique in its stage; at most {MAX_FILE_NAME_BYTES} bytes of UTF-8, without NUL.",
        extra_json_schema=_NO_NUL,
    ),
]
GpuIp: TypeAlias = Annotated[
    str, Meta(description="Where the file was processed, without NUL.", extra_json_schema=_NO_NUL)
]
FileCount: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_COUNT, description="A number of files.")]
Milliseconds: TypeAlias = Annotated[float, Meta(ge=0, description="A duration in milliseconds.")]
Timestamp: TypeAlias = Annotated[
    datetime, Meta(tz=True, description="When it happened: RFC 3339 with an offset, years 1970 to 9000.")
]

WorkerName: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_WORKER_LENGTH,
        description="The process that reports, the same in all that it reports: `host:pid` by default, without NUL.",
        extra_json_schema=_NO_NUL,
    ),
]
Bytes: TypeAlias = Annotated[int, Meta(ge=0, description="An amount of memory in bytes.")]

Response: TypeAlias = Annotated[
    Raw | UnsetType, Meta(description="What the pipeline says of the file: any JSON, not interpreted.")
]


class Gpu(msgspec.Struct, rename="camel", kw_only=True, frozen=True, omit_defaults=True, gc=False):
    """A GPU as NVML describes it, at most a second or two before the event. What NVML does not tell is absent."""

    index: int | None = None
    name: str | None = None
    uuid: str | None = None
    memory_used_bytes: Bytes | None = None
    memory_total_bytes: Bytes | None = None
    utilization_percent: float | None = None


class _Event(
    msgspec.Struct, tag_field="eventType", rename="camel", kw_only=True, frozen=True, omit_defaults=True, gc=False
):
    """What every event has.

    Nothing that an event refers to can refer back to it, so that the garbage collector need not know of events.
    A record without `timestamp` takes that of its Kafka record.
    """

    batch_id: BatchId
    timestamp: Timestamp | None = None

    @property
    def event_type(self) -> str:
        """The value of `eventType` on the wire."""
        return str(self.__struct_config__.tag)


class StageStart(_Event, tag="stage_start", kw_only=True, frozen=True):
    """A run of a stage begins. Without `totalFiles` the total is not known."""

    stage: StageName
    total_files: FileCount | None = None


class FileComplete(_Event, tag="file_complete", kw_only=True, frozen=True):
    """A file went through the stage. `response` is any JSON, as the pipeline gave it."""

    stage: StageName
    file_name: FileName
    response: Response = UNSET
    gpu_ip: GpuIp | None = None
    duration_ms: Milliseconds | None = None
    worker: WorkerName | None = None
    gpu: Gpu | None = None


class FileError(_Event, tag="file_error", kw_only=True, frozen=True):
    """A file failed in the stage. `response` has `status` "error" and the error's type, message and traceback."""

    stage: StageName
    file_name: FileName
    response: Response = UNSET
    gpu_ip: GpuIp | None = None
    duration_ms: Milliseconds | None = None
    worker: WorkerName | None = None
    gpu: Gpu | None = None


class StageProgress(_Event, tag="stage_progress", kw_only=True, frozen=True):
    """A checkpoint: so many files of the stage have succeeded up to here."""

    stage: StageName
    processed_files: FileCount
    total_files: FileCount | None = None
    failed_files: FileCount | None = None


class StageComplete(_Event, tag="stage_complete", kw_only=True, frozen=True):
    """The run of the stage is over, with these final counts; where one is absent, the files reported before count."""

    stage: StageName
    processed_files: FileCount | None = None
    failed_files: FileCount | None = None
    total_files: FileCount | None = None


class WorkerHeartbeat(_Event, tag="worker_heartbeat", kw_only=True, frozen=True):
    """A worker is alive and busy with these files; with none it is idle. Never counted.

    A worker with files in flight that is heard no more is silent, and a stage of which nothing is heard is stalled.
    `moreInFlight` is how many files are in flight beside those listed; `gpus` are those that the worker can see.
    """

    stage: StageName
    worker: WorkerName
    files_in_flight: list[FileName] = []
    more_in_flight: FileCount | None = None
    host: str | None = None
    gpus: list[Gpu] = []


class BatchComplete(_Event, tag="batch_complete", kw_only=True, frozen=True):
    """Nothing more is expected of the batch. A `stage_start` after it opens the batch again."""


FileEvent: TypeAlias = FileComplete | FileError
StageEvent: TypeAlias = StageStart | FileComplete | FileError | StageProgress | StageComplete | WorkerHeartbeat
Event: TypeAlias = StageEvent | BatchComplete

FILE_EVENTS: Final = (FileComplete, FileError)  # for isinstance; a union would be built anew at every call

EVENT_TYPES: Final[dict[str, type[Event]]] = {
    str(cls.__struct_config__.tag): cls
    for cls in (
        StageStart,
        FileComplete,
        FileError,
        StageProgress,
        StageComplete,
        WorkerHeartbeat,
        BatchComplete,
    )
}
