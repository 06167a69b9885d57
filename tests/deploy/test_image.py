"""The image and the compose file, as far as they can be judged without an engine."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.dockerfile import Stage, stages_of
from tests.deploy.tools import ROOT, documents
from worker.config import Config
from worker.telemetry.health import PATHS

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def final() -> Stage:
    return stages_of()[-1]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    (document,) = documents((DEPLOY / "compose.yaml").read_text())
    found: dict[str, Any] = document["services"]
    return found


def test_image_is_of_two_stages_with_the_same_slim_base() -> None:
    build, final = stages_of()
    assert build.base == final.base
    assert re.fullmatch(r"python:3\.11-slim-\w+", final.base)


def test_last_stage_only_takes_what_was_built(final: Stage) -> None:
    assert final.named("RUN") == []
    assert [each.words for each in final.named("COPY")] == [
        ["--from=build", "/opt/igsend", "/opt/igsend"]
    ]


def test_image_is_nobody_special_and_says_so_by_number(final: Stage) -> None:
    (user,) = final.named("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user.text)


def test_commands_are_exec_forms_so_that_signals_arrive(final: Stage) -> None:
    for name in ("ENTRYPOINT", "CMD"):
        (command,) = final.named(name)
        assert command.is_exec
    for step in stages_of()[0].named("RUN"):
        assert step.is_exec


def test_nothing_is_installed_unpinned() -> None:
    installs = [step.words for step in stages_of()[0].named("RUN") if "install" in step.words]
    assert len(installs) == 3
    for words in installs:
        assert "--require-hashes" in words or {"--no-deps", "--no-index"} <= set(words)


def test_everything_that_is_copied_is_let_through_and_exists() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for step in stages_of()[0].named("COPY"):
        for source in step.words[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


def test_health_is_asked_where_the_worker_answers(final: Stage) -> None:
    (health,) = final.named("HEALTHCHECK")
    port, path = re.search(r"127\.0\.0\.1:(\d+)(/\w+)", health.text).groups()  # type: ignore[union-attr]
    assert (int(port), path in PATHS) == (Config.from_env({}).http_port, True)


def test_image_has_the_version_of_the_package(final: Stage) -> None:
    version = re.search(r'__version__ = "(.+)"', (ROOT / "worker" / "__init__.py").read_text())
    assert version is not None
    assert any(f'image.version="{version[1]}"' in each.text for each in final.named("LABEL"))


def test_runtime_lock_is_a_part_of_the_whole_one() -> None:
    def pins(path: Path) -> set[str]:
        return set(re.findall(r"^([\w.-]+==\S+) ", path.read_text(), re.MULTILINE))

    runtime, whole = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert runtime < whole
    assert not any(each.startswith(("pytest", "mypy", "ruff", "pip")) for each in runtime)


def test_compose_gives_workers_settings_that_they_take(services: dict[str, Any]) -> None:
    config = Config.from_env(services["worker"]["environment"])
    assert services["worker"]["deploy"]["replicas"] == 2
    grace_s = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace_s >= config.drain_s + 10
    for name in services["worker"]["depends_on"]:
        assert "healthcheck" in services[name]
    hosts = [config.amqp_url, config.gate_url]
    assert all(any(f"{name}:" in url.get_secret_value() for name in services) for url in hosts)


def test_compose_mounts_only_files_that_exist_and_never_for_writing(
    services: dict[str, Any],
) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            source, _, mode = volume.split(":")
            assert (DEPLOY / source).exists(), source
            assert mode == "ro"


def test_compose_listens_on_this_machine_alone(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
