"""Looks into what was built: metadata, licence, and every file of the package that the repository has and no other."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Final

from infra.release.distributions import REPOSITORY, Distribution

LICENCE: Final = (REPOSITORY / "LICENSE").read_bytes()


def problems(one: Distribution, directory: Path) -> Iterator[str]:
    """What is wrong with a distribution's wheel and source distribution, in words."""
    with zipfile.ZipFile(directory / f"{one.file_name}-py3-none-any.whl") as wheel:
        information = f"{one.file_name}.dist-info"
        files = {name: wheel.read(name) for name in wheel.namelist()}
    packaged = {name for name in files if not name.startswith(f"{information}/")}
    yield from _differences("the wheel", packaged, _files_of_package(one))
    yield from _wrong_metadata(one, Parser().parsestr(files[f"{information}/METADATA"].decode()))
    if files.get(f"{information}/licenses/LICENSE") != LICENCE:
        yield "the wheel has not the repository's LICENSE"
    if f"{one.package}/py.typed" not in files:
        yield "the wheel has no py.typed"
    with tarfile.open(directory / f"{one.file_name}.tar.gz") as source:
        sources = {name.partition("/")[2] for name in source.getnames()}
    needed = {*_files_of_package(one), "pyproject.toml", "README.md", "LICENSE", "PKG-INFO"}
    yield from (f"the source distribution lacks {name}" for name in sorted(needed - sources))


def _files_of_package(one: Distribution) -> set[str]:
    """What git has, or would take, of the package's folder."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", one.package]
    listed = subprocess.run(command, cwd=one.folder, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name for name in listed if (one.folder / name).exists()}


def _differences(what: str, found: set[str], wanted: set[str]) -> Iterator[str]:
    yield from (f"{what} lacks {name}" for name in sorted(wanted - found))
    yield from (f"{what} has {name}, which the repository has not" for name in sorted(found - wanted))


def _wrong_metadata(one: Distribution, metadata: Message) -> Iterator[str]:
    wanted = {
        "Name": one.name,
        "Version": one.version,
        "Summary": one.summary,
        "License-Expression": "Apache-2.0",
        "License-File": "LICENSE",
        "Requires-Python": ">=3.11",
        "Description-Content-Type": "text/markdown",
    }
    for name, value in wanted.items():
        if metadata[name] != value:
            yield f"{name} is {metadata[name]!r}; expected {value!r}"
    if metadata.get_payload() != (one.folder / "README.md").read_text():
        yield "the description is not README.md"
