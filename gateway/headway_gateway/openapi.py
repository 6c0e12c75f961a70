"""`openapi.json`: the OpenAPI 3.1 document of the gateway, from the Structs of its answers and parameters.

Run as a program after a change of one of these; with --check it only says whether that was forgotten. What the gateway
serves is the committed file.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
from headway_events import Event

from headway_gateway import openapi_operations as operations
from headway_gateway import responses
from headway_gateway.counts import StageCounts
from headway_gateway.openapi_charts import CHARTS
from headway_gateway.openapi_files import OF_FILES

JSON = dict[str, Any]

PATH: Final = Path(__file__).with_name("openapi.json")
REF: Final = "#/components/schemas/{name}"
ALL: Final = [*operations.ALL, *OF_FILES, *CHARTS]

PROBLEMS: Final = {
    "400": "A parameter is malformed; `parameter` names it.",
    "401": "Who asks is not known, and this gateway serves only those that are.",
    "403": "Who asks may not see this, or the gateway is not addressed by a name of its own.",
    "404": "There is no such batch, neither as a topic nor in the tables, or no such file.",
    "408": "What is sent takes too long.",
    "410": "The events of the batch are not kept any more; its counts are.",
    "413": "What is sent is too large.",
    "415": "What is sent is not JSON.",
    "501": "This gateway lacks pyarrow (`headway-gateway[parquet]`), or a secret to sign tokens with.",
    "503": "Kafka or PostgreSQL does not answer, or too much is asked at once; try again after `Retry-After` seconds.",
}

INFO: Final = {
    "title": "Headway",
    "description": (
        "Progress of file-processing pipelines: streams, counts, files and events of batches.\n\n"
        "Pages are followed by the address in `next` until it is null. Numbers of batches and offsets are exact up to "
        "64 bits; JavaScript rounds them above 2**53, the addresses in `self` and `next` are text. Errors are problem "
        "details (RFC 9457). Times are RFC 3339. What carries an `ETag` is asked for again with `If-None-Match`."
    ),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

SECURITY_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer TOKEN`, for programs."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "headway",
        "description": "Set by `POST /api/session`; over https its name is `__Host-headway`.",
    },
    "accessToken": {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "A short-lived token, for EventSource, which cannot set headers.",
    },
}


def main(arguments: list[str] | None = None) -> int:
    """The command; the exit status is 1 when --check finds that the file is not current."""
    parser = argparse.ArgumentParser(description="Write the OpenAPI document of the gateway.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not current")
    check = parser.parse_args(arguments).check
    wanted = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    if PATH.exists() and PATH.read_text("utf-8") == wanted:
        return 0
    if check:
        print(f"{PATH.name} is not current: run `python -m headway_gateway.openapi`", file=sys.stderr)
        return 1
    PATH.write_text(wanted, "utf-8")
    return 0


def document() -> JSON:
    """The document."""
    kinds = [operation.answer for operation in ALL if operation.answer is not None]
    queries = dict.fromkeys(operation.query for operation in ALL if operation.query is not None)
    others = [StageCounts, responses.Problem, responses.ExportedEvent, responses.ExportedFile]
    (event, *_), schemas = msgspec.json.schema_components([Event, *kinds, *queries, *others], ref_template=REF)
    paths: dict[str, JSON] = {}
    for operation in ALL:
        parameters = [] if operation.query is None else _parameters(schemas[operation.query.__name__])
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, parameters)
    for query in queries:
        del schemas[query.__name__]
    return {
        "openapi": "3.1.0",
        "info": {**INFO, "version": version("headway-gateway")},
        "servers": [{"url": "/"}],
        "security": [{}, *({name: []} for name in SECURITY_SCHEMES)],
        "paths": paths,
        "components": {
            "schemas": {"Event": {"title": "Event", "description": "An event of a topic.", **event}, **schemas},
            "responses": {status: _problem(description) for status, description in PROBLEMS.items()},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _operation(operation: operations.Operation, parameters: list[JSON]) -> JSON:
    in_path = [operations.PATH_PARAMETERS[name] for name in operation.names]
    answers: JSON = {operation.status: _answer(operation)}
    if operation.tagged:
        parameters = [*parameters, operations.IF_NONE_MATCH]
        answers["304"] = {"description": "It is as it was: the client has it.", "headers": operations.TAG_HEADERS}
    answers |= operation.others
    answers |= {status: {"$ref": f"#/components/responses/{status}"} for status in operation.problems}
    return {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        **({"description": operation.description} if operation.description else {}),
        "parameters": [*in_path, *operation.headers, *parameters],
        **({"requestBody": _body(operation.body)} if operation.body else {}),
        "responses": dict(sorted(answers.items())),
    }


def _answer(operation: operations.Operation) -> JSON:
    content = operation.content
    if operation.answer is not None:
        content = {"application/json": {"schema": {"$ref": REF.format(name=operation.answer.__name__)}}}
    headers = {"headers": operations.TAG_HEADERS} if operation.tagged else {}
    return {"description": operation.answered, **headers, **({"content": content} if content else {})}


def _body(schema: JSON) -> JSON:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _parameters(schema: JSON) -> list[JSON]:
    """A query's Struct as parameters."""
    found = []
    for name, described in schema["properties"].items():
        members = {key: value for key, value in described.items() if key != "description"}
        if members.get("default") == []:
            del members["default"]
        found.append(
            {
                "name": name,
                "in": "query",
                "description": described.get("description", ""),
                "required": name in schema.get("required", []),
                "schema": members,
            }
        )
    return found


def _problem(description: str) -> JSON:
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": REF.format(name=responses.Problem.__name__)}}},
    }


if __name__ == "__main__":
    sys.exit(main())
