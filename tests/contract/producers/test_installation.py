"""What a GPU worker gets when it installs the producers: two packages beside Headway's own, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.release.clean_environment import INSTALL_TIMEOUT_S, CleanEnvironment
from infra.release.distributions import REPOSITORY


@pytest.mark.timeout(INSTALL_TIMEOUT_S)
def test_a_worker_gets_confluent_kafka_and_msgspec_and_nothing_else(installation: CleanEnvironment) -> None:
    installed = installation.install("headway-events", "headway")
    assert installed == {"headway", "headway-events", "confluent-kafka", "msgspec"}
    assert installation.run("python", "-c", "from headway import EventLogger").returncode == 0


def test_the_guides_calls_are_typed(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        "from headway import EventLogger\n"
        "EventLogger.stage_start(123, 'denoise', total_files=500)\n"
        "EventLogger(bootstrap='kafka:9092').file_complete(123, 'denoise', 'a.wav', '10.0.0.7', {'n': 1})\n"
        "reveal_type(EventLogger.flush(5))\n"
        "EventLogger.stage_start('123', 'denoise')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(sample)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": f"{REPOSITORY / 'schemas'}:{REPOSITORY / 'producers'}"},
    )
    errors = [line for line in done.stdout.splitlines() if "error:" in line]
    assert 'Revealed type is "int"' in done.stdout.replace("builtins.int", "int"), done.stdout + done.stderr
    assert len(errors) == 1, done.stdout
    assert "sample.py:5" in errors[0]
