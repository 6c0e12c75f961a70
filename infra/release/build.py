"""Builds a wheel and a source distribution of each of the five."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infra.release.distributions import distributions
from infra.release.errors import ReleaseError


def build(directory: Path) -> None:
    """Build into a directory, by the installed Hatchling; the same tree gives the same bytes.

    Raises:
        ReleaseError: one cannot be built; its output is in the message.
    """
    for one in distributions():
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(directory)]
        done = subprocess.run(command, cwd=one.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ReleaseError(f"{one.name} cannot be built:\n{done.stdout}{done.stderr}")
