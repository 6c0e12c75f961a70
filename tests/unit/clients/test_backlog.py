"""What late joiners of a shared stream are given, tried by Node's own test runner."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.counts import NODE

TESTS = Path(__file__).parents[2] / "node" / "backlog.test.mjs"


def test_one_who_joins_a_shared_stream_late_counts_the_same() -> None:
    done = subprocess.run([NODE, "--test", TESTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "pass 4" in done.stdout
