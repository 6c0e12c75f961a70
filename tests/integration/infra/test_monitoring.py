"""Alerts, dashboard and autoscaling ask for metrics that the programs have, and probes for paths that they answer."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from infra.helm.chart import DASHBOARD, RULES
from support.chart import COMPONENTS, rendered
from support.programs import Program
from support.receiver import Receiver, json_hook, write_hooks

REPOSITORY = Path(__file__).parents[3]
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
RUNBOOK = (REPOSITORY / "docs/operate/runbook.md").read_text()
METRIC = re.compile(r"headway_[a-z_]+")


def _questions() -> Iterator[str]:
    """Every expression that Prometheus is asked."""
    yield from (alert["expr"] for alert in ALERTS)
    yield from (target["expr"] for panel in PANELS for target in panel["targets"])
    for scaled in rendered("secured").of("ScaledObject"):
        yield from (trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"])


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_its_section_in_the_runbook(alert: dict[str, Any]) -> None:
    assert f"### {alert['alert']}\n" in RUNBOOK
    assert alert["annotations"]["runbook"] == f"docs/operate/runbook.md#{alert['alert'].lower()}"


def test_every_section_on_an_alert_has_its_rule() -> None:
    sections = re.findall(r"^### (Headway\w+)$", RUNBOOK, re.MULTILINE)
    assert sections == [alert["alert"] for alert in ALERTS]


def test_every_question_is_promql() -> None:
    questions = list(_questions())
    assert len(questions) > len(ALERTS) + len(PANELS)
    for question in questions:
        promql_parser.parse(question)


def test_panels_have_names_and_places_of_their_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len({panel["title"] for panel in PANELS}) == len(PANELS)
    cells = [cell for panel in PANELS for cell in _cells(**panel["gridPos"])]
    assert len(set(cells)) == len(cells)


async def test_every_metric_is_served_and_every_probe_answered(
    make_projector: Callable[..., Program], gateway: Program, receiver: Receiver, tmp_path: Path
) -> None:
    projector = make_projector(**write_hooks(tmp_path, json_hook(receiver)))
    projector.run()
    served: set[str] = set()
    async with aiohttp.ClientSession() as client:
        for component, program in zip(COMPONENTS, (projector, gateway), strict=True):
            async with client.get(f"{program.url}/metrics") as response:
                families = text_string_to_metric_families(await response.text())
                served |= {name for family in families for name in (family.name, *_samples(family))}
            container = rendered("plain").container(component)
            for probe in ("readinessProbe", "livenessProbe"):
                async with client.get(f"{program.url}{container[probe]['httpGet']['path']}") as response:
                    assert response.status == 200, (component, probe)
    assert {name for question in _questions() for name in METRIC.findall(question)} - served == set()


def _samples(family: Any) -> set[str]:
    """The names of a family's time series, those of a counter without any yet included."""
    return {sample.name for sample in family.samples} | (
        {f"{family.name}_total"} if family.type == "counter" else set()
    )


def _cells(x: int, y: int, w: int, h: int) -> Iterator[tuple[int, int]]:
    """The cells of the grid that a panel covers."""
    return itertools.product(range(x, x + w), range(y, y + h))
