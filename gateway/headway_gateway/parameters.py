"""What a request may say in its query: read and described by one Struct an address. Pure.

`openapi.json` is made from the same Structs, so that what is checked and what is documented cannot differ.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from headway_events import EVENT_TYPES, Outcome, Status
from headway_events.events import BatchId, StageName
from headway_events.registry import Text
from msgspec import UNSET, Meta, Struct, UnsetType
from multidict import MultiMapping

from headway_gateway.errors import InvalidParameter

MOST_BATCHES: Final = 200
MOST_EVENTS: Final = 1000
MOST_FILES: Final = 1000
MOST_ERRORS: Final = 1000
MOST_DEAD_LETTERS: Final = 100
MOST_WORKER_EVENTS: Final = 10_000  # decoded for one answer, some 50 ms; ten for each of a thousand workers
LARGEST_OFFSET: Final = 2**63 - 1

_MESSAGE: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.(?P<field>\w+)(?:\[(?P<index>\d+)\])?`)?", re.DOTALL)

_NO_NUL: Final = {"pattern": "^[^\\u0000]*$"}  # for the document; `text` looks for NUL itself

Cursor = Annotated[str, Meta(description="Where the page begins: taken from a `next` address.")]
EventTypeName = Annotated[
    str, Meta(description="Only events of this type.", extra_json_schema={"enum": list(EVENT_TYPES)})
]
Sort = Literal["newest", "updated", "progress", "errors"]
StageFilter = Annotated[StageName, Meta(description="Only this stage.")]


class _Query(Struct, rename="camel", kw_only=True):
    """Parameters that are not listed are ignored."""


class BatchesQuery(_Query):
    """Of `/api/batches`."""

    q: Annotated[
        str,
        Meta(
            description="Only batches with this text in their name (in any case) or number.", extra_json_schema=_NO_NUL
        ),
    ] = ""
    label: Annotated[
        list[Annotated[str, Meta(pattern=r"^[^:\u0000]+:[^\u0000]*$")]],
        Meta(description="Only batches with this label, as `key:value`; repeated, with all of them."),
    ] = []
    status: Annotated[list[Status], Meta(description="Only batches in this state; repeated, in any of them.")] = []
    failed: Annotated[bool, Meta(description="Only batches with failed files, whatever their state.")] = False
    sort: Annotated[
        Sort,
        Meta(
            description="By creation, by the last event, by the share of files that are done (where no total is known: "
            "as less than none), or by failed files; those that are alike by number."
        ),
    ] = "newest"
    order: Annotated[Literal["desc", "asc"], Meta(description="The newest, latest, most first; or the other way.")] = (
        "desc"
    )
    after: Cursor | UnsetType = UNSET
    before: (
        Annotated[
            str, Meta(description="Where the page ends: taken from a `previous` address. Not looked at beside `after`.")
        ]
        | UnsetType
    ) = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST_BATCHES, description="The most batches of a page.")] = 50


class EventsQuery(_Query):
    """Of `/api/batches/{batchId}/events`."""

    stage: StageFilter | UnsetType = UNSET
    event_type: EventTypeName | UnsetType = UNSET
    order: Annotated[Literal["asc", "desc"], Meta(description="By offset: upwards or downwards.")] = "asc"
    after: Annotated[int, Meta(ge=-1, le=LARGEST_OFFSET, description="Only events after this offset.")] = -1
    before: Annotated[int, Meta(ge=-1, le=LARGEST_OFFSET, description="Only events before this offset.")] = (
        LARGEST_OFFSET
    )
    limit: Annotated[int, Meta(ge=1, le=MOST_EVENTS, description="The most events of a page.")] = 100


class FilesQuery(_Query):
    """Of `/api/batches/{batchId}/files`."""

    stage: StageFilter | UnsetType = UNSET
    run: Annotated[
        int, Meta(ge=1, le=2**31 - 1, description="Of this run; by default of each stage's current one.")
    ] | (UnsetType) = UNSET
    outcome: Annotated[Outcome, Meta(description="Only files that stand so.")] | UnsetType = UNSET
    q: Annotated[
        str, Meta(description="Only files with this text in their name, in any case.", extra_json_schema=_NO_NUL)
    ] = ""
    sort: Annotated[
        Literal["name", "duration", "time"],
        Meta(description="By name; or the slowest first, those of unknown duration last; or those decided last first."),
    ] = "name"
    after: Cursor | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST_FILES, description="The most files of a page.")] = 100


class RunsQuery(_Query):
    """Of the addresses that describe runs."""

    stage: StageFilter | UnsetType = UNSET
    run: Annotated[int, Meta(ge=1, le=2**31 - 1, description="This run; by default each stage's current one.")] | (
        UnsetType
    ) = UNSET


class FileQuery(_Query):
    """Of `/api/batches/{batchId}/files/{fileName}`."""

    after: Annotated[int, Meta(ge=-1, le=LARGEST_OFFSET, description="Only attempts after this offset.")] = -1
    limit: Annotated[int, Meta(ge=1, le=MOST_EVENTS, description="The most attempts of a page.")] = 100


class ErrorsQuery(_Query):
    """Of `/api/batches/{batchId}/errors`."""

    stage: StageFilter | UnsetType = UNSET
    mended: Annotated[
        bool, Meta(description="The errors of files that have succeeded since, instead of those that stand.")
    ] = False
    latest: Annotated[
        int, Meta(ge=1, le=2**31 - 1, description="Only so many files, those that failed last; by default all.")
    ] | (UnsetType) = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST_ERRORS, description="The most groups.")] = 100


class ErrorFilesQuery(_Query):
    """Of `/api/batches/{batchId}/errors/files`."""

    message: Annotated[str, Meta(description="The group's `message`.")]
    type: Annotated[str, Meta(description="The group's `type`; absent where that is null.")] | UnsetType = UNSET
    stage: StageFilter | UnsetType = UNSET
    after: Annotated[int, Meta(ge=-1, le=LARGEST_OFFSET, description="Only errors after this offset.")] = -1
    before: Annotated[int, Meta(ge=-1, le=LARGEST_OFFSET, description="Only errors before this offset.")] = (
        LARGEST_OFFSET
    )
    limit: Annotated[int, Meta(ge=1, le=MOST_FILES, description="The most files of a page.")] = 100


class WorkersQuery(_Query):
    """Of `/api/batches/{batchId}/workers`."""

    events: Annotated[
        int, Meta(ge=1, le=MOST_WORKER_EVENTS, description="How many of the latest events to look at.")
    ] = MOST_WORKER_EVENTS


class DeadLettersQuery(_Query):
    """Of `/api/batches/{batchId}/dead-letters`."""

    after: Annotated[int, Meta(ge=-1, le=LARGEST_OFFSET, description="Only records after this offset.")] = -1
    limit: Annotated[int, Meta(ge=1, le=MOST_DEAD_LETTERS, description="The most dead letters of a page.")] = 20


class ExportQuery(_Query):
    """Of `/api/batches/{batchId}/export`."""

    what: Annotated[
        Literal["events", "files"], Meta(description="The event log, or how each file of each run stands.")
    ] = "events"
    format: Annotated[Literal["csv", "ndjson", "parquet"], Meta(description="The file's format.")] = "csv"


Query = TypeVar("Query", bound=_Query)
Value = TypeVar("Value")


def read(query: MultiMapping[str], kind: type[Query]) -> Query:
    """The parameters of a request.

    Raises:
        InvalidParameter: one of them is malformed, or given twice where one is meant.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in query:
            if field.required:
                raise InvalidParameter(name, "", "a value")
            continue
        texts = query.getall(name)
        for value in texts:
            text(name, value)
        if field.default_factory is list:
            values[name] = texts
        elif len(texts) > 1:
            raise InvalidParameter(name, ", ".join(texts), "one value")
        else:
            values[name] = texts[0]
    try:
        read = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error, values, kind) from None
    event_type = values.get("eventType")
    if event_type is not None and event_type not in EVENT_TYPES:
        raise InvalidParameter("eventType", event_type, f"one of {', '.join(EVENT_TYPES)}")
    return read


def text(name: str, value: str) -> str:
    """The value, if PostgreSQL can take it.

    Raises:
        InvalidParameter: it cannot.
    """
    if "\0" in value:
        raise InvalidParameter(name, value, "text without NUL")
    return value


def given(value: Value | UnsetType) -> Value | None:
    """The value of a parameter, or None if it was not given."""
    return None if value is UNSET else value


class BatchPlace(Struct, array_like=True, frozen=True):
    """A batch's place in the list of batches."""

    rank: float  # what the list is ordered by; of a time, microseconds since 1970, which are exact
    batch_id: BatchId


class FilePlace(Struct, array_like=True, frozen=True):
    """A file's place in the list of a batch's files."""

    duration_ms: float  # -1 if unknown
    file_name: Text
    stage: Text
    offset: Annotated[int, Meta(ge=0, le=LARGEST_OFFSET)] = LARGEST_OFFSET


Place = TypeVar("Place", bound=BatchPlace | FilePlace)


def encode_cursor(place: BatchPlace | FilePlace) -> str:
    """A place in a listing, for the `after` of a `next` address, or the `before` of a `previous` one."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def read_cursor(text: str, kind: type[Place], name: Literal["after", "before"] = "after") -> Place:
    """The place that `encode_cursor` was given.

    Raises:
        InvalidParameter: it is none.
    """
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=kind)
    except ValueError:
        address = "next" if name == "after" else "previous"
        raise InvalidParameter(name, text, f"the `{name}` of a `{address}` address") from None


def _invalid(error: msgspec.ValidationError, values: dict[str, Any], kind: type[_Query]) -> InvalidParameter:
    """What msgspec found, in the words of the other problems."""
    found = _MESSAGE.fullmatch(str(error))
    assert found is not None
    name = found["field"]
    value = values[name] if found["index"] is None else values[name][int(found["index"])]
    expected = found["what"].removeprefix("Expected ").partition(", got ")[0]
    if expected.startswith("Invalid enum value"):
        expected = f"one of {', '.join(_choices(kind, name))}"
    return InvalidParameter(name, value, expected)


def _choices(kind: type[_Query], name: str) -> list[str]:
    """The values that a parameter can have, as the document says."""
    (_, schemas) = msgspec.json.schema_components([kind], ref_template="{name}")
    schema = schemas[kind.__name__]["properties"][name]
    schema = schema.get("items", schema)
    schema = schema.get("anyOf", [schema])[0]
    return list(map(str, schema.get("enum") or schemas[schema["$ref"]]["enum"]))
