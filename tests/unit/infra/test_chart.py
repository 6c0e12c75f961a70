"""The chart runs the real programs: settings that they read, images that are built, pods that end and move in order."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import headway_gateway.settings
import headway_projector.settings
import helm_python
import pytest
from headway_gateway.app import DRAIN_S
from headway_gateway.streams import GOODBYE_S
from headway_projector.app import STOP_TIMEOUT_S

from infra.docs.settings_reference import settings
from infra.helm import check
from infra.helm.chart import CHART, example
from infra.local.settings import CHECKOUT
from support.chart import COMPONENTS, Rendered, rendered

DOCKERFILE = (CHECKOUT / "infra/images/Dockerfile").read_text()
PROGRAMS: dict[str, Any] = {"projector": headway_projector.settings, "gateway": headway_gateway.settings}
SECURED, PLAIN = rendered("secured"), rendered("plain")
every_component = pytest.mark.parametrize("component", COMPONENTS)
every_installation = pytest.mark.parametrize("installed", [SECURED, PLAIN], ids=["secured", "plain"])


def environment(installed: Rendered, component: str, directory: Path) -> dict[str, str]:
    """What the pod's program finds: made-up secrets, and its files in this directory."""
    found: dict[str, str] = {}
    for variable in installed.container(component)["env"]:
        value = variable.get("value", f"postgresql://made-up-secret-of-{variable['name']}")
        if value.startswith("/etc/headway/"):
            value = str(directory / Path(value).name)
            Path(value).write_text("made up")
        found[variable["name"]] = value
    return found


@every_installation
@every_component
def test_the_program_takes_the_settings_that_its_pod_has(installed: Rendered, component: str, tmp_path: Path) -> None:
    found = environment(installed, component, tmp_path)
    read = PROGRAMS[component].Settings.from_environment(found)
    assert read.bootstrap == found["HEADWAY_KAFKA_BOOTSTRAP"]
    assert read.database_url == found["HEADWAY_DATABASE_URL"]


@every_installation
@every_component
def test_every_setting_is_one_that_the_program_reads(installed: Rendered, component: str, tmp_path: Path) -> None:
    modules = (Path(PROGRAMS[component].__file__), CHECKOUT / "schemas/headway_events/kafka_security.py")
    known = {name for module in modules for one in settings(module) for name in re.findall(r"\w+", one.names)}
    named = {name for name in environment(installed, component, tmp_path) if name.startswith("HEADWAY_")}
    assert named - known == set()


@every_component
def test_every_file_is_mounted_from_a_secret_and_nothing_secret_is_rendered(component: str) -> None:
    (projected,) = [one["projected"] for one in SECURED.pod(component)["volumes"] if "projected" in one]
    mounted = {item["path"] for source in projected["sources"] for item in source["secret"]["items"]}
    named = {
        Path(variable["value"]).name
        for variable in SECURED.container(component)["env"]
        if variable.get("value", "").startswith("/etc/headway/")
    }
    assert mounted == named != set()
    assert SECURED.of("Secret") == []
    literal = {one["name"] for one in SECURED.container(component)["env"] if "value" in one}
    assert {name for name in literal if re.search(r"PASSWORD$|SECRET$|DATABASE_URL", name)} == set()


@every_component
def test_the_image_is_one_that_the_dockerfile_builds_and_its_user_the_pods(component: str) -> None:
    assert SECURED.container(component)["image"] == f"registry.example.com/headway/headway-{component}:0.1.0"
    assert f"\nFROM base AS {component}\n" in DOCKERFILE
    context = SECURED.pod(component)["securityContext"]
    assert f"\nUSER {context['runAsUser']}:{context['runAsGroup']}\n" in DOCKERFILE
    (port,) = SECURED.container(component)["ports"]
    assert port["containerPort"] in {int(port) for port in re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)}


def test_the_chart_is_of_the_version_that_the_programs_have() -> None:
    with helm_python.Chart.load(CHART) as chart:
        versions = {chart.metadata["appVersion"]}
    for component in COMPONENTS:
        versions |= set(re.findall(r'^version = "(.+)"$', (CHECKOUT / component / "pyproject.toml").read_text(), re.M))
    assert len(versions) == 1


@every_component
def test_a_container_may_do_nothing_and_write_nowhere_but_in_tmp(component: str) -> None:
    container = SECURED.container(component)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    pod = SECURED.pod(component)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert [one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")] == ["/tmp"]


@every_component
def test_a_service_of_the_same_name_does_not_become_a_setting(component: str) -> None:
    assert (
        SECURED.named("Service", "gateway")["metadata"]["name"] == "headway-gateway"
    )  # HEADWAY_GATEWAY_PORT=tcp://...
    assert SECURED.pod(component)["enableServiceLinks"] is False


def test_a_gateway_has_the_time_to_drain_and_a_projector_to_end_its_transaction() -> None:
    gateway, projector = SECURED.pod("gateway"), SECURED.pod("projector")
    slept = SECURED.container("gateway")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert gateway["terminationGracePeriodSeconds"] > slept + GOODBYE_S + DRAIN_S
    assert projector["terminationGracePeriodSeconds"] > STOP_TIMEOUT_S


@every_component
def test_nodes_can_be_drained_one_pod_at_a_time_even_while_none_is_ready(component: str) -> None:
    budget = SECURED.named("PodDisruptionBudget", component)["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert PLAIN.named("Deployment", component)["spec"]["replicas"] > 1


@every_component
def test_all_that_choose_pods_choose_those_of_the_deployment(component: str) -> None:
    deployment = SECURED.named("Deployment", component)["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    spreads = [one["labelSelector"]["matchLabels"] for one in SECURED.pod(component)["topologySpreadConstraints"]]
    budget = SECURED.named("PodDisruptionBudget", component)["spec"]["selector"]["matchLabels"]
    policy = SECURED.named("NetworkPolicy", component)["spec"]["podSelector"]["matchLabels"]
    monitor = SECURED.named("PodMonitor", component)["spec"]["selector"]["matchLabels"]
    assert all(one == labels for one in (*spreads, deployment["selector"]["matchLabels"], budget, policy, monitor))
    assert SECURED.named("Service", "gateway")["spec"]["selector"]["app.kubernetes.io/component"] == "gateway"
    everybody = SECURED.named("NetworkPolicy", "default")["spec"]["podSelector"]["matchLabels"]
    assert everybody.items() < labels.items()


@every_component
def test_the_autoscaler_decides_on_replicas_alone_where_there_is_one(component: str) -> None:
    scaled = SECURED.named("ScaledObject", component)["spec"]
    assert scaled["scaleTargetRef"]["name"] == SECURED.named("Deployment", component)["metadata"]["name"]
    assert "replicas" not in SECURED.named("Deployment", component)["spec"]
    assert PLAIN.of("ScaledObject") == []


def test_one_large_batch_asks_for_one_projector_and_its_lag_for_no_more() -> None:
    (trigger,) = SECURED.named("ScaledObject", "projector")["spec"]["triggers"]
    assert trigger["metadata"]["query"] == (
        'clamp_max(sum(headway_projector_lag_events{namespace="tracking"}), '
        '1000000 * scalar(count(headway_projector_batch_lag_events{namespace="tracking"} > 0) or vector(0)))'
    )
    assert trigger["metadata"]["threshold"] == "1000000"


def _ports(rules: list[dict[str, Any]]) -> set[int]:
    return {port["port"] for rule in rules for port in rule["ports"]}


def test_pods_reach_dns_kafka_postgresql_and_nothing_else_but_what_their_settings_call() -> None:
    denied = SECURED.named("NetworkPolicy", "default")["spec"]
    assert denied["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in denied
    bootstrap = example("secured")["settings"]["HEADWAY_KAFKA_BOOTSTRAP"]
    assert _ports(denied["egress"]) == {53, int(bootstrap.rpartition(":")[2]), 5432}
    hooks = SECURED.named("NetworkPolicy", "projector")["spec"]["egress"]  # those of HEADWAY_PROJECTOR_ALERTS_FILE
    assert _ports(hooks) == {443}
    assert "egress" not in SECURED.named("NetworkPolicy", "gateway")["spec"]


def test_readers_reach_gateways_and_prometheus_both() -> None:
    callers = {component: SECURED.named("NetworkPolicy", component)["spec"]["ingress"] for component in COMPONENTS}
    names = {
        component: [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]]
        for component, (rule,) in callers.items()
    }
    assert names == {"projector": ["monitoring"], "gateway": ["ingress-nginx", "monitoring"]}
    assert {component: _ports(rules) for component, rules in callers.items()} == {
        "projector": {8081},
        "gateway": {8080},
    }


def test_prometheus_shows_the_gateway_a_token_where_it_asks_for_one() -> None:
    (endpoint,) = SECURED.named("PodMonitor", "gateway")["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "headway-metrics", "key": "token"}
    assert endpoint["port"] == SECURED.container("gateway")["ports"][0]["name"]


def test_readers_come_by_tls_alone() -> None:
    (ingress,) = SECURED.of("Ingress")
    assert ingress["spec"]["tls"] == [{"hosts": ["headway.example.com"], "secretName": "headway-tls"}]
    assert ingress["spec"]["rules"][0]["host"] == "headway.example.com"
    assert PLAIN.of("Ingress") == []


def _without(path: str) -> dict[str, Any]:
    """The values of `secured` without one of them."""
    values = copy.deepcopy(example("secured"))
    *parents, last = path.split("/")
    inner = values
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    return values


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("settings/HEADWAY_KAFKA_BOOTSTRAP", "needs HEADWAY_KAFKA_BOOTSTRAP"),
        ("projector/secrets/HEADWAY_DATABASE_URL", "the projector needs HEADWAY_DATABASE_URL"),
        ("gateway/secrets/HEADWAY_GATEWAY_TOKEN_SECRET", "HEADWAY_GATEWAY_OPEN"),
        ("ingress/tlsSecret", "tokens must not travel without TLS"),
        ("autoscaling/prometheus", "autoscaling.prometheus"),
    ],
)
def test_what_everybody_has_to_decide_is_asked_for(missing: str, said: str) -> None:
    with pytest.raises(helm_python.HelmError, match=said):
        Rendered(_without(missing))


def test_a_setting_that_is_given_twice_is_refused() -> None:
    values = example("secured")
    values["settings"]["HEADWAY_DATABASE_URL"] = "postgresql://elsewhere/headway"
    with pytest.raises(helm_python.HelmError, match="HEADWAY_DATABASE_URL is given to the projector in more than one"):
        Rendered(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"projektor": {}}, "projektor"),
        ({"gateway": {"settings": {"headway_gateway_open": "1"}}}, "headway_gateway_open"),
        ({"projector": {"secrets": {"HEADWAY_DATABASE_URL": "in plain text"}}}, "HEADWAY_DATABASE_URL"),
    ],
)
def test_a_value_that_the_chart_does_not_know_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm_python.HelmError, match=said):
        Rendered(example("plain") | values)


def test_the_page_makes_every_secret_that_the_example_names_and_no_other() -> None:
    page = (CHECKOUT / "docs/operate/kubernetes.md").read_text()
    folders = re.findall(r"`secrets/(\w+)/([\w.-]+)`", page)
    made: set[tuple[str, str]] = set()
    for name, rest in re.findall(r"create secret generic ([\w-]+) (.+)", page):
        made |= {(name, key) for key in re.findall(r"--from-(?:file|literal)=([\w.-]+)=", rest)}
        made |= {(name, key) for folder, key in folders if f"=secrets/{folder}/" in rest}
    assert made == set(_references(example("secured")))
    assert "create secret tls headway-tls " in page
    assert [path for path in re.findall(r"infra/[\w./-]+\w", page) if not (CHECKOUT / path).exists()] == []


def _references(values: object) -> Iterator[tuple[str, str]]:
    """Every key of a Secret that these values name."""
    if not isinstance(values, dict):
        return
    if values.keys() == {"secret", "key"}:
        yield values["secret"], values["key"]
    for inner in values.values():
        yield from _references(inner)


@pytest.mark.parametrize(
    ("kind", "field"), [("Deployment", "strategyy"), ("ScaledObject", "minReplicas"), ("PodMonitor", "podMetrics")]
)
def test_the_check_refuses_a_field_that_the_cluster_would_drop(kind: str, field: str) -> None:
    manifest = copy.deepcopy(SECURED.of(kind)[0])
    assert list(check.invalid(manifest)) == []
    manifest["spec"][field] = {}
    assert any(field in problem for problem in check.invalid(manifest))
