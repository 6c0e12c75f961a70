"""The containers are the same product as the local stack: same servers, known settings, open to this machine alone."""

from __future__ import annotations

import re
from typing import Any

import yaml

from infra.local.settings import CHECKOUT
from infra.local.tools import KAFKA_POM
from support.servers import KAFKA_IMAGE, POSTGRES_IMAGE

COMPOSE = CHECKOUT / "infra" / "compose.yaml"
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]


def test_every_port_is_published_on_loopback_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_setting_is_one_that_a_program_reads() -> None:
    folders = [CHECKOUT / folder for folder in ("infra", "projector", "gateway")]
    known = "".join(path.read_text() for folder in folders for path in folder.rglob("settings.py"))
    used = set(re.findall(r"HEADWAY_[A-Z_]+", COMPOSE.read_text()))
    assert used
    assert {name for name in used if name not in known} == set()


def test_the_same_kafka_and_postgres_are_run_everywhere() -> None:
    version = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([\d.]+)</version>", KAFKA_POM.read_text())
    assert version is not None
    assert SERVICES["kafka"]["image"] == KAFKA_IMAGE == f"apache/kafka:{version[1]}"
    assert SERVICES["postgres"]["image"] == POSTGRES_IMAGE


def test_our_own_images_do_not_run_as_root() -> None:
    stages = (COMPOSE.parent / "images" / "Dockerfile").read_text().split("\nFROM ")
    ours = {stage.splitlines()[0].rpartition(" AS ")[2]: stage for stage in stages}
    for target in (SERVICES["projector"]["build"]["target"], SERVICES["gateway"]["build"]["target"]):
        assert "\nUSER headway\n" in ours[target]
        assert "\nHEALTHCHECK " in ours[target]
