"""What the gateway's addresses are for: the part of the OpenAPI document that people write. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec
from headway_events import EVENT_TYPES
from msgspec import UNSET, Meta, Struct, UnsetType

from headway_gateway import parameters, responses
from headway_gateway.counts import StageCounts
from headway_gateway.parameters import EventTypeName

JSON = dict[str, Any]

TAG_HEADERS: Final = {
    "ETag": {"schema": {"type": "string"}, "description": "Changes when the answer does."},
    "Cache-Control": {"schema": {"type": "string"}},
}
IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of the answer that the client has.",
    "required": False,
    "schema": {"type": "string"},
}
PATH_PARAMETERS: Final = {
    "batchId": {
        "name": "batchId",
        "in": "path",
        "description": "The batch, a signed 64-bit integer.",
        "required": True,
        "schema": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    },
    "fileName": {
        "name": "fileName",
        "in": "path",
        "description": "The file's name, percent-encoded, `/` included.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "pattern": "^[^\\u0000]+$"},
    },
}
LAST_EVENT_ID: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last message that the client has, as browsers send it: the stream goes on after it.",
    "required": False,
    "schema": {"type": "string"},
}


class StreamQuery(Struct, rename="camel", kw_only=True):
    """Of `/api/stream`."""

    batch_id: Annotated[
        list[Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]],
        Meta(
            description=(
                "The batch; repeated, several in one stream, whose ids are then composite. Without it, all batches "
                "that are live."
            ),
            extra_json_schema={"maxItems": 500},
        ),
    ] = []
    from_: Annotated[
        str,
        Meta(
            description=(
                "Where to begin. `snapshot` is the counts as of an offset as one message, then everything after it; an "
                "offset is one of a single batch. Not with mode=progress, which begins with the counts of now."
            ),
            extra_json_schema={
                "anyOf": [
                    {"enum": ["earliest", "latest", "snapshot"]},
                    {"title": "an offset", "pattern": "^(0|[1-9][0-9]{0,17})$"},
                    {"title": "a time", "format": "date-time"},
                ]
            },
        ),
    ] = msgspec.field(name="from", default="earliest")
    last_event_id: (
        Annotated[
            str,
            Meta(description="The same as the header Last-Event-ID, which has precedence, for the first connection."),
        ]
        | UnsetType
    ) = UNSET
    stage: Annotated[list[str], Meta(description="Only events of this stage; repeated, of any of them.")] = []
    event_type: Annotated[
        list[EventTypeName],
        Meta(description="Only events of this type; repeated, of any of them. Not with mode=progress."),
    ] = []
    format: Annotated[
        Literal["event", "envelope"],
        Meta(description="`envelope` gives unnamed messages `{event, data}`, for clients that have only onmessage."),
    ] = "event"
    mode: Annotated[
        Literal["events", "progress"],
        Meta(description="`progress` sends the stages' counts, at most `rate` times a second, in place of events."),
    ] = "events"
    rate: Annotated[
        float, Meta(ge=0.1, le=20, description="With mode=progress: the most messages a second of a stage.")
    ] = 4


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    path: str
    name: str
    tag: str
    summary: str
    answered: str
    description: str = ""
    query: type[Struct] | None = None
    answer: type[Struct] | None = None
    content: JSON = field(default_factory=dict)
    headers: tuple[JSON, ...] = ()
    problems: tuple[str, ...] = ("401", "403", "503")
    others: JSON = field(default_factory=dict)
    tagged: bool = False
    method: str = "get"
    body: JSON = field(default_factory=dict)  # the schema of what is sent, as JSON
    status: str = "200"

    @property
    def names(self) -> list[str]:
        """The parameters in the path."""
        return [name for name in PATH_PARAMETERS if f"{{{name}}}" in self.path]


def of_batch(path: str, name: str, summary: str, **members: Any) -> Operation:
    """An operation on one batch, answered from the tables."""
    problems = ("400", "401", "403", "404", "410", "503") if members.pop("of_log", True) else (
        "400", "401", "403", "404", "503"
    )  # fmt: skip
    return Operation(
        **{
            "path": f"/api/batches/{{batchId}}{path}",
            "name": name,
            "tag": "Batches",
            "summary": summary,
            "answered": summary,
            "problems": problems,
            "tagged": True,
            **members,
        }
    )


def _ref(kind: type[Struct]) -> JSON:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _message(name: str, data: JSON) -> JSON:
    return {"properties": {"event": {"const": name}, "data": {"contentSchema": data}}}


MESSAGE: Final = {
    "type": "object",
    "description": "One message of the stream.",
    "required": ["data"],
    "properties": {
        "id": {"type": "string", "description": "The event's offset: what Last-Event-ID takes."},
        "event": {"type": "string", "description": "The event's type, or what the gateway itself has to say."},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "oneOf": [
        *(_message(name, _ref(kind)) for name, kind in EVENT_TYPES.items()),
        _message(
            "snapshot",
            {
                "type": "object",
                "description": "The counts before the record at `offset`, from which the stream goes on.",
                "required": ["batchId", "offset", "closed", "stages"],
            },
        ),
        _message("progress", _ref(StageCounts)),
        _message(
            "reset",
            {
                "type": "object",
                "description": "The place asked for cannot be honoured; the stream begins at `from` instead.",
                "required": ["reason", "requested", "from"],
            },
        ),
        _message(
            "message",
            {
                "type": "object",
                "description": "With format=envelope: one of the others.",
                "required": ["event", "data"],
            },
        ),
    ],
}


def _object(**properties: JSON) -> JSON:
    return {"type": "object", "required": list(properties), "properties": properties}


BATCH_ID: Final = {
    "description": "The batch; as text for those whose numbers are not exact.",
    "anyOf": [
        {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "string", "pattern": "^(0|-?[1-9][0-9]{0,17})$"},
    ],
}
SESSION: Final = _object(
    batches={
        "description": "The batches, as text, or `*` for all.",
        "anyOf": [{"const": "*"}, {"type": "array", "items": {"type": "string"}}],
    },
    expiresAt={"type": ["string", "null"], "format": "date-time"},
    loggedIn={"type": "boolean", "description": "Whether the token is in a cookie."},
)

ALL: Final = [
    Operation(
        path="/api/stream",
        name="stream",
        tag="Stream",
        summary="Events as Server-Sent Events: replay and live in one sequence, in order, without gap or duplicate.",
        description=(
            "Each message has the event's offset as `id`, its type as `event`, and its JSON as `data` in one of the "
            "schemas below, which are those of `schemas/generated/asyncapi.yaml`; a file's event has `status` as well. "
            "Filters do not change ids. Lines that begin with `:` are heartbeats. A batch that is "
            "complete ends its stream; a client that comes again with its last id gets 204."
        ),
        answered="The stream.",
        query=StreamQuery,
        content={
            "text/event-stream": {"schema": MESSAGE},
        },
        headers=(LAST_EVENT_ID,),
        problems=("400", "401", "403", "404", "410", "503"),
        others={"204": {"description": "The client has all that there will be: it shall not come again."}},
    ),
    Operation(
        path="/api/batches",
        name="listBatches",
        tag="Batches",
        summary="Batches, the newest first or in another order, and how their stages stand.",
        description=(
            "Pages go on from the last batch seen, in the order that was asked for: what is added or changes meanwhile "
            "is shown where it then belongs."
        ),
        answered="A page of batches.",
        query=parameters.BatchesQuery,
        answer=responses.BatchPage,
        problems=("400", "401", "403", "503"),
        tagged=True,
    ),
    of_batch(
        "", "getBatch", "A batch, with the current and the earlier runs of its stages.",
        answer=responses.BatchDetails, of_log=False,
    ),
    of_batch("/stages", "listStages", "Every run of every stage.", answer=responses.StageRuns, of_log=False),
    of_batch(
        "/events", "listEvents", "The event log, by offset.",
        description="A page ends early when its events exceed 8 MiB.",
        query=parameters.EventsQuery, answer=responses.EventPage,
    ),
    of_batch(
        "/dead-letters", "listDeadLetters", "Records of the topic that are not events, by offset.",
        description="A page ends early when its records exceed 8 MiB.",
        query=parameters.DeadLettersQuery, answer=responses.DeadLetterPage, of_log=False,
    ),
    of_batch(
        "/export", "exportBatch", "All events or files as one file, as the tables are at one moment.",
        description=(
            "Written while it is read, in any size; what cannot be written to its end is cut off, so that it cannot be "
            "taken for whole. In CSV (RFC 4180) a text that a spreadsheet would run as a formula has an apostrophe "
            "before it. NDJSON has the data of the stream's messages, byte for byte but for line ends between tokens. "
            "Parquet has the columns of CSV, typed, in row groups of at most 20,000 rows."
        ),
        query=parameters.ExportQuery,
        answered="The file.",
        content={
            "text/csv": {"schema": {"type": "string"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "contentEncoding": "binary"}},
        },
        problems=("400", "401", "403", "404", "410", "501", "503"),
    ),
    Operation(
        path="/api/session",
        name="showSession",
        tag="Tokens",
        summary="For which batches the token that is shown is good, and until when.",
        answered="What the token says.",
        content={"application/json": {"schema": SESSION}},
        problems=("401", "403", "503"),
    ),
    Operation(
        path="/api/session",
        name="logIn",
        tag="Tokens",
        method="post",
        summary="Keep a token in the browser, in a cookie that no script reads and that is sent for no other site.",
        body=_object(token={"type": "string"}),
        answered="The cookie is set.",
        status="204",
        problems=("400", "401", "403", "408", "413", "415", "503"),
    ),
    Operation(
        path="/api/session",
        name="logOut",
        tag="Tokens",
        method="delete",
        summary="Have the browser forget the token.",
        answered="The cookie is gone.",
        status="204",
        problems=("401", "403"),
    ),
    Operation(
        path="/api/access-tokens",
        name="makeAccessToken",
        tag="Tokens",
        method="post",
        summary="A short-lived token for one batch, for the parameter `access_token` of those who cannot send headers.",
        body=_object(batchId=BATCH_ID),
        answered="The token.",
        status="201",
        content={
            "application/json": {
                "schema": _object(
                    accessToken={"type": "string"}, expiresAt={"type": ["string", "null"], "format": "date-time"}
                )
            }
        },
        problems=("400", "401", "403", "408", "413", "415", "501", "503"),
    ),
    Operation(
        path="/metrics",
        name="metrics",
        tag="Operation",
        summary="What this process counts, for Prometheus; where tokens are needed, for one for all batches.",
        answered="The counts.",
        content={"text/plain": {"schema": {"type": "string"}}},
        problems=("401", "403", "503"),
    ),
    Operation(
        path="/healthz",
        name="health",
        tag="Operation",
        summary="Whether Kafka and PostgreSQL answer.",
        answered="Both answer.",
        content={"application/json": {"schema": {"type": "object", "required": ["status"]}}},
        problems=(),
        others={
            "503": {
                "description": "One of them does not; the answer says which, and why.",
                "content": {"application/json": {"schema": {"type": "object", "required": ["status"]}}},
            }
        },
    ),
    Operation(
        path="/readyz",
        name="readiness",
        tag="Operation",
        summary="Whether this process serves.",
        answered="It does.",
        content={"application/json": {"schema": {"type": "object", "required": ["status"]}}},
        problems=(),
    ),
    Operation(
        path="/api/openapi.json",
        name="openapi",
        tag="Operation",
        summary="This document.",
        answered="The document.",
        content={"application/json": {"schema": {"type": "object", "required": ["openapi"]}}},
        problems=("401", "403"),
        tagged=True,
    ),
]  # fmt: skip
