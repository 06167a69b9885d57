"""Accounts from a token service and from Redis: found, rotated, and waited for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from tests.support.builders import a_document
from tests.support.commands import igsend
from tests.support.own_worker import worker_with
from tests.support.producer import Producer
from tests.support.spellings import is_in
from tests.support.system import RunningWorker, System
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker

SERVED, UNHEARD, KEPT = "17841400000000201", "17841400000000202", "17841400000000203"
SPOILT = "17841400000000204"
NOBODY = "17841400000000299"
SENT, DEAD = ("sent", None), ("failed", "account")


@dataclass
class TokenService:
    """Serves the tokens that a test writes."""

    tokens: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.match_info["account_id"])
        assert request.headers["Authorization"] == "Bearer IGAAservice"
        if self.is_down:
            return web.Response(status=500)
        if (body := self.bodies.get(request.match_info["account_id"])) is not None:
            return web.Response(body=body)
        token = self.tokens.get(request.match_info["account_id"])
        if token is None:
            return web.Response(status=404)
        if request.headers.get("If-None-Match") == f'"{hash(token)}"':
            return web.Response(status=304)
        return web.json_response({"token": token}, headers={"ETag": f'"{hash(token)}"'})


@asynccontextmanager
async def a_service() -> AsyncIterator[tuple[TokenService, str]]:
    service, app = TokenService(), web.Application()
    app.router.add_get("/{account_id}", service.answer)
    server = TestServer(app)
    await server.start_server()
    try:
        yield service, f"http://:IGAAservice@127.0.0.1:{server.port}/{{account_id}}"
    finally:
        await server.close()


async def ending_of_one(producer: Producer, account_id: str) -> tuple[str, str | None]:
    outcome = await producer.outcome_of(a_document(id=token_hex(6), account_id=account_id))
    return outcome["status"], outcome["reason"]


async def let_in(system: System, account_id: str, token: str) -> None:
    await system.sandbox.admin("PUT", f"accounts/{account_id}", {"token": token})


async def test_a_token_service_is_asked_heard_and_waited_for(
    system: System, tmp_path: Path
) -> None:
    await let_in(system, SERVED, "IGAAone")
    await let_in(system, UNHEARD, "IGAAunheard")
    async with (
        a_service() as (service, url),
        worker_with(system, tmp_path, url) as (worker, producer),
    ):
        service.tokens |= {SERVED: "IGAAone", UNHEARD: "IGAAunheard"}
        assert await ending_of_one(producer, SERVED) == SENT
        assert await ending_of_one(producer, NOBODY) == DEAD

        await let_in(system, SERVED, "IGAAtwo")
        service.tokens[SERVED] = "IGAAtwo"
        assert await ending_of_one(producer, SERVED) == SENT, "a refused token is looked up anew"

        service.is_down = True
        assert await ending_of_one(producer, SERVED) == SENT, "what is known stays in force"
        waiting = a_document(id=token_hex(6), account_id=UNHEARD)
        key = await producer.publish(waiting)
        await eventually(lambda: UNHEARD in service.asked)
        service.is_down = False
        outcome = await producer.outcome(key)
        assert (outcome["status"], outcome["attempts"]) == ("sent", 1), "it waited, not tried"

        status = (await worker.get("/status")).text
        assert "IGAA" not in status + worker.process.said()


async def everything_said(worker: RunningWorker) -> str:
    answers = [(await worker.get(path)).text for path in ("/status", "/metrics", "/readyz")]
    return worker.process.said() + "".join(answers)


async def complaint_of(worker: RunningWorker) -> str:
    """Wait until the worker says what is wrong with its source, and give that."""
    said: list[str] = []

    async def complains() -> bool:
        said.append((await worker.get("/status")).json["accounts"]["last_error"] or "")
        return said[-1] != ""

    await eventually(complains)
    return said[-1]


async def test_answer_of_a_service_that_cannot_be_used_is_told_without_what_it_holds(
    system: System, tmp_path: Path
) -> None:
    await let_in(system, SPOILT, "plain-spoilt")
    async with (
        a_service() as (service, url),
        worker_with(system, tmp_path, url, log_level="debug") as (worker, producer),
    ):
        # No pattern hides this token: it does not look like one.
        service.bodies[SPOILT] = b'{"token": "plain-spoilt", "tokn": "plain-spoilt"}'
        key = await producer.publish(a_document(id=token_hex(6), account_id=SPOILT))
        assert f"/{SPOILT}: tokn is not a known key; did you mean token?" in (
            await complaint_of(worker)
        )
        service.bodies[SPOILT] = b'{"token": "plain-spoilt"'
        await eventually(lambda: service.asked.count(SPOILT) > 2)
        service.bodies[SPOILT] = b'{"token": "plain-spoilt"}'
        outcome = await producer.outcome(key)
        assert (outcome["status"], outcome["attempts"]) == ("sent", 1), "it waited, not tried"
        said = await everything_said(worker)
    assert "IGAAservice" not in said
    assert not is_in("plain-spoilt", said)


async def test_key_in_redis_that_is_no_entry_is_told_without_what_it_holds(
    system: System, tmp_path: Path, redis: str
) -> None:
    client, prefix = Redis.from_url(redis), f"{system.broker.prefix}.{token_hex(3)}"
    await let_in(system, SPOILT, "plain-spoilt")
    async with worker_with(system, tmp_path, redis, prefix=prefix, log_level="debug") as own:
        worker, producer = own
        name = f"{prefix}:account:{SPOILT}"
        await client.hset(name, "token", "plain-spoilt")
        key = await producer.publish(a_document(id=token_hex(6), account_id=SPOILT))
        assert f"Redis key {name} is a hash; it must be a string" in await complaint_of(worker)
        await client.delete(name)
        await client.set(name, json.dumps({"token": "plain-spoilt"}))
        outcome = await producer.outcome(key)
        assert (outcome["status"], outcome["attempts"]) == ("sent", 1), "it waited, not tried"
        assert not is_in("plain-spoilt", await everything_said(worker))
    await client.aclose()


async def test_accounts_in_redis_take_effect_within_seconds(
    system: System, tmp_path: Path, redis: str
) -> None:
    client, prefix = Redis.from_url(redis), f"{system.broker.prefix}.{token_hex(3)}"
    await let_in(system, KEPT, "IGAAkept")
    async with worker_with(system, tmp_path, redis, prefix=prefix) as (_, producer):
        key = f"{prefix}:account:{KEPT}"
        assert await ending_of_one(producer, KEPT) == DEAD
        await client.set(key, json.dumps({"token": "IGAAkept"}))

        async def is_sent() -> bool:
            return await ending_of_one(producer, KEPT) == SENT

        async def is_dead() -> bool:
            return await ending_of_one(producer, KEPT) == DEAD

        await eventually(is_sent)
        await client.delete(key)
        await eventually(is_dead)
    await client.aclose()


async def test_token_that_is_replaced_in_redis_costs_no_request(
    system: System, tmp_path: Path, redis: str
) -> None:
    client, prefix = Redis.from_url(redis), f"{system.broker.prefix}.{token_hex(3)}"
    await let_in(system, KEPT, "IGAAround0")
    await client.set(f"{prefix}:account:{KEPT}", json.dumps({"token": "IGAAround0"}))
    async with worker_with(system, tmp_path, redis, prefix=prefix) as (_, producer):
        assert await ending_of_one(producer, KEPT) == SENT
        for number in range(1, 4):
            # Stored first, as whoever rotates should; the worker finds out by a refused call.
            token = f"IGAAround{number}"
            await client.set(f"{prefix}:account:{KEPT}", json.dumps({"token": token}))
            await let_in(system, KEPT, token)
            endings = await asyncio.gather(*(ending_of_one(producer, KEPT) for _ in range(10)))
            assert endings == [SENT] * 10
    await client.delete(f"{prefix}:account:{KEPT}")
    await client.aclose()


async def test_commands_list_a_redis_and_ask_a_service_about_one(redis: str) -> None:
    client, prefix = Redis.from_url(redis), f"t{token_hex(4)}"
    await client.set(f"{prefix}:account:{KEPT}", json.dumps({"token": "IGAAkept"}))
    settings = {"IGSEND_GATE_URL": redis, "IGSEND_ACCOUNTS": redis, "IGSEND_PREFIX": prefix}
    listed = await igsend("accounts", "ls", "--json", settings=settings)
    assert (listed.code, KEPT in listed.out) == (0, True), listed.err
    async with a_service() as (service, url):
        service.tokens[SERVED] = "IGAAserved"
        of_service = {**settings, "IGSEND_ACCOUNTS": url}
        none = await igsend("accounts", "ls", settings=of_service)
        assert (none.code, "cannot list its accounts" in none.err) == (2, True), none.err
        one = await igsend("accounts", "show", SERVED, settings=of_service)
        assert (one.code, SERVED in one.out) == (0, True), one.err
        assert "IGAA" not in none.err + one.out + one.err + listed.out
    await client.aclose()
