"""The examples in the documentation of both clients run as they are written, and say what is true."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from support.batches import batch_events
from support.counts import NODE
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

REPOSITORY = Path(__file__).parents[3]
REFERENCE = REPOSITORY / "docs" / "reference"
CLIENT = REPOSITORY / "gateway" / "headway_gateway" / "dashboard" / "client"
NODE_FOLDER = REPOSITORY / "tests" / "node"


def examples(document: str, language: str) -> list[str]:
    """The code blocks of a language in a document, by place."""
    text = (REFERENCE / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


PYTHON = examples("python-client.md", "python")
JAVASCRIPT = examples("javascript-client.md", "js")
PYTHON_SAYS = [
    ["18 of 20, 2 errors"],
    ["complete_with_errors", "2"],
    ["18", "complete_with_errors"],
    ["19 audio00018.wav {", "20 audio00019.wav {"],
    ["night complete_with_errors", "[('denoise', 90)]", "'eventType': 'batch_complete'"],
]
JAVASCRIPT_SAYS = [["complete_with_errors 18"], ["25 processing processing"]]


@pytest.fixture
async def addressed(projector: Program, gateway: Program, topics: Topics, tables: Tables, batch_id: int) -> Addressed:
    """A finished batch, and what makes an example speak of it."""
    await projected(topics, tables, batch_id, batch_events(batch_id, 20, failed=2), name="night")
    return Addressed(gateway.url, batch_id)


class Addressed:
    """Puts the test's gateway and batch into an example."""

    def __init__(self, url: str, batch_id: int) -> None:
        self._url = url
        self._batch_id = str(batch_id)

    def __call__(self, example: str) -> str:
        return example.replace("http://127.0.0.1:8080", self._url).replace("123", self._batch_id)


async def output(*command: str) -> str:
    """What a program prints."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return printed.decode()


@pytest.mark.parametrize(("example", "says"), list(zip(PYTHON, PYTHON_SAYS, strict=True)))
async def test_a_python_example_does_what_it_says(
    addressed: Addressed, example: str, says: list[str], tmp_path: Path
) -> None:
    body = addressed(example).replace("\n", "\n    ")
    wrapped = f"import asyncio\nasync def main():\n    {body}\nasyncio.run(main())\n"
    script = tmp_path / "example.py"
    script.write_text(wrapped if "async with" in example else addressed(example))
    printed = await output(sys.executable, str(script))
    for text in says:
        assert text in printed


@pytest.mark.parametrize(("example", "says"), list(zip(JAVASCRIPT, JAVASCRIPT_SAYS, strict=True)))
async def test_a_javascript_example_does_what_it_says(
    addressed: Addressed, example: str, says: list[str], tmp_path: Path
) -> None:
    for source in CLIENT.glob("*.js"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(NODE_FOLDER / "node_modules")
    script = tmp_path / "example.js"
    script.write_text(addressed(example))
    printed = await output(str(NODE), str(script))
    for text in says:
        assert text in printed
