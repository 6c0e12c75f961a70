"""What the chart renders, looked up by kind and name."""

from __future__ import annotations

from typing import Any

from infra.helm.chart import Manifest, example, render

COMPONENTS = ("projector", "gateway")


class Rendered:
    """The objects of one installation."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Render the chart with these values."""
        self.manifests = render(values)

    def named(self, kind: str, component: str) -> Manifest:
        """The one object of a kind for a component."""
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == f"headway-{component}"]
        return found

    def of(self, kind: str) -> list[Manifest]:
        """All objects of a kind."""
        return [one for one in self.manifests if one["kind"] == kind]

    def pod(self, component: str) -> Manifest:
        """The pod's specification of a component."""
        spec: Manifest = self.named("Deployment", component)["spec"]["template"]["spec"]
        return spec

    def container(self, component: str) -> Manifest:
        """The only container of that pod."""
        (found,) = self.pod(component)["containers"]
        return dict(found)


def rendered(name: str) -> Rendered:
    """An example's."""
    return Rendered(example(name))
