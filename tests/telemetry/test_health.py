"""The endpoints, over real HTTP on a free port of the loopback."""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest

from tests.support.builders import TEXT, TOKEN, an_account
from tests.telemetry.captured_logs import captured_logs
from worker.telemetry.health import OLDEST_TICK_S, PATHS, CannotListen, running_health_server


@dataclass
class FakeWorker:
    """What the endpoints ask."""

    reasons: list[str] = field(default_factory=list)
    status: dict[str, object] = field(default_factory=dict)
    age_s: float = 0.0
    bug: Exception | None = None

    def _fail(self) -> None:
        if self.bug is not None:
            raise self.bug

    def exposition(self) -> bytes:
        self._fail()
        return b"igsend_in_hand 7.0\n"

    def tick_age_s(self) -> float:
        return self.age_s

    def reasons_not_ready(self) -> Sequence[str]:
        self._fail()
        return self.reasons

    def show_status(self) -> Mapping[str, object]:
        self._fail()
        return self.status


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return orjson.loads(self.body)


@dataclass
class Client:
    session: aiohttp.ClientSession
    port: int

    async def ask(self, path: str, method: str = "GET") -> Answer:
        async with self.session.request(method, f"http://127.0.0.1:{self.port}{path}") as answer:
            return Answer(answer.status, answer.headers, await answer.read())


@asynccontextmanager
async def serving(worker: FakeWorker) -> AsyncIterator[Client]:
    async with (
        running_health_server(
            "127.0.0.1",
            0,
            reporting=worker,
            reasons=worker.reasons_not_ready,
            status=worker.show_status,
        ) as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
    ):
        yield Client(session, server.port)


async def test_worker_without_reasons_is_ready() -> None:
    async with serving(FakeWorker()) as client:
        answer = await client.ask("/readyz")
    assert (answer.status, answer.json) == (200, {"ready": True, "reasons": []})
    assert answer.headers["Content-Type"].startswith("application/json")


async def test_worker_that_is_not_ready_says_every_reason() -> None:
    reasons = ["the publish connection to RabbitMQ is down", "2 of 9 consumers are missing"]
    async with serving(FakeWorker(reasons=reasons)) as client:
        answer = await client.ask("/readyz")
    assert (answer.status, answer.json) == (503, {"ready": False, "reasons": reasons})


async def test_worker_whose_loop_turns_is_alive() -> None:
    async with serving(FakeWorker(age_s=OLDEST_TICK_S)) as client:
        answer = await client.ask("/livez")
    assert (answer.status, answer.json) == (200, {"alive": True})


async def test_worker_whose_last_tick_is_old_is_not_alive_and_says_why() -> None:
    async with serving(FakeWorker(age_s=99.0)) as client:
        answer = await client.ask("/livez")
    assert answer.status == 503
    assert b"the event loop last turned 99.0 s ago" in answer.body


async def test_being_not_ready_does_not_kill_the_worker() -> None:
    async with serving(FakeWorker(reasons=["RabbitMQ is away"])) as client:
        assert (await client.ask("/livez")).status == 200


async def test_metrics_are_prometheus_text() -> None:
    async with serving(FakeWorker()) as client:
        answer = await client.ask("/metrics")
    assert (answer.status, answer.body) == (200, b"igsend_in_hand 7.0\n")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_status_is_shown_as_it_is_but_never_with_a_secret() -> None:
    status: dict[str, object] = {"closed": {"1": {"why": "expired"}}, "account": an_account()}
    async with serving(FakeWorker(status=status)) as client:
        answer = await client.ask("/status")
    assert answer.json == {"closed": {"1": {"why": "expired"}}, "account": "<Account>"}
    assert TOKEN.encode() not in answer.body


async def test_unknown_path_names_the_known_ones() -> None:
    async with serving(FakeWorker()) as client:
        answer = await client.ask("/healthz")
    assert answer.status == 404
    assert all(path.encode() in answer.body for path in PATHS)
    assert isinstance(answer.json, dict)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
async def test_only_get_is_allowed(method: str) -> None:
    async with serving(FakeWorker()) as client:
        answer = await client.ask("/status", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("path", "status"), [("/readyz", 503), ("/status", 500), ("/metrics", 500)]
)
async def test_answer_that_cannot_be_found_out_is_a_no_with_a_reason(
    path: str, status: int
) -> None:
    with captured_logs() as logs:
        async with serving(FakeWorker(bug=ValueError(TEXT))) as client:
            answer = await client.ask(path)
    assert answer.status == status
    assert b"this could not be found out (ValueError)" in answer.body
    assert [(line["path"], line["level"]) for line in logs.lines] == [(path, "error")]
    assert TEXT.encode() not in logs.raw + answer.body


async def test_requests_leave_no_lines_in_the_log() -> None:
    with captured_logs() as logs:
        async with serving(FakeWorker()) as client:
            for path in (*PATHS, "/nothing"):
                await client.ask(path)
    assert logs.raw == b""


async def test_address_that_is_taken_is_named_with_the_settings_that_change_it() -> None:
    worker = FakeWorker()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port} .*IGSEND_HTTP_PORT"):
            async with running_health_server(
                "127.0.0.1",
                port,
                reporting=worker,
                reasons=worker.reasons_not_ready,
                status=worker.show_status,
            ):
                pytest.fail("the port was taken")


async def test_port_is_free_again_after_the_block() -> None:
    async with serving(FakeWorker()) as client:
        port = client.port
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
        assert again.getsockname()[1] == port


async def test_failure_inside_the_block_passes_through_unchanged() -> None:
    with pytest.raises(KeyError):
        async with serving(FakeWorker()):
            raise KeyError("from the worker")
