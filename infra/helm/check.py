"""Lints the chart, and holds what it renders to the schemas of Kubernetes, KEDA and the Prometheus operator.

A field that a schema does not know is an error: a cluster would drop it without a word.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

import helm_python
import kubernetes_validate
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule
from pydantic import BaseModel, ValidationError

from infra.helm.chart import CHART, NAMESPACE, Manifest, example, render

EXAMPLES: Final = ("plain", "secured")
VERSIONS: Final = ("1.30", "1.37")  # of Kubernetes: the oldest that Chart.yaml takes, and the newest with schemas here
CUSTOM: Final[dict[str, type[BaseModel]]] = {
    "keda.sh/v1alpha1/ScaledObject": ScaledObject,
    "monitoring.coreos.com/v1/PodMonitor": PodMonitor,
    "monitoring.coreos.com/v1/PrometheusRule": PrometheusRule,
}


def main() -> int:
    """Check every example; 1 when something is wrong, which is printed."""
    wrong = [f"{name}: {problem}" for name in EXAMPLES for problem in problems(example(name))]
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


def problems(values: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the chart under these values."""
    for message in helm_python.lint(CHART, values, strict=True, namespace=NAMESPACE)["messages"]:
        if message["severity"] > 1:  # below is advice, such as to have an icon
            yield f"{message['path']}: {message['error']}"
    for manifest in render(values):
        yield from invalid(manifest)


def invalid(manifest: Manifest) -> Iterator[str]:
    """What the schemas of its kind refuse in an object."""
    kind = f"{manifest['apiVersion']}/{manifest['kind']}"
    name = f"{kind} {manifest['metadata']['name']}"
    if kind in CUSTOM:
        try:
            CUSTOM[kind].model_validate(manifest, extra="forbid")
        except ValidationError as error:
            yield f"{name}: {error}"
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{name}, Kubernetes {version}: {error.message}"


if __name__ == "__main__":
    sys.exit(main())
