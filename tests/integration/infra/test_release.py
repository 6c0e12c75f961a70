"""A release is built, looked into and tried in a clean environment; what would be missing in it stops it."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from infra.release.__main__ import release
from infra.release.check import problems
from infra.release.clean_environment import INSTALL_TIMEOUT_S
from infra.release.distributions import CHART, REPOSITORY, distributions, set_version
from infra.release.errors import ReleaseError


@pytest.mark.timeout(INSTALL_TIMEOUT_S)
def test_the_five_distributions_are_built_and_install_and_run_outside_the_repository(tmp_path: Path) -> None:
    release(tmp_path)
    assert len(list(tmp_path.glob("*.whl"))) == len(list(tmp_path.glob("*.tar.gz"))) == 5
    gateway = next(one for one in distributions() if one.name == "headway-gateway")
    wheel = tmp_path / f"{gateway.file_name}-py3-none-any.whl"
    _without(wheel, r"dashboard/index\.html|queries\.sql|py\.typed|LICENSE$")
    found = "\n".join(problems(gateway, tmp_path))
    for missing in ("index.html", "queries.sql", "py.typed", "LICENSE"):
        assert missing in found


def test_a_version_is_given_to_all_five_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in distributions():
        folder = tmp_path / one.folder.relative_to(REPOSITORY)
        folder.mkdir(parents=True)
        shutil.copy(one.folder / "pyproject.toml", folder)
    chart = tmp_path / CHART
    chart.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / CHART, chart)
    monkeypatch.setattr("infra.release.distributions.REPOSITORY", tmp_path)
    set_version("1.7.0")
    assert {one.version for one in distributions()} == {"1.7.0"}
    assert re.findall(r"ersion: (1\.7\.0)$", chart.read_text(), re.MULTILINE) == ["1.7.0", "1.7.0"]
    needs = [re.findall(r"headway-events>=.*(?=\")", path.read_text()) for path in tmp_path.rglob("pyproject.toml")]
    assert sorted(needs) == [[], *[["headway-events>=1.7,<1.8"]] * 4]
    producers = tmp_path / "producers" / "pyproject.toml"
    producers.write_text(producers.read_text().replace("1.7.0", "1.6.0"))
    with pytest.raises(ReleaseError, match=r"headway 1\.6\.0.*make release VERSION"):
        distributions()
    with pytest.raises(ReleaseError, match=r"x\.y\.z"):
        set_version("1.7")


def _without(wheel: Path, left_out: str) -> None:
    """Take files out of a wheel."""
    with zipfile.ZipFile(wheel) as whole:
        kept = {name: whole.read(name) for name in whole.namelist() if not re.search(left_out, name)}
    with zipfile.ZipFile(wheel, "w") as cut:
        for name, content in kept.items():
            cut.writestr(name, content)
