"""The containers are the same product as the local stack: same servers, known settings, open to this machine alone."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import headway_gateway.settings
import headway_projector.settings
import pytest
import yaml

from infra.local.settings import CHECKOUT
from infra.local.tools import KAFKA_POM
from support.servers import KAFKA_IMAGE, POSTGRES_IMAGE

COMPOSE = CHECKOUT / "infra" / "compose.yaml"
OURS: dict[str, Any] = {"projector": headway_projector.settings, "gateway": headway_gateway.settings}
NAMES = ("kafka", "postgres", "projector", "gateway", "prometheus", "grafana")
DOCKERFILE = (COMPOSE.parent / "images" / "Dockerfile").read_text()
STAGES = {stage.splitlines()[0].rpartition(" AS ")[2]: stage for stage in DOCKERFILE.split("\nFROM ")[1:]}


@functools.cache
def services() -> dict[str, Any]:
    """The services as Docker Compose understands the file."""
    compose = Path(sys.executable).with_name("docker-compose")
    command = [str(compose), "-f", str(COMPOSE), "config", "--format", "json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["services"]
    return found


def configuration(path: str) -> Any:
    """A file that a service is configured with."""
    return yaml.safe_load((COMPOSE.parent / path).read_text())


def test_every_service_is_there_and_its_port_is_published_on_loopback_alone() -> None:
    assert set(services()) == set(NAMES)
    ports = {name: service.get("ports", []) for name, service in services().items()}
    assert [name for name in NAMES if not ports[name]] == ["projector"]  # which may be many
    assert {port["host_ip"] for published in ports.values() for port in published} == {"127.0.0.1"}


@pytest.mark.parametrize("name", NAMES)
def test_a_service_may_do_nothing_beside_its_work(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    assert "healthcheck" in service or name in OURS  # whose images have one


@pytest.mark.parametrize("name", NAMES)
def test_a_service_starts_once_those_it_needs_are_healthy(name: str) -> None:
    needed = services()[name].get("depends_on", {})
    assert {one["condition"] for one in needed.values()} <= {"service_healthy"}
    assert set(needed) == {
        "projector": {"kafka", "postgres"},
        "gateway": {"kafka", "postgres", "projector"},
        "grafana": {"prometheus"},
    }.get(name, set())


@pytest.mark.parametrize("name", OURS)
def test_the_program_takes_the_settings_that_its_container_has(name: str) -> None:
    image = dict(re.findall(r"\b(HEADWAY_\w+)=(\S+)", STAGES[name]))
    read = OURS[name].Settings.from_environment({**image, **services()[name]["environment"]})
    assert read.bootstrap == "kafka:19092"
    assert "0.0.0.0" in {getattr(read, field) for field in ("host", "health_host") if hasattr(read, field)}


def test_every_port_that_can_be_moved_is_documented() -> None:
    movable = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    page = (CHECKOUT / "docs/operate/containers.md").read_text()
    assert len(movable) == 5
    assert {name for name in movable if f"`{name}`" not in page} == set()


def test_the_same_kafka_and_postgres_are_run_everywhere() -> None:
    version = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([\d.]+)</version>", KAFKA_POM.read_text())
    assert version is not None
    assert services()["kafka"]["image"] == KAFKA_IMAGE == f"apache/kafka:{version[1]}"
    assert services()["postgres"]["image"] == POSTGRES_IMAGE


@pytest.mark.parametrize("name", OURS)
def test_our_own_images_have_a_health_check_and_nothing_to_build_with(name: str) -> None:
    assert services()[name]["build"]["target"] == name
    assert STAGES[name].startswith("base AS ")
    assert "\nHEALTHCHECK " in STAGES[name]
    assert re.search(r"\nUSER \d+:\d+\n", STAGES["base"])
    assert "pip uninstall" in STAGES["base"]
    assert "venv --without-pip" in STAGES[f"install-{name}"]
    assert "--constraint requirements.lock" in STAGES[f"install-{name}"]


def test_images_are_pinned() -> None:
    assert re.search(r"^ARG PYTHON=python:[\w.-]+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    others = {service["image"] for name, service in services().items() if name not in OURS}
    assert {image for image in others if not re.search(r":v?\d+(\.\d+)+$", image)} == set()


def test_prometheus_scrapes_the_programs_where_they_answer_and_has_the_alerts() -> None:
    config = configuration("prometheus/prometheus.yml")
    scraped = {one["names"][0]: one["port"] for job in config["scrape_configs"] for one in job["dns_sd_configs"]}
    assert scraped == {name: int(re.findall(r"EXPOSE (\d+)", STAGES[name])[0]) for name in OURS}
    assert [name for name in config["rule_files"] if not (COMPOSE.parent / "prometheus" / name).exists()] == []


def test_grafana_finds_prometheus_and_its_dashboard() -> None:
    (source,) = configuration("grafana/datasources/prometheus.yaml")["datasources"]
    (port,) = services()["prometheus"]["ports"]
    assert source["url"] == f"http://prometheus:{port['target']}"
    mounts = {Path(one["source"]).name: one["target"] for one in services()["grafana"]["volumes"] if "source" in one}
    (provider,) = configuration("grafana/providers/headway.yaml")["providers"]
    assert mounts["providers"] == "/etc/grafana/provisioning/dashboards"
    assert mounts["datasources"] == "/etc/grafana/provisioning/datasources"
    assert provider["options"]["path"] == mounts["dashboards"]
    home = Path(services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (COMPOSE.parent / "grafana/dashboards" / home.relative_to(mounts["dashboards"])).exists()
