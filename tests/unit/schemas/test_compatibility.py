"""Each way in which an event can change: those that older and newer readers stand, and those that they do not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compatibility
import pytest
from compatibility import Rule, breaks

CURRENT: dict[str, Any] = json.loads(compatibility.SCHEMA.read_text("utf-8"))
FILE = "FileComplete"

Change = Callable[[dict[str, Any]], object]


def fields(schema: dict[str, Any], name: str = FILE) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][name]["properties"]
    return found


def required(schema: dict[str, Any]) -> list[str]:
    found: list[str] = schema["$defs"][FILE]["required"]
    return found


def found_in(change: Change) -> list[tuple[str, Rule]]:
    changed = copy.deepcopy(CURRENT)
    change(changed)
    return [(one.place, one.rule) for one in breaks(CURRENT, changed)]


ALLOWED: dict[str, Change] = {
    "a new optional field": lambda schema: fields(schema).update(attempt={"type": "integer"}),
    "a new optional field of a part": lambda schema: fields(schema, "Gpu").update(driver={"type": "string"}),
    "a new event type": lambda schema: (
        schema["discriminator"]["mapping"].update(stage_paused="#/$defs/StagePaused"),
        schema["$defs"].update(StagePaused={"type": "object", "properties": {}, "required": ["batchId"]}),
    ),
    "a better description": lambda schema: fields(schema)["fileName"].update(description="The file."),
    "a part named otherwise in the document": lambda schema: (
        schema["$defs"].update(Done=schema["$defs"].pop(FILE)),
        schema["discriminator"]["mapping"].update(file_complete="#/$defs/Done"),
    ),
}

REFUSED: dict[str, tuple[Change, str, Rule]] = {
    "an event type removed": (
        lambda schema: schema["discriminator"]["mapping"].pop("file_complete"), "file_complete", Rule.TYPE_STAYS,
    ),
    "a field renamed": (
        lambda schema: fields(schema).update(gpuAddress=fields(schema).pop("gpuIp")),
        "file_complete.gpuIp", Rule.FIELD_STAYS,
    ),
    "a field of a part removed": (
        lambda schema: fields(schema, "Gpu").pop("uuid"), "file_complete.gpu.uuid", Rule.FIELD_STAYS,
    ),
    "a new field that is required": (
        lambda schema: schema["$defs"][FILE].update(
            properties=fields(schema) | {"attempt": {"type": "integer"}}, required=[*required(schema), "attempt"]
        ),
        "file_complete.attempt", Rule.NEW_IS_OPTIONAL,
    ),
    "an optional field made required": (
        lambda schema: required(schema).append("durationMs"), "file_complete.durationMs", Rule.STAYS_OPTIONAL,
    ),
    "a required field made optional": (
        lambda schema: required(schema).remove("fileName"), "file_complete.fileName", Rule.STAYS_REQUIRED,
    ),
    "a field of another type": (
        lambda schema: fields(schema).update(fileName={"type": "integer"}), "file_complete.fileName", Rule.KEEPS_TYPE,
    ),
    "null taken away": (
        lambda schema: fields(schema)["durationMs"]["anyOf"].pop(), "file_complete.durationMs", Rule.NOT_NARROWED,
    ),
    "null allowed": (
        lambda schema: fields(schema).update(fileName={"anyOf": [fields(schema)["fileName"], {"type": "null"}]}),
        "file_complete.fileName", Rule.NOT_WIDENED,
    ),
    "a smaller maximum": (
        lambda schema: fields(schema)["batchId"].update(maximum=2**63 - 2), "file_complete.batchId", Rule.NOT_NARROWED,
    ),
    "a larger maximum": (
        lambda schema: fields(schema)["fileName"].update(maxLength=1025),
        "file_complete.fileName", Rule.NOT_WIDENED,
    ),
    "no minimum any more": (
        lambda schema: fields(schema)["fileName"].pop("minLength"), "file_complete.fileName", Rule.NOT_WIDENED,
    ),
    "a minimum that was not there": (
        lambda schema: fields(schema)["durationMs"]["anyOf"][0].update(minimum=1),
        "file_complete.durationMs", Rule.NOT_NARROWED,
    ),
    "longer names in a list": (
        lambda schema: fields(schema, "WorkerHeartbeat")["filesInFlight"]["items"].update(maxLength=2000),
        "worker_heartbeat.filesInFlight[]", Rule.NOT_WIDENED,
    ),
    "another value of a field with few": (
        lambda schema: fields(schema)["eventType"]["enum"].append("file_done"),
        "file_complete.eventType", Rule.NOT_WIDENED,
    ),
    "values fewer": (
        lambda schema: fields(schema)["stage"].update(enum=["denoise"]), "file_complete.stage", Rule.NOT_NARROWED,
    ),
    "unknown fields refused": (
        lambda schema: schema["$defs"][FILE].update(additionalProperties=False), "file_complete", Rule.STAYS_OPEN,
    ),
    "another default": (
        lambda schema: fields(schema)["durationMs"].update(default=0), "file_complete.durationMs", Rule.STAYS_AS_IT_WAS,
    ),
    "another pattern": (
        lambda schema: fields(schema)["stage"].update(pattern="^[a-z]+$"), "file_complete.stage", Rule.STAYS_AS_IT_WAS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED.keys())
def test_readers_of_before_and_after_stand(change: Change) -> None:
    assert found_in(change) == []


@pytest.mark.parametrize(("change", "place", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_the_field_and_the_rule_that_it_breaks_are_named(change: Change, place: str, rule: Rule) -> None:
    found = found_in(change)
    assert found[0] == (place, rule)
    assert {one for _, one in found} == {rule}  # elsewhere only where it is the same part


def test_every_rule_is_broken_by_some_change() -> None:
    assert {rule for _, _, rule in REFUSED.values()} == set(Rule)


def test_nothing_has_broken_since_any_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert compatibility.releases() != []
    assert compatibility.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_record_that_a_release_wrote_is_neither_changed_nor_removed(tmp_path: Path) -> None:
    golden = {path.stem: json.loads(path.read_text("utf-8")) for path in compatibility.GOLDEN.glob("*.json")}
    golden |= {"gone": {}, "batch_complete": {"changed": True}}
    (tmp_path / "events.schema.json").write_text(json.dumps(CURRENT))
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    said = sorted(compatibility.broken_since(tmp_path))
    assert [text.partition(":")[0] for text in said] == ["golden/batch_complete.json", "golden/gone.json"]
