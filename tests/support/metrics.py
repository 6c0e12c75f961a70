"""Reads what a program says of itself in the Prometheus format."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from support.programs import Program


def metric(program: Program, name: str, **labels: str) -> float | None:
    """The value of one time series of a program, or None if it has none such."""
    with urllib.request.urlopen(f"{program.url}/metrics", timeout=5) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    for family in families:
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None
