"""What is sent says what is known, is signed as Standard Webhooks' own library expects, and is never markup."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from headway_events.alerts import AlertType
from headway_projector.alerts import messages
from headway_projector.alerts.hooks import ErrorRate, Format, Hook
from standardwebhooks import Webhook, WebhookVerificationError

from support.receiver import SCHEMA

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def hook(*secrets: bytes) -> Hook:
    return Hook(
        name="h", url="http://h/", host="h", format=Format.JSON, secrets=secrets, events=frozenset(), labels={},
        error_rate=ErrorRate(),
    )  # fmt: skip


def facts(**fields: object) -> str:
    stage = {"stage": "denoise", "run": 1, "status": "processing", "total": 1500, "processed": 1100, "errors": 20}
    batch = {"batchId": 7, "run": 1, "name": None, "labels": {"a": "b"}, "stage": "denoise", "stages": [stage]}
    return json.dumps(batch | fields)


def text(kind: AlertType, **fields: object) -> str:
    return messages.text(messages.alert(kind, NOW, facts(**fields), "https://dash.example/headway"))


@pytest.mark.parametrize("kind", [kind for kind in AlertType if kind is not AlertType.TEST])
def test_each_kind_has_its_schema_and_its_words(kind: AlertType) -> None:
    message = messages.alert(kind, NOW, facts(), "https://dash.example/headway")
    sent: Any = json.loads(messages.body(message, Format.JSON))
    jsonschema.validate(sent, SCHEMA)
    assert sent["type"] == kind
    assert sent["timestamp"] == "2026-11-25T12:00:00Z"
    assert sent["data"] == json.loads(facts(url="https://dash.example/headway/?batchId=7"))
    words = json.loads(messages.body(message, Format.SLACK))["text"]
    assert words.startswith("<https://dash.example/headway/?batchId=7|Batch 7> ")


def test_the_words_say_how_many_files_it_is_about() -> None:
    link = "<https://dash.example/headway/?batchId=7|Batch 7>"
    failed = ", in denoise: 20 of 1,120 files so far have failed."
    assert text(AlertType.COMPLETE) == f"{link} is complete.\ndenoise: 1,100 of 1,500 done, 20 failed"
    assert text(AlertType.FIRST_ERROR) == f"{link} has its first error{failed}"
    assert text(AlertType.ERROR_RATE) == f"{link} fails often{failed}"
    assert text(AlertType.FIRST_ERROR, stage="beyond the first 100") == f"{link} has its first error."


def test_names_of_a_pipeline_are_no_markup_and_of_no_length() -> None:
    words = text(AlertType.COMPLETE, name="<!channel> & |\n" + "x" * 10_000)
    assert words.startswith("<https://dash.example/headway/?batchId=7|&lt;!channel&gt; &amp; ¦ xxx")
    assert len(words) < 400
    stages = [{"stage": f"s{number}", "run": 1, "status": "complete", "total": None, "processed": 1, "errors": 0}
              for number in range(100)]  # fmt: skip
    assert text(AlertType.STALLED, stages=stages).splitlines()[-2:] == ["s9: 1 done", "..."]


def test_every_secret_signs_and_no_other_secret_verifies() -> None:
    old, new, other = (base64.b64encode(bytes([number]) * 32).decode() for number in range(3))
    content = messages.body(messages.trial(NOW, "http://dash.example"), Format.JSON)
    headers = dict(messages.headers(hook(b"\0" * 32, b"\1" * 32), "msg_1", int(time.time()), content))
    for secret in (old, new):
        assert Webhook(f"whsec_{secret}").verify(content, headers)["type"] == "test"
    with pytest.raises(WebhookVerificationError):
        Webhook(f"whsec_{other}").verify(content, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(f"whsec_{old}").verify(content + b" ", headers)
    assert messages.headers(hook(), "msg_1", 0, content) == {"Content-Type": "application/json"}
