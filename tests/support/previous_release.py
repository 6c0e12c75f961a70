"""The release before this one, installed beside it from the repository's history, to run with or instead of it.

Which one that is stands in `infra/release/previous.txt`: a commit, or a tag once there is one.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from infra.release.distributions import REPOSITORY

PREVIOUS: Final = (REPOSITORY / "infra" / "release" / "previous.txt").read_text().strip()
FOLDERS: Final = ("schemas", "projector", "gateway")


def is_in_history() -> bool:
    """Whether this clone has it; a shallow one may not."""
    asked = ["git", "cat-file", "-e", f"{PREVIOUS}^{{commit}}"]
    return subprocess.run(asked, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0


def install(directory: Path) -> Path:
    """Build its projector and gateway and unpack their wheels; gives what PYTHONPATH must be for them to be run."""
    archived = subprocess.run(
        ["git", "archive", PREVIOUS, *FOLDERS], cwd=REPOSITORY, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
        archive.extractall(directory / "source", filter="data")
    for folder in FOLDERS:
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
        subprocess.run(command, cwd=directory / "source" / folder, check=True)
    for wheel in directory.glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(directory / "installed")
    return directory / "installed"
