"""What is sent: the generic JSON and Slack's text of an alert, and the signature of Standard Webhooks. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
https://docs.slack.dev/messaging/formatting-message-text (which escapes &, < and >, and nothing else)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec
from headway_events.alerts import Alert, AlertData, AlertStage, AlertType

from headway_projector.alerts.hooks import Format, Hook

MOST_STAGES: Final = 10  # in Slack's text: a screen's worth
MOST_NAME: Final = 200  # characters of a name in Slack's text
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def alert(kind: str, happened_at: datetime, facts: str, dashboard: str) -> Alert:
    """An alert of the outbox.

    Args:
        kind: an AlertType.
        happened_at: when.
        facts: what the table has of the batch, as JSON.
        dashboard: the address at which people open it.
    """
    fields = msgspec.json.decode(facts)
    data = {**fields, "url": f"{dashboard}/?batchId={fields['batchId']}"}
    return Alert(type=AlertType(kind), timestamp=happened_at, data=msgspec.convert(data, AlertData))


def trial(now: datetime, dashboard: str) -> Alert:
    """A message that is sent by hand, to try a hook."""
    data = AlertData(
        batch_id=0, run=1, name="A test of this hook", labels={}, url=f"{dashboard}/", stage=None, stages=[]
    )  # fmt: skip
    return Alert(type=AlertType.TEST, timestamp=now, data=data)


def body(message: Alert, wanted: Format) -> bytes:
    """The body of the request: the same for every attempt."""
    return msgspec.json.encode({"text": text(message)} if wanted is Format.SLACK else message)


def headers(hook: Hook, message_id: str, sent_at: int, content: bytes) -> Mapping[str, str]:
    """The headers of the request.

    Args:
        hook: whose secrets sign.
        message_id: the same for every attempt, so that the receiver can tell duplicates.
        sent_at: seconds since 1970, of this attempt: receivers refuse what is some minutes old.
        content: the body.
    """
    found = {"Content-Type": "application/json"}
    if hook.secrets:
        signed = f"{message_id}.{sent_at}.".encode() + content
        found["webhook-id"] = message_id
        found["webhook-timestamp"] = str(sent_at)
        found["webhook-signature"] = " ".join(_signature(secret, signed) for secret in hook.secrets)
    return found


def _signature(secret: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def text(message: Alert) -> str:
    """An alert in words, with a link to the batch."""
    data = message.data
    name = _shown(data.name) if data.name else f"Batch {data.batch_id}"
    link = f"<{data.url.translate(_ESCAPES)}|{name}>"
    stage = next((found for found in data.stages if found.stage == data.stage), None)
    match message.type:
        case AlertType.COMPLETE:
            return "\n".join([f"{link} is complete.", *_lines(data.stages)])
        case AlertType.COMPLETE_WITH_ERRORS:
            return "\n".join([f"{link} is complete, with errors.", *_lines(data.stages)])
        case AlertType.FIRST_ERROR:
            return f"{link} has its first error{_of(stage)}."
        case AlertType.ERROR_RATE:
            return f"{link} fails often{_of(stage)}."
        case AlertType.STALLED:
            return "\n".join([f"{link} is stalled: nothing is heard of it.", *_lines(data.stages)])
        case AlertType.TEST:
            return f"A test of this hook by Headway: {link}"


def _of(stage: AlertStage | None) -> str:
    if stage is None:  # past the first 100
        return ""
    return (
        f", in {_shown(stage.stage)}: {stage.errors:,} of {stage.processed + stage.errors:,} files so far have failed"
    )


def _lines(stages: list[AlertStage]) -> Iterable[str]:
    for stage in stages[:MOST_STAGES]:
        total = "" if stage.total is None else f" of {stage.total:,}"
        failed = f", {stage.errors:,} failed" if stage.errors else ""
        yield f"{_shown(stage.stage)}: {stage.processed:,}{total} done{failed}"
    if len(stages) > MOST_STAGES:
        yield "..."


def _shown(name: str) -> str:
    """A name of the pipeline's, which may hold anything, on one line."""
    return " ".join(name.split())[:MOST_NAME].replace("|", "¦").translate(_ESCAPES)
