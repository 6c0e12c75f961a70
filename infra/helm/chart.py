"""Renders the chart as `helm template` does, with the values of its examples or others."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import helm_python
import yaml

CHART: Final = Path(__file__).with_name("headway")
RULES: Final = CHART.parents[1] / "prometheus" / "alerts.yml"
DASHBOARD: Final = CHART.parents[1] / "grafana" / "dashboards" / "headway.json"
RELEASE: Final = "headway"
NAMESPACE: Final = "tracking"

Manifest = dict[str, Any]


def example(name: str) -> dict[str, Any]:
    """The values of an example, with what docs/operate/kubernetes.md sets beside the one that has everything."""
    values: dict[str, Any] = yaml.safe_load((CHART.with_name("examples") / f"{name}.yaml").read_text())
    if name == "secured":
        values["monitoring"] |= {"rules": RULES.read_text(), "dashboard": DASHBOARD.read_text()}
    return values


def render(values: dict[str, Any]) -> list[Manifest]:
    """The objects that Kubernetes would be given.

    Raises:
        helm_python.HelmError: the chart refuses these values.
    """
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    return [found for text in files.values() for found in yaml.safe_load_all(text) if found is not None]
