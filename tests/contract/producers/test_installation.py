"""What a GPU worker gets when it installs the producers: two packages beside Headway's own, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
INSTALL_TIMEOUT_S = 110


@pytest.mark.timeout(INSTALL_TIMEOUT_S + 10)
def test_a_worker_gets_confluent_kafka_and_msgspec_and_nothing_else(tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=True)
    python = str(tmp_path / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    packages = [str(REPOSITORY / "schemas"), str(REPOSITORY / "producers")]
    done = subprocess.run(
        [*pip, "install", "--quiet", *packages],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_TIMEOUT_S,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    listed = subprocess.run([*pip, "list", "--format=json"], capture_output=True, check=True, cwd=tmp_path).stdout
    installed = {package["name"] for package in json.loads(listed)}
    assert installed - {"pip", "setuptools"} == {"headway", "headway-events", "confluent-kafka", "msgspec"}
    subprocess.run([python, "-c", "from headway import EventLogger"], check=True, cwd=tmp_path)


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
