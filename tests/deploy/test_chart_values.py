"""The values of the chart: explained, taken where they work, else refused with a sentence."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.tools import CHART, Document, documents, of_kind, refusal, rendered, run
from worker.config import Config, variable
from worker.core.token_life import WARN_WITHIN_S

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
SETTINGS: dict[str, Any] = SCHEMA["properties"]["settings"]["properties"]
BY_URL = "accounts.existingSecret=,accounts.url=https://tokens/{account_id}"
NO_REDIS = "gate.existingSecret=,replicaCount=1"
KEDA = "autoscaling.enabled=true"


def settings_in(found: list[Document]) -> dict[str, str]:
    (settings,) = [each["data"] for each in of_kind(found, "ConfigMap") if "data" in each]
    data: dict[str, str] = settings
    return data


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("replicaCont=3", "replicaCont"),
        ("broker=null", "missing property 'broker'"),
        ("gate.key=null", "missing property 'key'"),
        ("settings=null", "missing property 'settings'"),
        ("settings.IGSEND_CONCURENCY=3", "IGSEND_CONCURENCY"),
        ("settings.IGSEND_DECLARE=true", "IGSEND_DECLARE"),
        ("settings.IGSEND_PARTITIONS=0", "IGSEND_PARTITIONS': minimum: got 0, want 1"),
        ("settings.IGSEND_PARTITIONS=65", "IGSEND_PARTITIONS': maximum: got 65, want 64"),
        ("settings.IGSEND_PARTITIONS=many", "IGSEND_PARTITIONS"),
        ("settings.IGSEND_PREFIX=a b", "IGSEND_PREFIX"),
        ("settings.IGSEND_PREFIX=7", "IGSEND_PREFIX': got number, want string"),
        ("settings.IGSEND_LOG_LEVEL=loud", "'debug', 'info', 'warning', 'error'"),
        ("settings.IGSEND_APP_LIMIT=200 per second", "IGSEND_APP_LIMIT"),
        ("settings.IGSEND_GRAPH_URL=graph.instagram.com", "IGSEND_GRAPH_URL"),
        ("fullnameOverride=My_Name", "fullnameOverride"),
        ("podLabels.team=1", "/podLabels/team': got number, want string"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("image.digest=abc", "digest"),
        ("drainSeconds=-1", "drainSeconds"),
        ("broker.existingSecret=", "existingSecret"),
        ("gate.existingSecret=", "several workers would not know of each other"),
        (f"{NO_REDIS},{KEDA}", "several workers would not know of each other"),
        ("accounts.existingClaim=a", "exactly one of existingSecret, existingClaim, url and"),
        ("accounts.existingSecret=", "exactly one of existingSecret, existingClaim, url and"),
        (f"{BY_URL},accounts.urlSecret=a", "exactly one of existingSecret, existingClaim, url"),
        ("accounts.existingSecret=,accounts.url=https://host/", "/accounts/url"),
        (BY_URL.replace("//", "//u:p@"), "accounts.url holds credentials"),
        ("accounts.existingSecret=,accounts.url=redis://:p@host/0", "url holds credentials"),
        ("accounts.tokenSecret=a", "belongs to accounts.url"),
        ("accounts.existingSecret=,accounts.url=redis://r,accounts.tokenSecret=a", "urlSecret"),
        ("accounts.refresh.enabled=true", "cannot be written to a mounted Secret"),
        ("accounts.refresh.schedule=daily", "/accounts/refresh/schedule"),
        ("podDisruptionBudget.maxUnavailable=0", "maxUnavailable': minimum: got 0, want 1"),
        ("podDisruptionBudget.maxUnavailable=all", "maxUnavailable"),
        ("autoscaling.maxReplicas=1,autoscaling.minReplicas=2", "is less than"),
        (f"{KEDA},autoscaling.prometheusUrl=", "autoscaling.prometheusUrl is empty: KEDA asks"),
        (f"{KEDA},autoscaling.fallbackReplicas=9", "fallbackReplicas must be from"),
        ("autoscaling.minReplicas=0", "minReplicas': minimum: got 0, want 1"),
        ("tracing.endpoint=collector:4318", "/tracing/endpoint"),
        ("tracing.sampleRatio=1.5", "/tracing/sampleRatio"),
        (r"podLabels.app\.kubernetes\.io/name=x", "the chart sets app.kubernetes.io/name itself"),
        (r"dashboard.labels.helm\.sh/chart=x", "dashboard.labels: the chart sets helm.sh/chart"),
        ("podAnnotations.checksum/settings=x", "the chart sets checksum/settings itself"),
    ],
)
def test_values_that_cannot_work_are_refused_and_named(given: str, says: str) -> None:
    assert says in refusal("--set", given)


EVERYTHING_OFF = (
    "networkPolicy.enabled=false,podDisruptionBudget.enabled=false,topology.declare=false,"
    f"autoscaling.prometheusUrl=,{NO_REDIS}"
)


@pytest.mark.parametrize(
    "given",
    [
        EVERYTHING_OFF,
        BY_URL,
        f"{BY_URL},accounts.tokenSecret=opener",
        "accounts.existingSecret=,accounts.urlSecret=place",
        "accounts.existingSecret=,accounts.url=redis://accounts.redis.svc:6379/0",
        "accounts.existingSecret=,accounts.existingClaim=c,accounts.refresh.enabled=true,"
        "accounts.refresh.schedule=@daily",
        "settings.IGSEND_PREFIX=eu.ig,settings.IGSEND_PARTITIONS=1,rabbitmqUsers.enabled=true",
        f"{KEDA},autoscaling.minReplicas=2,autoscaling.maxReplicas=2",
        "podDisruptionBudget.maxUnavailable=25%,fullnameOverride=sender,nameOverride=sender",
        "drainSeconds=0,tracing.endpoint=http://c:4318,tracing.sampleRatio=0.05",
    ],
)
def test_values_that_go_together_make_valid_objects_and_a_worker_that_starts(
    tmp_path: Path, given: str
) -> None:
    file = tmp_path / "chart.yaml"
    file.write_text(rendered("--set", given))
    done = run("kubernetes-validate", "--strict", "-k", "1.34", file)
    assert done.returncode == 0, done.stdout + done.stderr
    made = documents(file.read_text())
    environment = settings_in(made)
    (worker,) = of_kind(made, "Deployment")
    pod = worker["spec"]["template"]["spec"]
    mounted = {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert {each["name"] for each in pod["volumes"]} == {
        each["name"] for each in pod["containers"][0]["volumeMounts"]
    }
    for name, content in (
        ("IGSEND_AMQP_URL_FILE", "amqps://u:p@broker/v"),
        ("IGSEND_GATE_URL_FILE", "rediss://:p@redis/0"),
        ("IGSEND_ACCOUNTS_FILE", "https://u:p@host/{account_id}"),
        ("IGSEND_ACCOUNTS_TOKEN_FILE", "token"),
    ):
        if name in environment:
            assert environment[name].rpartition("/")[0] in mounted
            (tmp_path / name).write_text(content)
            environment[name] = str(tmp_path / name)
    config = Config.from_env(environment)
    assert config.accounts is not None
    assert pod["terminationGracePeriodSeconds"] >= config.drain_s + 15


def test_large_numbers_of_a_file_are_written_in_full(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(
        "settings: {IGSEND_REMEMBER_MAX: 5000000, IGSEND_REMEMBER_S: 17280000,\n"
        '  IGSEND_RATE_MARGIN: 0.05, IGSEND_DIVERT: false, IGSEND_PARTITIONS: "16"}\n'
    )
    made = documents(rendered("--values", file))
    environment = settings_in(made)
    assert environment["IGSEND_REMEMBER_MAX"] == "5000000"
    environment = {name: value for name, value in environment.items() if name in SETTINGS}
    config = Config.from_env(environment)
    assert (config.remember_s, config.rate_margin, config.divert) == (17_280_000, 0.05, False)
    (job,) = of_kind(made, "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"name": "IGSEND_PARTITIONS", "value": "16"} in container["env"]


def test_tokens_are_refreshed_at_the_api_that_the_workers_call() -> None:
    claim = "accounts.existingSecret=,accounts.existingClaim=c,accounts.refresh.enabled=true"
    api = "settings.IGSEND_GRAPH_URL=https://api.example,settings.IGSEND_GRAPH_VERSION=v24.0"
    (job,) = of_kind(documents(rendered("--set", f"{claim},{api}")), "CronJob")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    config = Config.from_env(environment)
    assert (config.graph_url, config.graph_version) == ("https://api.example", "v24.0")


def test_tokens_are_refreshed_before_anybody_is_alarmed_about_them() -> None:
    (values,) = documents((CHART / "values.yaml").read_text())
    # A day between two runs, and one of them may fail.
    assert values["accounts"]["refresh"]["withinDays"] >= WARN_WITHIN_S / 86_400 + 2


def test_long_names_stay_within_what_kubernetes_takes() -> None:
    made = documents(
        rendered(
            "--values", CHART / "values-everything.yaml", "--set", f"nameOverride={'n' * 63}",
            release="r" * 53,
        )
    )  # fmt: skip
    for each in made:
        most = 52 if each["kind"] == "CronJob" else 63
        assert len(each["metadata"]["name"]) <= most, each["kind"]
    values = re.findall(r'"(?:app\.kubernetes\.io/[a-z-]+|helm\.sh/chart)": "([^"]*)"',
                        json.dumps(made))  # fmt: skip
    assert len(values) > 20
    assert max(map(len, values)) <= 63


def test_autoscaler_counts_no_pods_of_a_release_whose_name_begins_alike() -> None:
    (scaled,) = of_kind(documents(rendered("--set", KEDA)), "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    (pods,) = re.findall(r'pod=~"([^"]+)"', trigger["metadata"]["query"])
    assert re.fullmatch(pods, "demo-igsend-6d4cf56db6-x7x2p")
    assert not re.fullmatch(pods, "demo-igsend-two-6d4cf56db6-x7x2p")


def test_every_value_is_explained_required_and_no_other_is_taken() -> None:
    def check(node: dict[str, Any], path: str) -> None:
        assert node.get("description"), f"{path} says nothing"
        if node.get("properties"):
            assert node["additionalProperties"] is False, path
            for name, inner in node["properties"].items():
                check(inner, f"{path}.{name}")
            if path != "settings":
                # A section that somebody sets to null is named, and no template fails on it.
                assert node["required"] == list(node["properties"]), path

    for name, node in SCHEMA["properties"].items():
        check(node, name)
    (values,) = documents((CHART / "values.yaml").read_text())
    assert values.keys() == SCHEMA["properties"].keys() - {"global"} == set(SCHEMA["required"])


def test_settings_of_the_chart_are_those_of_the_worker() -> None:
    own = {
        "amqp_url", "amqp_url_file", "gate_url", "gate_url_file", "accounts", "accounts_file",
        "accounts_token_file", "declare", "drain_s", "http_host", "http_port", "log_format",
        "allow_other_consumers",
    }  # fmt: skip
    assert set(SETTINGS) == {variable(name) for name in Config.model_fields if name not in own}


BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
FIELDS = Config.model_json_schema()["properties"]


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_may_be_in_the_chart_what_it_may_be_in_the_worker(name: str) -> None:
    field, offered = FIELDS[name.removeprefix("IGSEND_").lower()], SETTINGS[name]
    kind = field.get("type", "string")
    if kind == "boolean":
        assert offered["enum"] == [True, False, "true", "false"]
    elif kind in {"integer", "number"}:
        assert offered["type"] == [kind, "string"]
        assert {k: offered.get(k) for k in BOUNDS} == {k: field.get(k) for k in BOUNDS}
    else:
        assert offered["type"] == "string"
        assert offered.get("enum") == field.get("enum")
        assert "pattern" not in field or offered["pattern"] == field["pattern"]


def notes(*arguments: str) -> str:
    command = ("install", "demo", CHART, "--dry-run=client", "--namespace", "messaging")
    done = run("helm", *command, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:")[2]


def test_notes_name_the_next_commands_and_every_secret() -> None:
    said = notes()
    for command in (
        "kubectl -n messaging rollout status deployment/demo-igsend",
        "kubectl -n messaging exec deployment/demo-igsend -- igsend doctor",
        "kubectl -n messaging port-forward deployment/demo-igsend 8080",
        "publish to exchange ig.requests",
        "podMonitor.enabled",
    ):
        assert command in said
    for secret in ("igsend-broker", "igsend-gate", "igsend-accounts", "igsend-deployer"):
        assert f"kubectl -n messaging create secret generic {secret} --from-" in said


def test_notes_are_about_what_was_chosen() -> None:
    said = notes(
        "--set", f"{BY_URL},accounts.tokenSecret=opener,{NO_REDIS},topology.declare=false",
        "--set", "settings.IGSEND_PREFIX=eu,podMonitor.enabled=true",
    )  # fmt: skip
    assert "create secret generic opener --from-literal=token=TOKEN" in said
    assert "igsend topology declare" in said
    assert "networkPolicy.moreEgress" in said
    assert "publish to exchange eu.requests" in said
    for absent in ("igsend-gate", "igsend-deployer", "igsend-accounts", "Nobody watches"):
        assert absent not in said
