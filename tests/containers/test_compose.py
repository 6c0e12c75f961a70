"""infra/compose.yaml, built and run: a batch goes all the way, is measured and shown. Needs a Docker engine."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.local.service import free_port
from infra.local.settings import CHECKOUT
from support.api import get
from support.end_to_end import a_batch_goes_all_the_way
from support.eventually import eventually

BUILD_S = 900  # images are pulled and built
PORTS = ("KAFKA", "POSTGRES", "GATEWAY", "PROMETHEUS", "GRAFANA")

pytestmark = [pytest.mark.timeout(BUILD_S), pytest.mark.quiet]


class Containers:
    """One project of containers, on ports of its own."""

    def __init__(self) -> None:
        """Choose them; nothing is started yet."""
        self.ports = {name: free_port() for name in PORTS}
        self._project = f"headway-test-{uuid.uuid4().hex[:8]}"

    def url(self, name: str) -> str:
        """Where a service answers on this machine."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Docker Compose on them."""
        command = [
            str(Path(sys.executable).with_name("docker-compose")),
            "-p",
            self._project,
            "-f",
            "infra/compose.yaml",
        ]
        settings = {f"HEADWAY_{name}_PORT": str(port) for name, port in self.ports.items()}
        done = subprocess.run(
            [*command, *arguments],
            cwd=CHECKOUT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    """All services, healthy."""
    project = Containers()
    if project.compose("ps", check=False).returncode != 0:
        pytest.skip("no Docker engine answers")
    try:
        project.compose("up", "--build", "--wait", "--quiet-pull")
        yield project
    finally:
        print(project.compose("logs", "--tail=50", check=False).stdout)
        project.compose("down", "--volumes", "--rmi=local", "--timeout=20")


async def test_a_batch_goes_all_the_way_in_containers(containers: Containers, batch_id: int, tmp_path: Path) -> None:
    pipeline = {
        "HEADWAY_KAFKA_BOOTSTRAP": f"127.0.0.1:{containers.ports['KAFKA']}",
        "HEADWAY_SPOOL_DIR": str(tmp_path / "spool"),
    }
    await a_batch_goes_all_the_way(pipeline, containers.url("GATEWAY"), batch_id)


async def test_prometheus_scrapes_both_programs_and_grafana_has_the_dashboard(containers: Containers) -> None:
    async with aiohttp.ClientSession() as client:

        async def targets() -> dict[str, str]:
            found = await get(client, f"{containers.url('PROMETHEUS')}/api/v1/targets")
            return {target["labels"]["job"]: target["health"] for target in found["data"]["activeTargets"]}

        await eventually(targets, lambda found: found == {"headway-projector": "up", "headway-gateway": "up"})
        shown: dict[str, Any] = await get(client, f"{containers.url('GRAFANA')}/api/dashboards/uid/headway")
        assert shown["dashboard"]["title"] == "Headway"
        through_grafana = f"{containers.url('GRAFANA')}/api/datasources/proxy/uid/prometheus/api/v1/query"
        assert (await get(client, f"{through_grafana}?query=headway_gateway_streams"))["data"]["result"] != []


@pytest.mark.parametrize("name", ["projector", "gateway"])
def test_a_program_is_nobody_writes_nowhere_and_cannot_install(containers: Containers, name: str) -> None:
    assert containers.compose("exec", name, "id", "-u").stdout.strip() == "10001"
    assert "Read-only file system" in containers.compose("exec", name, "touch", "/opt/headway/x", check=False).stderr
    assert containers.compose("exec", name, "python", "-m", "pip", check=False).returncode != 0
