"""The OpenAPI document is current, and the running gateway does what it says and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from support.api import get
from support.batches import batch_events
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

HERE = Path(__file__).parent
PACKAGE = HERE.parents[2] / "gateway" / "headway_gateway"
DOCUMENT = json.loads((PACKAGE / "openapi.json").read_text("utf-8"))


def test_the_document_is_current() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "headway_gateway.openapi", "--check"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr


def test_a_document_that_is_not_current_is_named_with_the_remedy_and_mended(tmp_path: Path) -> None:
    copy = shutil.copytree(PACKAGE, tmp_path / "headway_gateway")
    (copy / "openapi.json").write_text("{}")

    def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "headway_gateway.openapi", *arguments],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip

    checked = generate("--check")
    assert checked.returncode == 1
    assert checked.stderr == "openapi.json is not current: run `python -m headway_gateway.openapi`\n"
    assert generate().returncode == 0
    assert json.loads((copy / "openapi.json").read_text("utf-8")) == DOCUMENT


def test_every_reference_of_the_document_leads_somewhere() -> None:
    references = set(re.findall(r'"\$ref": "#([^"]+)"', json.dumps(DOCUMENT)))

    assert len(references) > 20
    for reference in references:
        part = DOCUMENT
        for name in reference.strip("/").split("/"):
            part = part[name]


async def test_every_route_is_described_and_served(client: aiohttp.ClientSession, gateway: Program) -> None:
    assert await get(client, "/api/openapi.json") == DOCUMENT
    async with client.get("/api/docs") as response:
        assert response.status == 200
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_an_unknown_address_or_method_is_a_problem(client: aiohttp.ClientSession) -> None:
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/api/batches/1/nothing", 404),
        ("GET", "/api/batches/", 404),
        ("POST", "/api/batches", 405),
        ("DELETE", "/api/batches/1", 405),
        ("PUT", "/", 405),
        ("POST", "/static/main.js", 405),
        ("PATCH", "/api/stream", 405),
    ):
        async with client.request(method, path) as response:
            assert response.status == status, (method, path)
            assert response.content_type == "application/problem+json", (method, path)
            problem = json.loads(await response.text())
            assert problem["status"] == status
            assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.timeout(180)
async def test_schemathesis_finds_nothing(
    client: aiohttp.ClientSession,
    gateway: Program,
    projector: Program,
    topics: Topics,
    tables: Tables,
    batch_id: int,
    tmp_path: Path,
) -> None:
    for number in range(3):
        topics.create(batch_id + number)
        topics.announce(batch_id + number)
        topics.write_events(batch_events(batch_id + number, 20, failed=3))
        await tables.wait_for(batch_id + number, 23)
    environment = {
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(HERE),
        "FINISHED_BATCH": str(batch_id),
        "BATCH_CURSOR": await cursor(client, "/api/batches?limit=1"),
        "FILE_CURSOR": await cursor(client, f"/api/batches/{batch_id}/files?limit=1"),
    }
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.format(batch_id=batch_id))
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")), f"--config-file={configuration}", "run",
        f"{gateway.url}/api/openapi.json",
        env={**os.environ, **environment}, cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    print(output.decode())
    assert process.returncode == 0


CONFIGURATION = """
color = false
seed = 1
request-timeout = 10
workers = 2

[generation]
deterministic = true
max-examples = 15

[phases.stateful.generation]
max-examples = 10

[dictionaries.batches]
values = [{batch_id}]

[dictionaries.files]
values = ["audio00001.wav", "audio00019.wav"]

[dictionaries.beginnings]
values = ["earliest", "latest", "snapshot", "0", "7", "2026-11-24T10:01:40Z"]

[parameters]
"path.batchId" = {{ dictionary = "batches", probability = 0.8 }}
"path.fileName" = {{ dictionary = "files", probability = 0.5 }}

[[operations]]
include-path = "/api/stream"
parameters = {{ "query.from" = {{ dictionary = "beginnings" }} }}
"""


async def cursor(client: aiohttp.ClientSession, path: str) -> str:
    """The `after` of a page's `next`."""
    return URL((await get(client, path))["next"], encoded=True).query["after"]
