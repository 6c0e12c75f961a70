"""What the Python client brings along: aiohttp and msgspec; rich with its extra, and nothing for notebooks."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
INSTALL_TIMEOUT_S = 170


@pytest.mark.timeout(2 * INSTALL_TIMEOUT_S)
def test_the_command_asks_for_its_extra_and_works_with_it(tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=True)
    python, headway = str(tmp_path / "bin" / "python"), str(tmp_path / "bin" / "headway")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]

    def install(*packages: str) -> set[str]:
        done = subprocess.run(
            [*pip, "install", "--quiet", *packages],
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_TIMEOUT_S,
            cwd=REPOSITORY,
        )
        assert done.returncode == 0, done.stderr
        listed = subprocess.run([*pip, "list", "--format=json"], capture_output=True, check=True).stdout
        return {package["name"].lower() for package in json.loads(listed)}

    plain = install("./schemas", "./clients/python")
    assert {"headway-client", "headway-events", "aiohttp", "msgspec"} <= plain
    assert not plain & {"headway", "rich", "ipython", "confluent-kafka"}
    without = subprocess.run([headway, "--help"], capture_output=True, text=True, check=False)
    assert without.returncode == 1
    assert "pip install 'headway-client[cli]'" in without.stderr
    assert install("./clients/python[cli]") - plain == {"rich", "markdown-it-py", "mdurl", "pygments"}
    helped = subprocess.run([headway, "--help"], capture_output=True, text=True, check=False)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "wait until a batch is finished" in helped.stdout


def test_importing_the_client_loads_neither_rich_nor_ipython() -> None:
    code = "import headway_client, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "headway_client" in loaded
    assert not {"rich", "IPython"} & set(loaded)
