"""What Schemathesis cannot know of this API: which values lead somewhere, and how a stream comes to its end."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

Case = schemathesis.Case[Any]

FINISHED = int(os.environ["FINISHED_BATCH"])
CURSORS = {"/api/batches": os.environ["BATCH_CURSOR"], "/api/batches/{batchId}/files": os.environ["FILE_CURSOR"]}
STREAM = "/api/stream"
LAST_EVENT_ID = "7"


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: Case, _: dict[str, object]) -> None:
    """A cursor is one that the server gave, and a stream is that of a batch which is finished."""
    query = case.query
    path = case.operation.path
    for name in ("after", "before") if path in CURSORS else ():
        if name in query:
            query[name] = CURSORS[path]
    if path == STREAM:
        query["batchId"] = [FINISHED]
        if query.get("mode") == "progress":
            query.pop("from", None)
            query.pop("eventType", None)
        for ids, name in ((query, "lastEventId"), (case.headers, "Last-Event-ID")):
            if name in ids:
                ids[name] = LAST_EVENT_ID
