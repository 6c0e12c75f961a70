"""The dashboard's JavaScript, and the module that other pages use, keep their types and have no common fault."""

from __future__ import annotations

import subprocess
from pathlib import Path

NODE_FOLDER = Path(__file__).parents[2] / "node"


def test_the_javascript_keeps_its_types() -> None:
    compiler = NODE_FOLDER / "node_modules" / ".bin" / "tsc"
    done = subprocess.run([compiler, "-p", NODE_FOLDER / "tsconfig.json"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_eslint_finds_nothing() -> None:
    repository = NODE_FOLDER.parents[1]
    linter = NODE_FOLDER / "node_modules" / ".bin" / "eslint"
    places = ["gateway/headway_gateway/dashboard", *(str(path) for path in NODE_FOLDER.glob("*.mjs"))]
    command = [str(linter), "--max-warnings=0", "-c", str(NODE_FOLDER / "eslint.config.mjs"), *places]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)
