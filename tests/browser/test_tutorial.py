"""The tutorial as a reader follows it: every block is run in order, and what it promises is what is seen."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.async_api import Page

from infra.local import tools
from infra.local.settings import CHECKOUT, StackSettings
from support.browser import Dashboard
from support.eventually import eventually
from support.programs import Program

STEP_S = 30.0
TUTORIAL = (CHECKOUT / "docs" / "tutorial.md").read_text("utf-8")
BATCH_ID = 1


class Step(NamedTuple):
    """A code block, and what the tutorial says that it prints, if it says so."""

    language: str
    text: str
    prints: str | None


def steps() -> list[Step]:
    """The tutorial's blocks in order; one of language `text` is what the block before it prints."""
    found: list[Step] = []
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL):
        if language == "text":
            found[-1] = found[-1]._replace(prints=text)
        else:
            found.append(Step(language, text, None))
    return found


class Reader:
    """Follows the tutorial in a folder of its own, on this test's servers in place of those of `make up`."""

    def __init__(self, folder: Path, environment: dict[str, str], gateway_url: str, database_url: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment, "PATH": f"{tools.postgres_bin()}:{os.environ['PATH']}"}
        defaults = StackSettings()
        self._places = {
            defaults.gateway_url: gateway_url,
            defaults.database_url: database_url,
            ".venv/bin/python": sys.executable,
        }

    async def follow(self, step: Step) -> str:
        """Save a program, or run commands until they print what they should; what they print."""
        if step.language == "python":
            name = step.text.partition("\n")[0].removeprefix("# ")
            (self._folder / name).write_text(step.text.replace("time.sleep(0.2)", "time.sleep(0)"))
            return ""
        assert step.language == "bash"
        if step.prints is None:
            return await self._run_all(step.text)
        wanted = as_table(step.prints)
        return await eventually(lambda: self._run_all(step.text), lambda printed: as_table(printed) == wanted)

    async def _run_all(self, text: str) -> str:
        """Run commands, those for make in the clone and without effect; what they print."""
        printed = ""
        for command in commands(text):
            makes = command.startswith("make ")
            printed += await self._run(command.replace("make", "make --dry-run", 1) if makes else command, makes)
        return printed

    async def _run(self, command: str, in_clone: bool) -> str:
        for written, here in self._places.items():
            command = command.replace(written, here)
        process = await asyncio.create_subprocess_shell(
            command,
            cwd=CHECKOUT if in_clone else self._folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, errors = await asyncio.wait_for(process.communicate(), STEP_S)
        assert process.returncode == 0, f"{command}\n{errors.decode()}"
        return printed.decode()


def commands(text: str) -> Iterator[str]:
    """The commands of a block; one ends where its quotes do."""
    command = ""
    for line in text.splitlines():
        command += line + "\n"
        try:
            shlex.split(command, comments=True)
        except ValueError:
            continue
        yield command
        command = ""
    assert not command


def as_table(text: str) -> list[str]:
    """What psql prints, however it fills its lines."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.fixture
def reader(environment: dict[str, str], gateway: Program, database_url: str, tmp_path: Path) -> Reader:
    folder = tmp_path / "tutorial"
    folder.mkdir()
    return Reader(folder, environment, gateway.url, database_url)


async def test_every_block_of_the_tutorial_does_what_it_says(
    projector: Program, gateway: Program, reader: Reader, page: Page, console_errors: list[str]
) -> None:
    dashboard = Dashboard(page, gateway.url, BATCH_ID)
    runs = [(19, 1, "95%", "Complete with errors"), (20, 0, "100%", "Complete")]
    printed = []
    for step in steps():
        printed.append(await reader.follow(step))
        if "python pipeline.py" in step.text:
            processed, errors, percent, status = runs.pop(0)
            await dashboard.open()
            await dashboard.shows(
                "transcribe",
                counts=f"Total: 20 | Processed: {processed} | Errors: {errors}",
                files=f"{processed}/20 files",
                percent=percent,
                status=status,
            )
    assert not runs
    assert any("invalid start byte" in text for text in printed), "the errors, from the API"
    assert any(text.count("file_complete") == 1 and text.count("MemoryError") == 1 for text in printed), "the log"
    assert any("event: stage_complete" in text and '"processedFiles":19' in text for text in printed), "the stream"
    console_errors[:] = [text for text in console_errors if "404" not in text]  # at first the batch is unknown
