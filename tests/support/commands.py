"""Runs Headway's commands to their end, as a person does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_S = 60


def headway_projector(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`headway-projector` with these arguments and settings, and nothing else from the environment."""
    return _run("headway-projector", environment, *arguments)


def headway_gateway(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`headway-gateway`, likewise."""
    return _run("headway-gateway", environment, *arguments)


def _run(name: str, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name(name))
    return subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
