"""A new virtual environment outside the repository, in which nothing but what is asked for is installed."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path
from typing import Final

INSTALL_TIMEOUT_S: Final = 170.0
RUN_TIMEOUT_S: Final = 30.0


class CleanEnvironment:
    """One environment; distributions of Headway come from a directory of wheels, all others from the registry."""

    def __init__(self, directory: Path, wheels: Path) -> None:
        venv.create(directory, with_pip=True)
        self._directory = directory
        self._wheels = wheels

    def install(self, *requirements: str) -> set[str]:
        """Install, and give the names of all that is installed then, pip apart.

        Raises:
            AssertionError: pip refuses; the message has its output.
        """
        pip = ["python", "-m", "pip", "--disable-pip-version-check"]
        # Wheels of Headway are taken by their paths: a registry may have others by the same names.
        done = self.run(*pip, "install", "-q", *map(self._located, requirements), timeout_s=INSTALL_TIMEOUT_S)
        assert done.returncode == 0, done.stderr
        listed = json.loads(self.run(*pip, "list", "--format=json").stdout)
        return {package["name"].lower() for package in listed} - {"pip", "setuptools"}

    def run(self, program: str, *arguments: str, timeout_s: float = RUN_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs, away from the repository and its settings."""
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("HEADWAY_", "PYTHON"))}
        return subprocess.run(
            [str(self._directory / "bin" / program), *arguments],
            cwd=self._directory, env=settings, capture_output=True, text=True, check=False, timeout=timeout_s,
        )  # fmt: skip

    def _located(self, requirement: str) -> str:
        name, bracket, extras = requirement.partition("[")
        found = list(self._wheels.glob(f"{name.replace('-', '_')}-*.whl"))
        return f"{found[0]}{bracket}{extras}" if found else requirement
