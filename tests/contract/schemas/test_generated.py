"""The generated documents are current, valid, and say what `decode` does."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml
from headway_events import EVENT_TYPES, BadEvent, decode
from hypothesis import given, settings
from hypothesis import strategies as st

SCHEMAS = Path(__file__).parents[3] / "schemas"
EVENTS_SCHEMA = json.loads((SCHEMAS / "generated" / "events.schema.json").read_text("utf-8"))
ASYNCAPI = yaml.safe_load((SCHEMAS / "generated" / "asyncapi.yaml").read_text("utf-8"))
ASYNCAPI_SCHEMA = json.loads((Path(__file__).parent / "vendored" / "asyncapi-3.0.0.schema.json").read_text("utf-8"))

valid_event = jsonschema.Draft202012Validator(EVENTS_SCHEMA)

ANYTHING: list[Any] = [
    None,
    True,
    -1,
    0,
    7,
    1.5,
    2**31 - 1,
    2**31,
    2**63,
    "",
    "text",
    "a\0b",
    "x" * 101,
    "x" * 1025,
    [],
    ["a"],
    {},
]
FIELDS: dict[str, list[Any]] = {
    "eventType": [*EVENT_TYPES, "stage_paused"],
    "batchId": [123],
    "stage": ["denoise"],
    "fileName": ["a.wav"],
    "timestamp": ["2024-01-13T10:00:00Z"],
    "totalFiles": [500],
    "processedFiles": [100],
    "failedFiles": [5],
    "response": [{"status": "success"}],
    "gpuIp": ["10.0.0.7"],
    "durationMs": [0.5],
    "worker": ["worker-7"],
    "filesInFlight": [["a.wav"]],
    "notOfOurs": [1],
}


def test_the_generated_files_are_current() -> None:
    checked = generate(SCHEMAS, "--check")

    assert checked.returncode == 0, checked.stderr


def test_a_file_that_is_not_current_is_named_with_the_remedy_and_mended(tmp_path: Path) -> None:
    copy = tmp_path / "schemas"
    for name in ("generate.py", "golden", "generated"):
        (shutil.copytree if (SCHEMAS / name).is_dir() else shutil.copy)(SCHEMAS / name, copied(copy / name))
    stale = copy / "generated" / "asyncapi.yaml"
    stale.write_text(stale.read_text("utf-8") + "# edited by hand\n", "utf-8")

    checked = generate(copy, "--check")

    assert checked.returncode == 1
    assert checked.stderr == f"{Path('generated') / 'asyncapi.yaml'} is not current: run `python schemas/generate.py`\n"
    assert generate(copy).returncode == 0
    assert generate(copy, "--check").returncode == 0


def test_each_json_schema_is_one() -> None:
    schemas = [json.loads(path.read_text("utf-8")) for path in (SCHEMAS / "generated").glob("*.schema.json")]
    assert {schema["title"] for schema in schemas} == {"A Headway event", "A Headway alert"}
    for schema in schemas:
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_asyncapi_document_is_one() -> None:
    jsonschema.Draft7Validator(ASYNCAPI_SCHEMA).validate(ASYNCAPI)


def test_every_event_type_is_a_message_of_the_batch_channel() -> None:
    assert set(ASYNCAPI["channels"]["batch"]["messages"]) == set(EVENT_TYPES)


def test_every_golden_record_is_valid_and_an_example(load_generate: ModuleType) -> None:
    for record in load_generate.golden_records():
        name = {"registry": "announcement", "deadLetters": "deadLetter"}.get(record["channel"])
        message = ASYNCAPI["components"]["messages"][name or record["value"]["eventType"]]
        if record["channel"] == "batch":
            valid_event.validate(record["value"])
        jsonschema.Draft202012Validator(resolved(message["payload"])).validate(record["value"])
        jsonschema.Draft202012Validator(resolved(message.get("headers", {}))).validate(dict(record["headers"]))
        assert record["value"] in [example["payload"] for example in message["examples"]]


@settings(max_examples=600)
@given(data=st.data())
def test_the_json_schema_accepts_what_decode_accepts_and_no_more(data: st.DataObject) -> None:
    event: dict[str, Any] = {}
    wrong = data.draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=2))
    for field, right in FIELDS.items():
        values = ANYTHING if field in wrong and field not in {"batchId", "timestamp"} else right
        if field not in wrong or data.draw(st.booleans()):
            event[field] = data.draw(st.sampled_from(values))

    assert valid_event.is_valid(event) == is_decoded(json.dumps(event).encode())


@pytest.fixture
def load_generate() -> ModuleType:
    """schemas/generate.py as a module; it belongs to no package."""
    spec = importlib.util.spec_from_file_location("generate", SCHEMAS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_decoded(value: bytes) -> bool:
    try:
        decode(value, batch_id=123)
    except BadEvent:
        return False
    return True


def generate(schemas: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, schemas / "generate.py", *arguments], capture_output=True, text=True, check=False
    )


def copied(target: Path) -> Path:
    target.parent.mkdir(exist_ok=True)
    return target


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the AsyncAPI document that stands alone."""
    return {**schema, "components": ASYNCAPI["components"]}
