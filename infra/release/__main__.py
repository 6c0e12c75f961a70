"""Builds the distributions into a directory, checks them, and tries them in a clean environment.

make release [VERSION=x.y.z]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from infra.release.build import build
from infra.release.check import problems
from infra.release.clean_environment import CleanEnvironment
from infra.release.distributions import REPOSITORY, Distribution, distributions, set_version
from infra.release.errors import ReleaseError

DIST: Final = REPOSITORY / "dist"


def main() -> int:
    """Build and check; 1 when something is wrong, and stderr says what."""
    parser = argparse.ArgumentParser(prog="release", description="Build and check the distributions.")
    parser.add_argument("--version", default="", help="x.y.z, written into all of them first")
    parser.add_argument("--directory", type=Path, default=DIST, help="for wheels and source distributions; made anew")
    arguments = parser.parse_args()
    try:
        if arguments.version:
            set_version(arguments.version)
        release(arguments.directory)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def release(directory: Path) -> None:
    """Build, look into what was built, install it, and run each command.

    Raises:
        ReleaseError: see the message.
    """
    shutil.rmtree(directory, ignore_errors=True)
    build(directory)
    for one in distributions():
        if wrong := list(problems(one, directory)):
            raise ReleaseError(f"{one.name}: " + "; ".join(wrong))
        print(f"{one.name} {one.version}: metadata, licence and files are as they should be")
    with tempfile.TemporaryDirectory(prefix="headway-release-") as clean:
        _try(CleanEnvironment(Path(clean), directory))
    print(f"They install and run. In {directory}: " + ", ".join(sorted(path.name for path in directory.iterdir())))


def _try(environment: CleanEnvironment) -> None:
    found = distributions()
    environment.install(*(f"{one.name}[cli]" if one.name == "headway-client" else one.name for one in found))
    for one in found:
        _run(environment, one, "python", "-c", f"import {one.package}")
        for command in one.commands:
            _run(environment, one, command, "--help")
    _run(environment, found[1], "python", "-c", "from headway import EventLogger; EventLogger(disabled=True).close()")


def _run(environment: CleanEnvironment, one: Distribution, program: str, *arguments: str) -> None:
    done = environment.run(program, *arguments)
    if done.returncode != 0:
        raise ReleaseError(f"{one.name}: {program} {' '.join(arguments)} failed:\n{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
