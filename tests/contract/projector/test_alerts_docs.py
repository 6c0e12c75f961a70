"""The page on alerts says what is so: its file is read, its body is valid, its ten lines verify, its numbers hold."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
from headway_events.alerts import Alert, AlertType
from headway_projector.alerts import delivery, hooks_file, messages, sender
from headway_projector.alerts.hooks import DAY_S, ErrorRate, Format, Hooks
from headway_projector.settings import Settings

from support.receiver import SCHEMA

PAGE = (Path(__file__).parents[3] / "docs" / "operate" / "alerts.md").read_text()
BLOCKS = {
    language: re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for language in ("toml", "json", "python")
}
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NEXT = "whsec_" + base64.b64encode(b"n" * 32).decode()


def page_hooks(directory: Path, secrets: str = SECRET) -> Hooks:
    (block,) = BLOCKS["toml"]
    (directory / "alerts.toml").write_text(block)
    (directory / "slack-url").write_text("https://hooks.slack.example/services/T0/B0/x\n")
    (directory / "scheduler-secret").write_text(secrets)
    return hooks_file.read(str(directory / "alerts.toml"))


def test_the_file_of_the_page_is_read_as_its_comments_say(tmp_path: Path) -> None:
    hooks = page_hooks(tmp_path)
    slack, scheduler = hooks.hooks
    assert (slack.format, scheduler.format) == (Format.SLACK, Format.JSON)
    assert (slack.labels, slack.error_rate) == ({"team": "audio"}, ErrorRate(0.02, 200))
    assert scheduler.error_rate == ErrorRate(0.05, 100)
    assert scheduler.events == set(AlertType) - {AlertType.TEST}
    assert f"give_up_after_s = {hooks.give_up_after_s}" in PAGE
    assert hooks.give_up_after_s == DAY_S


def test_the_events_of_the_page_are_those_there_are() -> None:
    assert set(re.findall(r"^\| `(batch\.\w+)` \|", PAGE, re.MULTILINE)) == set(AlertType) - {AlertType.TEST}


def test_the_body_of_the_page_is_valid_and_as_long_as_the_schema() -> None:
    (block,) = BLOCKS["json"]
    body = json.loads(block)
    jsonschema.validate(body, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert list(body) == list(SCHEMA["$defs"][Alert.__name__]["properties"])
    assert list(body["data"]) == list(SCHEMA["$defs"]["AlertData"]["properties"])


def test_the_ten_lines_of_the_page_tell_a_genuine_request_from_another(tmp_path: Path) -> None:
    (block,) = BLOCKS["python"]
    assert len(block.strip().splitlines()) <= 10
    names: dict[str, Any] = {}
    exec(block, names)
    is_genuine = names["is_genuine"]
    hook = page_hooks(tmp_path, f"{SECRET}\n{NEXT}\n").hooks[1]
    body = BLOCKS["json"][0].encode()
    headers = dict(messages.headers(hook, "msg_1", int(time.time()), body))
    assert is_genuine(SECRET, headers, body)
    assert is_genuine(NEXT, headers, body)
    assert not is_genuine("whsec_" + base64.b64encode(b"x" * 32).decode(), headers, body)
    assert not is_genuine(SECRET, headers, body + b" ")
    assert not is_genuine(SECRET, dict(messages.headers(hook, "msg_1", int(time.time()) - 301, body)), body)


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"An attempt has {sender.TIMEOUT_S:g} seconds, of an answer {sender.MOST_BYTES // 1024} KiB is read" in PAGE
    assert f"each hook has {delivery.AT_ONCE} attempts" in PAGE
    assert f"{delivery.LEASE_S:g} seconds later, with the same `webhook-id`" in PAGE
    assert f"`HEADWAY_STALLED_AFTER_S` ({Settings().stalled_after_s} s)" in PAGE
