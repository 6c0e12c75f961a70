"""The dashboard's JavaScript, and the module that other pages use, keep the types that their comments state."""

from __future__ import annotations

import subprocess
from pathlib import Path

NODE_FOLDER = Path(__file__).parents[2] / "node"


def test_the_javascript_keeps_its_types() -> None:
    compiler = NODE_FOLDER / "node_modules" / ".bin" / "tsc"
    done = subprocess.run([compiler, "-p", NODE_FOLDER / "tsconfig.json"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)
