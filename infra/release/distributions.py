"""The five distributions, as their pyproject.toml say, and the one version that they share."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

from infra.release.errors import ReleaseError

REPOSITORY: Final = Path(__file__).parents[2]
FOLDERS: Final = ("schemas", "producers", "projector", "gateway", "clients/python")
CHART: Final = "infra/helm/headway/Chart.yaml"
VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


class Distribution(NamedTuple):
    """What is built from one folder."""

    folder: Path
    name: str
    package: str
    commands: tuple[str, ...]
    version: str
    summary: str

    @property
    def file_name(self) -> str:
        """What the names of its files begin with."""
        return f"{self.name.replace('-', '_')}-{self.version}"


def distributions() -> list[Distribution]:
    """All five, those before that others need.

    Raises:
        ReleaseError: they do not have the same version.
    """
    found = [_distribution(REPOSITORY / folder) for folder in FOLDERS]
    if len({one.version for one in found}) > 1:
        versions = ", ".join(f"{one.name} {one.version}" for one in found)
        raise ReleaseError(f"The versions differ: {versions}. Give them all one: make release VERSION=x.y.z")
    return found


def set_version(version: str) -> None:
    """Give all five a version, and the chart; let those that need the events need the ones of the same x.y.

    Raises:
        ReleaseError: it is not of the form x.y.z.
    """
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"VERSION is {version!r}; expected x.y.z")
    major, minor, _ = map(int, version.split("."))
    chart = REPOSITORY / CHART
    chart.write_text(re.sub(r"^(version|appVersion): .*$", rf"\g<1>: {version}", chart.read_text(), flags=re.MULTILINE))
    for folder in FOLDERS:
        path = REPOSITORY / folder / "pyproject.toml"
        text = re.sub(r'^version = ".*"$', f'version = "{version}"', path.read_text(), count=1, flags=re.MULTILINE)
        path.write_text(
            re.sub(r"headway-events>=[^\"]*", f"headway-events>={major}.{minor},<{major}.{minor + 1}", text)
        )


def _distribution(folder: Path) -> Distribution:
    pyproject: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())
    project = pyproject["project"]
    (package,) = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return Distribution(
        folder, project["name"], package, tuple(project.get("scripts", {})), project["version"], project["description"]
    )
