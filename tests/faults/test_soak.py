"""A short soak: everything under faults of every kind at once, from a seed, and every invariant at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from soak.schedule import SHORTEST_RUN_S

REPOSITORY = Path(__file__).parents[2]
SEED = 1
TIMEOUT_S = 400  # a run takes two minutes; brokers take their time to come back on a busy machine


@pytest.mark.timeout(TIMEOUT_S + 20)
def test_a_run_under_faults_of_every_kind_breaks_no_invariant() -> None:
    command = [sys.executable, "-m", "soak", "--minutes", str(SHORTEST_RUN_S / 60), "--seed", str(SEED)]
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'tests'}:{REPOSITORY}"}
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-5000:]
    assert "every invariant holds" in done.stdout
