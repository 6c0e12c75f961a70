"""Prometheus's alert rules ask for metrics that the programs have, and each is explained in the runbook."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from support.programs import Program
from support.receiver import Receiver, json_hook, write_hooks

REPOSITORY = Path(__file__).parents[3]
RULES: list[dict[str, Any]] = yaml.safe_load((REPOSITORY / "infra/prometheus/alerts.yml").read_text())["groups"][0][
    "rules"
]
RUNBOOK = (REPOSITORY / "docs/operate/runbook.md").read_text()
METRIC = re.compile(r"headway_[a-z_]+")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_promql_and_has_its_section_in_the_runbook(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])
    assert f"### {rule['alert']}\n" in RUNBOOK
    assert rule["annotations"]["runbook"] == f"docs/operate/runbook.md#{rule['alert'].lower()}"


def test_every_section_on_an_alert_has_its_rule() -> None:
    sections = re.findall(r"^### (Headway\w+)$", RUNBOOK, re.MULTILINE)
    assert sections == [rule["alert"] for rule in RULES]


async def test_every_metric_that_a_rule_asks_for_is_served(
    make_projector: Callable[..., Program], gateway: Program, receiver: Receiver, tmp_path: Path
) -> None:
    projector = make_projector(**write_hooks(tmp_path, json_hook(receiver)))
    projector.run()
    served: set[str] = set()
    async with aiohttp.ClientSession() as client:
        for program in (projector, gateway):
            async with client.get(f"{program.url}/metrics") as response:
                families = text_string_to_metric_families(await response.text())
                served |= {name for family in families for name in (family.name, *_samples(family))}
    assert {name for rule in RULES for name in METRIC.findall(rule["expr"])} - served == set()


def _samples(family: Any) -> set[str]:
    """The names of a family's time series, those of a counter without any yet included."""
    return {sample.name for sample in family.samples} | (
        {f"{family.name}_total"} if family.type == "counter" else set()
    )
