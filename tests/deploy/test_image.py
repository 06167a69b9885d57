"""The image and the compose file, as far as they can be judged without an engine."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.deploy.dockerfile import Stage, stages_of
from tests.deploy.tools import ROOT, documents, run
from worker.config import Config
from worker.telemetry.health import PATHS

DEPLOY = ROOT / "deploy"


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Give the port of a server that answers with this status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path in PATHS else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def is_healthy(final: Stage, port: int) -> bool:
    """Run the image's health check, with a proxy set, where nothing but that port answers."""
    (health,) = final.named("HEALTHCHECK")
    _, *arguments = json.loads(health.text.partition("CMD ")[2])
    environment = {"IGSEND_HTTP_PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, check=False, capture_output=True
    )
    return done.returncode == 0


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


def test_health_is_what_the_worker_answers_whatever_proxy_is_set(final: Stage) -> None:
    with answering(200) as port:
        assert is_healthy(final, port)
    assert not is_healthy(final, port), "nobody listens there any more"
    with answering(503) as port:
        assert not is_healthy(final, port)


def test_health_is_asked_at_the_port_that_is_the_default(final: Stage) -> None:
    (health,) = final.named("HEALTHCHECK")
    assert f"'IGSEND_HTTP_PORT', '{Config.from_env({}).http_port}'" in health.text


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
    assert grace_s >= config.drain_s + 15
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


def test_compose_takes_images_of_a_named_release(services: dict[str, Any]) -> None:
    foreign = [each["image"] for each in services.values() if "build" not in each]
    assert foreign
    assert all(re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", image) for image in foreign)


def test_compose_waits_only_for_who_tells_that_it_is_healthy(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert services[name]["healthcheck"]["test"][0] == "CMD"


def test_example_that_compose_names_is_of_an_account_that_it_has(services: dict[str, Any]) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    (name,) = re.findall(r"send send /examples/(\S+)", text)
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in services["send"]["volumes"]}
    request = json.loads((DEPLOY / mounted["/examples"] / name).read_text())
    accounts = json.loads((DEPLOY / mounted["/accounts.json"]).read_text())["accounts"]
    assert request["account_id"] in accounts


def test_prometheus_of_compose_takes_its_configuration_and_the_alerts(
    services: dict[str, Any], tmp_path: Path
) -> None:
    for volume in services["prometheus"]["volumes"]:
        source, target, _ = volume.split(":")
        shutil.copy(DEPLOY / source, tmp_path / Path(target).name)
    done = run("promtool", "check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout
