"""A new virtual environment outside the repository, in which nothing but what is asked for is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from infra.release.errors import ReleaseError

INSTALL_TIMEOUT_S: Final = 170.0
RUN_TIMEOUT_S: Final = 30.0


class CleanEnvironment:
    """One environment; distributions of Headway come from a directory of wheels, all others from the registry."""

    def __init__(self, directory: Path, wheels: Path) -> None:
        venv.create(directory)  # and no pip: this program's installs into it
        self._directory = directory
        self._wheels = wheels

    def install(self, *requirements: str) -> set[str]:
        """Install, and give the names of all that is installed then.

        Raises:
            ReleaseError: pip refuses; the message has its output.
        """
        # Wheels of Headway are taken by their paths: a registry may have others by the same names.
        self._pip("install", "--quiet", "--no-compile", *map(self._located, requirements))
        return {package["name"].lower() for package in json.loads(self._pip("list", "--format=json"))}

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs, away from the repository and its settings."""
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("HEADWAY_", "PYTHON"))}
        return subprocess.run(
            [str(self._directory / "bin" / program), *arguments],
            cwd=self._directory, env=settings, capture_output=True, text=True, check=False, timeout=RUN_TIMEOUT_S,
        )  # fmt: skip

    def _pip(self, *arguments: str) -> str:
        python = str(self._directory / "bin" / "python")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
        if done.returncode != 0:
            raise ReleaseError(f"pip {' '.join(arguments)} failed:\n{done.stderr}")
        return done.stdout

    def _located(self, requirement: str) -> str:
        name, bracket, extras = requirement.partition("[")
        found = list(self._wheels.glob(f"{name.replace('-', '_')}-*.whl"))
        return f"{found[0]}{bracket}{extras}" if found else requirement
