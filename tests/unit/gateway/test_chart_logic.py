"""The estimates and the charts of the page, tried by Node's own test runner."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.counts import NODE

FOLDER = Path(__file__).parents[2] / "node"


@pytest.mark.parametrize(("name", "tests"), [("estimate", 13), ("charts", 9)])
def test_what_the_page_says_and_draws_follows_from_what_it_knows(name: str, tests: int) -> None:
    command: list[str | Path] = [NODE, "--test", "--test-reporter=tap", FOLDER / f"{name}.test.mjs"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "en_US.UTF-8"}
    )
    assert done.returncode == 0, done.stdout
    assert f"# pass {tests}\n" in done.stdout
