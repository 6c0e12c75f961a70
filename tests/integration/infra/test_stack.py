"""`python -m infra.local`: up twice is up once, down leaves no process, and what is wrong is said with the remedy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.local.service import free_port
from infra.local.settings import CHECKOUT, StackSettings
from infra.local.stack import SERVICES
from support import servers


@pytest.fixture
def stack_settings() -> Iterator[dict[str, str]]:
    """Free ports and a state directory of its own, with Kafka's jars in it."""
    with servers.scratch_directory() as directory:
        (directory / "jars").symlink_to(servers.JARS)
        ports = {
            f"HEADWAY_{name}_PORT": str(free_port())
            for name in ("KAFKA", "KAFKA_CONTROLLER", "POSTGRES", "PROJECTOR_HEALTH", "GATEWAY")
        }
        settings = {"HEADWAY_STATE_DIR": str(directory), **ports}
        yield settings
        _stack("down", settings=settings)
        _stack("clean", settings=settings)


def _stack(*arguments: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.local", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def _pids(settings: dict[str, str]) -> dict[str, int]:
    places = StackSettings.from_environment(settings)
    files = {name: (places.kafka_dir if name == "kafka" else places.logs) / f"{name}.pid" for name in SERVICES}
    return {name: json.loads(file.read_text())["pid"] for name, file in files.items() if file.exists()}


def test_up_twice_is_up_once_and_down_leaves_no_process(stack_settings: dict[str, str]) -> None:
    first = _stack("up", settings=stack_settings)
    assert first.returncode == 0, first.stderr
    dashboard = f"dashboard: http://127.0.0.1:{stack_settings['HEADWAY_GATEWAY_PORT']}/"
    assert first.stdout.splitlines() == [*(f"{name}: started" for name in SERVICES), dashboard]
    pids = _pids(stack_settings)
    family = [child.pid for pid in pids.values() for child in psutil.Process(pid).children(recursive=True)]

    second = _stack("up", settings=stack_settings)
    assert second.stdout.splitlines() == [*(f"{name}: runs already" for name in SERVICES), dashboard]
    assert _pids(stack_settings) == pids

    status = _stack("status", settings=stack_settings)
    assert (status.returncode, status.stdout.splitlines()) == (0, [f"{name}: healthy" for name in SERVICES])

    down = _stack("down", settings=stack_settings)
    assert down.returncode == 0, down.stderr
    assert down.stdout.splitlines() == [f"{name}: stopped" for name in reversed(SERVICES)]
    assert [pid for pid in [*pids.values(), *family] if psutil.pid_exists(pid)] == []


def test_up_starts_again_what_was_killed_and_nothing_else(stack_settings: dict[str, str]) -> None:
    assert _stack("up", "--only", "kafka,postgres", settings=stack_settings).returncode == 0
    pids = _pids(stack_settings)
    postgres = psutil.Process(pids["postgres"])
    postgres.kill()
    postgres.wait(20)  # until init has reaped it: PostgreSQL takes a pid that exists for a server that runs
    status = _stack("status", "--only", "kafka,postgres", settings=stack_settings)
    assert (status.returncode, status.stdout) == (1, "kafka: healthy\npostgres: not running\n")
    again = _stack("up", "--only", "kafka,postgres", settings=stack_settings)
    assert (again.returncode, again.stdout) == (0, "kafka: runs already\npostgres: started\n"), again.stderr
    assert _pids(stack_settings)["kafka"] == pids["kafka"]


def test_clean_refuses_while_something_runs_and_removes_only_what_is_the_stacks(
    stack_settings: dict[str, str],
) -> None:
    state = Path(stack_settings["HEADWAY_STATE_DIR"])
    (state / "notes.txt").write_text("mine")
    assert _stack("up", "--only", "postgres", settings=stack_settings).returncode == 0
    refused = _stack("clean", settings=stack_settings)
    assert (refused.returncode, refused.stderr) == (1, "clean: postgres still runs. Run `make down` first.\n")
    assert _stack("down", settings=stack_settings).returncode == 0
    assert _stack("clean", settings=stack_settings).returncode == 0
    assert not StackSettings.from_environment(stack_settings).postgres_data.exists()
    assert (state / "notes.txt").read_text() == "mine"


def test_down_needs_none_of_the_tools_that_up_needs(stack_settings: dict[str, str]) -> None:
    done = _stack("down", settings={**stack_settings, "PATH": ""})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("did not run") == 4


def test_up_names_a_taken_port_its_owner_and_the_setting_that_moves_it(stack_settings: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(stack_settings["HEADWAY_POSTGRES_PORT"])))
        other.listen()
        done = _stack("up", "--only", "postgres", settings=stack_settings)
    assert done.returncode == 1
    assert f"pid {os.getpid()}" in done.stderr
    assert "set HEADWAY_POSTGRES_PORT to a free port" in done.stderr
    assert "Traceback" not in done.stderr


def test_up_names_a_missing_tool_and_the_package_that_brings_it(stack_settings: dict[str, str]) -> None:
    done = _stack("up", "--only", "kafka", settings={**stack_settings, "PATH": "/nowhere"})
    assert done.returncode == 1
    assert "java was not found" in done.stderr
    assert "apt-get install openjdk-17-jre-headless" in done.stderr


def test_up_shows_why_a_server_died(stack_settings: dict[str, str]) -> None:
    broken = Path(stack_settings["HEADWAY_STATE_DIR"]) / "kafka" / "data"
    broken.mkdir(parents=True)
    (broken / "meta.properties").write_text("version=1\ncluster.id=of-another-cluster\nnode.id=7\n")
    done = _stack("up", "--only", "kafka", settings=stack_settings)
    assert done.returncode == 1
    assert "kafka ended while starting" in done.stderr
    assert "configured node id matches" in done.stderr
