"""The Helm chart as Kubernetes sees it: valid, restricted, and true to the worker it starts."""

import json
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.deploy.tools import CHART, Document, documents, of_kind, rendered, run
from worker.config import Config
from worker.rabbit.users import User, users_of
from worker.telemetry.health import PATHS
from worker.telemetry.tracing.opening import exporters_of

VALUES = {
    "default": (),
    "production": ("--values", CHART / "values-production.yaml"),
    "everything": ("--values", CHART / "values-everything.yaml"),
}
RELEASES = ("1.31", "1.34", "1.37")
CRDS = Path(__file__).parent / "crds"
VOLUMES = {"secret", "emptyDir", "persistentVolumeClaim"}
CUSTOM = {"ScaledObject", "PodMonitor", "PrometheusRule", "User", "Permission"}


@pytest.fixture(scope="module", params=VALUES)
def found(request: pytest.FixtureRequest) -> list[Document]:
    """What the chart makes of each set of values."""
    return documents(rendered(*VALUES[request.param]))


@pytest.mark.parametrize("name", VALUES)
def test_helm_finds_nothing_to_say(name: str) -> None:
    done = run("helm", "lint", "--strict", CHART, *VALUES[name])
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout + done.stderr


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", VALUES)
def test_objects_are_valid_for_three_releases(tmp_path: Path, name: str, release: str) -> None:
    path = tmp_path / "chart.yaml"
    path.write_text(rendered(*VALUES[name]))
    done = run("kubernetes-validate", "--strict", "-k", release, path)
    assert done.returncode == 0, done.stdout + done.stderr
    unknown = [line for line in (done.stdout + done.stderr).splitlines() if "WARN" in line]
    assert all(any(f"kind {kind} " in line for kind in CUSTOM) for line in unknown), unknown


def test_custom_objects_fit_their_schemas() -> None:
    made = documents(rendered(*VALUES["everything"]))
    for kind in CUSTOM:
        schema = json.loads((CRDS / f"{kind}.json").read_text())
        validator = jsonschema_rs.validator_for(schema)
        objects = of_kind(made, kind)
        assert objects, f"everything has no {kind}"
        for each in objects:
            assert [error.message for error in validator.iter_errors(each)] == []


def pods(found: Sequence[Document]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the specification of every pod, and what makes it."""
    for each in found:
        spec = each.get("spec", {})
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if each["kind"] in {"Deployment", "Job", "CronJob"}:
            yield each["kind"], spec["template"]["spec"]


def test_pods_are_restricted_and_write_nowhere_but_to_tmp(found: list[Document]) -> None:
    seen = 0
    for _, pod in pods(found):
        seen += 1
        assert pod["automountServiceAccountToken"] is False
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert all(VOLUMES & volume.keys() for volume in pod["volumes"])
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} == container["resources"]["requests"].keys()
            assert container["resources"]["limits"].keys() == {"memory"}
    assert seen >= 2


def test_secrets_are_files_and_never_variables(found: list[Document]) -> None:
    for _, pod in pods(found):
        for container in pod["containers"]:
            sources = [each.get("valueFrom", {}) for each in container.get("env", [])]
            assert all("secretKeyRef" not in source for source in sources)
            assert all("secretRef" not in each for each in container.get("envFrom", []))


def test_worker_takes_the_settings_it_is_given(found: list[Document], tmp_path: Path) -> None:
    (settings,) = [
        each for each in of_kind(found, "ConfigMap") if "IGSEND_ACCOUNTS" in each["data"]
    ]
    environment = dict(settings["data"])
    for name, url in (("AMQP", "amqps://u:p@broker/v"), ("GATE", "rediss://:p@redis/0")):
        file = tmp_path / name
        file.write_text(url)
        assert environment[f"IGSEND_{name}_URL_FILE"].startswith("/run/secrets/igsend/")
        environment[f"IGSEND_{name}_URL_FILE"] = str(file)
    config = Config.from_env(environment)
    assert config.declare is False
    (deployment,) = of_kind(found, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    # docs/operations.md, "Drain": and some time to publish and to settle.
    assert pod["terminationGracePeriodSeconds"] >= config.drain_s + 15
    (container,) = pod["containers"]
    assert container["ports"][0]["containerPort"] == config.http_port
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in PATHS
    for volume in container["volumeMounts"]:
        if volume["name"] != "tmp":
            assert volume["readOnly"] is True


def test_tracing_is_on_when_a_collector_is_named_which_the_policy_lets_it_reach() -> None:
    (worker,) = of_kind(documents(rendered()), "Deployment")
    assert "env" not in worker["spec"]["template"]["spec"]["containers"][0]
    made = documents(rendered("--set", "tracing.endpoint=http://c.example:4318"))
    (worker,) = of_kind(made, "Deployment")
    variables = worker["spec"]["template"]["spec"]["containers"][0]["env"]
    environment = {each["name"]: each.get("value", "") for each in variables}
    assert exporters_of(environment) == ["otlp"]
    (policy,) = [
        each for each in of_kind(made, "NetworkPolicy") if each["metadata"]["name"] == "demo-igsend"
    ]
    assert 4318 in [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]


def test_liveness_and_start_do_not_depend_on_the_broker(found: list[Document]) -> None:
    (deployment,) = of_kind(found, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    paths = {probe: container[probe]["httpGet"]["path"] for probe in container if "Probe" in probe}
    assert paths == {
        "startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz",
    }  # fmt: skip


def test_rollout_starts_the_new_before_it_ends_the_old(found: list[Document]) -> None:
    (deployment,) = of_kind(found, "Deployment")
    strategy = deployment["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (disruption,) = of_kind(found, "PodDisruptionBudget")
    selector = disruption["spec"]["selector"]["matchLabels"]
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_one_worker_without_redis_is_replaced_after_it_has_gone() -> None:
    alone = ("--set", "gate.existingSecret=,replicaCount=1")
    (deployment,) = of_kind(documents(rendered(*alone)), "Deployment")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_change_of_a_setting_restarts_the_workers() -> None:
    def checksum(*arguments: str) -> str:
        (deployment,) = of_kind(documents(rendered(*arguments)), "Deployment")
        annotations: dict[str, str] = deployment["spec"]["template"]["metadata"]["annotations"]
        return annotations["checksum/settings"]

    assert checksum() == checksum("--set", "replicaCount=5")
    assert checksum() != checksum("--set", "settings.IGSEND_CONCURRENCY=7")


def allows(rules: Sequence[Document], address: str, port: int) -> bool:
    """Whether egress rules let a pod call an address outside of the cluster."""
    for rule in rules:
        if port not in {each["port"] for each in rule["ports"]}:
            continue
        for peer in rule["to"]:
            block = peer.get("ipBlock")
            if block is None or ip_address(address) not in ip_network(block["cidr"]):
                continue
            if not any(ip_address(address) in ip_network(n) for n in block.get("except", [])):
                return True
    return False


@pytest.mark.parametrize(
    ("address", "port", "is_allowed"),
    [
        ("157.240.1.174", 443, True),
        ("2a03:2880:f12f:83:face:b00c:0:25de", 443, True),
        ("157.240.1.174", 80, False),
        ("10.0.0.1", 443, False),
        ("172.20.0.1", 443, False),
        ("192.168.1.1", 443, False),
        ("169.254.169.254", 443, False),
        ("100.100.100.200", 443, False),
        ("127.0.0.1", 443, False),
        ("::1", 443, False),
        ("fd00:ec2::254", 443, False),
        ("fe80::1", 443, False),
    ],
)
def test_only_public_addresses_are_reached_besides_broker_and_redis(
    address: str, port: int, is_allowed: bool
) -> None:
    policies = of_kind(documents(rendered()), "NetworkPolicy")
    (policy,) = [each for each in policies if each["metadata"]["name"] == "demo-igsend"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert allows(policy["spec"]["egress"], address, port) is is_allowed


def test_every_pod_has_a_network_policy() -> None:
    made = documents(rendered(*VALUES["everything"]))
    selectors = [
        each["spec"]["podSelector"]["matchLabels"].items()
        for each in of_kind(made, "NetworkPolicy")
    ]
    for each in made:
        spec = each.get("spec", {})
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if each["kind"] in {"Deployment", "Job", "CronJob"}:
            labels = spec["template"]["metadata"]["labels"].items()
            assert sum(selector <= labels for selector in selectors) == 1, each["metadata"]["name"]


def test_topology_is_declared_before_the_workers_change() -> None:
    made = documents(rendered())
    (job,) = of_kind(made, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    # What a release brings itself is not there yet when its hooks run.
    assert "serviceAccountName" not in pod
    assert all("envFrom" not in each for each in pod["containers"])
    assert of_kind(documents(rendered("--set", "topology.declare=false")), "Job") == []


def test_users_of_the_chart_are_those_of_the_table() -> None:
    (shipped,) = documents((CHART / "files" / "users.yaml").read_text())
    assert [
        User(
            user["name"],
            configure=user["configure"].replace("<prefix>", r"a\.b"),
            write=user["write"].replace("<prefix>", r"a\.b"),
            read=user["read"].replace("<prefix>", r"a\.b"),
            tags=tuple(user.get("tags", ())),
        )
        for user in shipped["users"]
    ] == list(users_of("a.b"))
    prefixed = documents(rendered(*VALUES["everything"]))
    written = [each["spec"]["permissions"]["write"] for each in of_kind(prefixed, "Permission")]
    assert written == [user.write for user in users_of("ig.eu")]


def test_autoscaler_sets_the_number_alone() -> None:
    made = documents(rendered(*VALUES["everything"]))
    (deployment,) = of_kind(made, "Deployment")
    (scaled,) = of_kind(made, "ScaledObject")
    assert "replicas" not in deployment["spec"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert scaled["spec"]["minReplicaCount"] >= 1
    (trigger,) = scaled["spec"]["triggers"]
    assert "igsend_sendable_backlog" in trigger["metadata"]["query"]
    assert f'namespace="{scaled["metadata"]["namespace"]}"' in trigger["metadata"]["query"]
