"""A Redis that is away: calls fail at once, the store says why and heals by itself."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import uvloop

from tests.integration.gate.outage import failure_of, says, works_again
from tests.integration.gate.redis_servers import RedisServer, redis_server, running
from tests.integration.gate.scripts import APPEND, COUNT, READ_ALL
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.waiting import eventually
from worker.gate.redis.store import Store, StoreUnavailable


async def test_a_killed_redis_fails_calls_at_once_and_is_used_again_after_its_restart(
    store: Store, server: RedisServer
) -> None:
    await store.call(COUNT, ["k"], [])
    server.kill()
    assert "Redis at 127.0.0.1:" in await failure_of(store.call(COUNT, ["k"], []))
    assert store.trouble is not None
    await failure_of(store.call(COUNT, ["k"], []))
    await server.start()
    await works_again(store)
    assert await store.call(COUNT, ["k"], []) == 2


async def test_an_empty_redis_that_comes_back_is_used_without_a_restart(
    store: Store, server: RedisServer
) -> None:
    assert await store.call(COUNT, ["k"], []) == 1
    server.kill()
    server.settings["appendonly"] = "no"
    await says(store, "Redis at")
    await server.start()
    await works_again(store)
    assert await store.call(COUNT, ["k"], []) == 1


async def test_kills_under_load_lose_no_reply_and_run_no_call_twice(
    store: Store, server: RedisServer
) -> None:
    """What was answered is in the list once; what failed is there at most once."""
    answered: list[int] = []
    numbers = iter(range(1_000_000))
    is_over = asyncio.Event()

    async def caller() -> None:
        while not is_over.is_set():
            number = next(numbers)
            try:
                await store.call(APPEND, ["k"], [number])
                answered.append(number)
            except StoreUnavailable:
                await asyncio.sleep(0.01)

    callers = [asyncio.create_task(caller()) for _ in range(50)]
    for _ in range(3):
        before = len(answered)
        await eventually(lambda before=before: len(answered) > before + 500)  # type: ignore[misc]
        server.kill()
        await says(store, "Redis at")
        await server.start()
    await eventually(lambda: store.trouble is None)
    is_over.set()
    await asyncio.gather(*callers)
    kept = [int(value) for value in await store.call(READ_ALL, ["k"], [])]
    assert len(set(kept)) == len(kept)
    assert set(answered) <= set(kept)


async def test_a_stopped_redis_is_noticed_without_calls_and_trusted_again(
    store: Store, server: RedisServer
) -> None:
    with server.stopped():
        await says(store, "no answer within 2 s")
        # It still accepts connections, but answers none: calls do not wait for that.
        call = asyncio.create_task(store.call(COUNT, ["k"], []))
        for _ in range(3):
            await asyncio.sleep(0)
        assert call.done()
        await failure_of(call)
    await works_again(store)


async def test_calls_on_a_stopped_redis_fail_within_the_timeout(
    proxy: TcpProxy, server: RedisServer
) -> None:
    store = Store(f"redis://127.0.0.1:{proxy.port}/0", timeout_s=0.3)
    async with running(store):
        with server.stopped():
            calls = [asyncio.create_task(store.call(COUNT, ["k"], [])) for _ in range(3000)]
            texts = {await failure_of(call) for call in calls}
        assert len(texts) == 1
        assert "no answer within 0.3 s" in texts.pop()
        await works_again(store)


@pytest.mark.parametrize("fault", ["cut", "hold"])
async def test_a_broken_way_to_redis_heals(store: Store, proxy: TcpProxy, fault: str) -> None:
    if fault == "cut":
        proxy.cut(refuse=True)
    else:
        proxy.hold()
    assert "Redis at" in await failure_of(store.call(COUNT, ["k"], []))
    assert store.trouble is not None
    proxy.resume()
    await works_again(store)


async def test_a_connection_that_is_cut_under_load_fails_only_what_it_carried(
    store: Store, proxy: TcpProxy
) -> None:
    proxy.delay_s = 0.05
    calls = [asyncio.create_task(store.call(COUNT, ["k"], [])) for _ in range(2000)]
    await asyncio.sleep(0.02)
    proxy.cut()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, int | StoreUnavailable) for result in results)
    assert any(isinstance(result, StoreUnavailable) for result in results)
    proxy.delay_s = 0.0
    await works_again(store)


Run = Callable[[Coroutine[None, None, None]], None]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_connection_that_was_closed_while_idle_is_opened_again(tmp_path: Path, run: Run) -> None:
    """The worker runs on uvloop, which tells of a closed connection in its own way."""

    async def scenario() -> None:
        async with (
            redis_server(tmp_path / "redis") as server,
            tcp_proxy("127.0.0.1", server.port) as proxy,
            running(Store(f"redis://127.0.0.1:{proxy.port}")) as store,
        ):
            listening = asyncio.create_task(store.subscribe("wake", lambda _: None))
            for _ in range(3):
                await eventually(lambda: proxy.open == 2)
                proxy.cut()
                # The store does not know yet, and is to notice by writing.
                await eventually(lambda: proxy.open == 0)
                await failure_of(store.call(COUNT, ["k"], []))
                await works_again(store)
            assert not listening.done()
            listening.cancel()
            await asyncio.wait([listening])

    run(scenario())


async def test_a_caller_that_tries_again_without_a_pause_does_not_stop_the_loop(
    store: Store, server: RedisServer
) -> None:
    server.kill()

    async def insist() -> object:
        while True:
            try:
                return await store.call(COUNT, ["k"], [])
            except StoreUnavailable:
                continue

    insisting = asyncio.create_task(insist())
    await says(store, "Redis at")
    await server.start()
    assert await insisting == 1


async def test_before_it_runs_and_after_it_ends_calls_fail(server: RedisServer) -> None:
    store = Store(server.url)
    assert "not open yet" in await failure_of(store.call(COUNT, ["k"], []))
    assert "not open yet" in str(store.trouble)
    async with running(store):
        await works_again(store)
    await failure_of(store.call(COUNT, ["k"], []))
    assert store.trouble is not None


async def test_calls_under_way_when_it_ends_fail(server: RedisServer) -> None:
    async with running(Store(server.url)) as store:
        with server.stopped():
            calls = [asyncio.create_task(store.call(COUNT, ["k"], [])) for _ in range(5)]
            await asyncio.sleep(0.05)
    for call in calls:
        assert "Redis at" in await failure_of(call)
