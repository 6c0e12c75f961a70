"""What the Python client brings along: aiohttp and msgspec; rich with its extra, and nothing for notebooks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from infra.release.clean_environment import INSTALL_TIMEOUT_S, CleanEnvironment


@pytest.mark.timeout(2 * INSTALL_TIMEOUT_S)
def test_the_command_asks_for_its_extra_and_works_with_it(installation: CleanEnvironment) -> None:
    plain = installation.install("headway-events", "headway-client")
    assert {"headway-client", "headway-events", "aiohttp", "msgspec"} <= plain
    assert not plain & {"headway", "rich", "ipython", "confluent-kafka"}
    without = installation.run("headway", "--help")
    assert without.returncode == 1
    assert "pip install 'headway-client[cli]'" in without.stderr
    assert installation.install("headway-client[cli]") - plain == {"rich", "markdown-it-py", "mdurl", "pygments"}
    helped = installation.run("headway", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "wait until a batch is finished" in helped.stdout


def test_importing_the_client_loads_neither_rich_nor_ipython() -> None:
    code = "import headway_client, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "headway_client" in loaded
    assert not {"rich", "IPython"} & set(loaded)
