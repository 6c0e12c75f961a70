"""What the tests of installations share: the distributions as wheels, and a clean environment to install them in."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.release.build import build
from infra.release.clean_environment import CleanEnvironment


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of all that a release has."""
    directory = tmp_path_factory.mktemp("dist")
    build(directory)
    return directory


@pytest.fixture
def installation(tmp_path: Path, wheels: Path) -> CleanEnvironment:
    """A new environment, outside the repository."""
    return CleanEnvironment(tmp_path, wheels)
