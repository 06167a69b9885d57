"""Calls on a Redis that works: order, batches, scripts, messages."""

import asyncio
from collections.abc import Sequence

import pytest
from redis.exceptions import ResponseError

from tests.integration.gate.redis_servers import RedisServer, running
from tests.integration.gate.scripts import (
    APPEND,
    APPEND_MANY,
    COUNT,
    ECHO,
    NOW,
    READ_ALL,
    TELL,
    UNREADABLE,
    WRONG,
)
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually
from worker.gate.redis.script import Script
from worker.gate.redis.store import Store


async def append_all(store: Store, key: str, values: Sequence[int]) -> list[int]:
    """Call for all in one tick of the loop; gives the place each was put at."""
    places: list[int] = await asyncio.gather(
        *(store.call(APPEND, [key], [value]) for value in values)
    )
    return places


async def test_a_call_runs_the_script_with_its_keys_and_arguments(store: Store) -> None:
    script = Script("all", "return {KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], #ARGV}")
    reply = await store.call(script, ["one", "two"], ["Grüße", 7, b"\x00\xff"])
    assert reply == [b"one", b"two", "Grüße".encode(), b"7", b"\x00\xff", 3]


@pytest.mark.parametrize("number", [0.1, 1795406868.123456, 1e-7, 1e22, -2.5])
async def test_numbers_arrive_exactly(store: Store, number: float) -> None:
    assert float(await store.call(ECHO, ["k"], [number])) == number


async def test_a_script_may_ask_for_the_time_and_write(store: Store) -> None:
    assert int(await store.call(NOW, ["k"], [])) > 1_700_000_000


async def test_calls_of_one_tick_keep_their_order_and_share_a_round_trip(
    store: Store, proxy: TcpProxy
) -> None:
    await store.call(APPEND, ["warm"], [0])
    before = proxy.round_trips
    assert await append_all(store, "k", range(900)) == list(range(900))
    # A probe may come in between.
    assert proxy.round_trips - before <= 2


async def test_calls_made_while_a_batch_is_under_way_share_the_next_one(
    store: Store, proxy: TcpProxy
) -> None:
    await store.call(APPEND, ["warm"], [0])
    proxy.delay_s = 0.05
    before = proxy.round_trips
    calls = []
    for number in range(200):
        calls.append(asyncio.create_task(store.call(APPEND, ["k"], [number])))
        await asyncio.sleep(0)
    assert await asyncio.gather(*calls) == list(range(200))
    assert proxy.round_trips - before <= 3


async def test_calls_of_a_script_that_takes_many_share_a_command_and_keep_their_order(
    store: Store, server: RedisServer
) -> None:
    await store.call(APPEND_MANY, ["k"], ["warm"])
    before = await counted(server, "evalsha")
    calls = [
        store.call(APPEND if number % 50 == 0 else APPEND_MANY, ["k"], [number])
        for number in range(1, 201)
    ]
    assert await asyncio.gather(*calls) == list(range(1, 201))
    # Four that go alone, and what is between them.
    assert await counted(server, "evalsha") - before < 20


async def test_an_error_of_one_of_many_is_its_own(store: Store) -> None:
    values = ["first", "wrong", "last"]
    first, wrong, last = await asyncio.gather(
        *(store.call(APPEND_MANY, ["k"], [value]) for value in values), return_exceptions=True
    )
    assert (first, last) == (0, 1)
    assert isinstance(wrong, ResponseError)
    assert "refused" in str(wrong)
    assert await store.call(READ_ALL, ["k"], []) == [b"first", b"last"]


async def test_a_flushed_script_that_takes_many_runs_once_for_each(
    store: Store, server: RedisServer
) -> None:
    for begin in range(0, 200, 20):
        await server.do("SCRIPT", "FLUSH")
        places = (store.call(APPEND_MANY, ["k"], [n]) for n in range(begin, begin + 20))
        assert await asyncio.gather(*places) == list(range(begin, begin + 20))


async def test_a_slow_redis_costs_latency_and_not_throughput(store: Store, proxy: TcpProxy) -> None:
    proxy.delay_s = 0.05

    async def caller(count: int) -> None:
        for _ in range(count):
            await store.call(COUNT, ["k"], [])

    before = proxy.round_trips
    await asyncio.gather(*(caller(10) for _ in range(500)))
    assert await store.call(COUNT, ["k"], []) == 5001
    # Each caller waits for ten replies; they do it together, however slow the way is.
    assert proxy.round_trips - before <= 15


async def test_calls_of_a_stalled_loop_leave_together(store: Store, proxy: TcpProxy) -> None:
    await store.call(APPEND, ["warm"], [0])
    before = proxy.round_trips
    # More than a batch, and all there before the loop gets to run.
    calls = [asyncio.create_task(store.call(APPEND, ["k"], [number])) for number in range(5000)]
    assert await asyncio.gather(*calls) == list(range(5000))
    assert proxy.round_trips - before <= 10


async def test_a_batch_may_take_longer_than_the_timeout_while_replies_come(
    server: RedisServer,
) -> None:
    busy = Script("busy", "for n = 1, 200000 do end return redis.call('INCR', KEYS[1])")
    async with running(Store(server.url, timeout_s=1.0)) as store:
        replies = await asyncio.gather(*(store.call(busy, ["k"], []) for _ in range(1000)))
    assert replies == list(range(1, 1001))


async def test_a_call_whose_caller_went_away_is_not_sent_and_harms_nobody(
    store: Store, proxy: TcpProxy
) -> None:
    proxy.hold()
    under_way = asyncio.create_task(store.call(APPEND, ["k"], ["under way"]))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(store.call(APPEND, ["k"], ["waiting"]))
    following = asyncio.create_task(store.call(APPEND, ["k"], ["following"]))
    await asyncio.sleep(0.01)
    under_way.cancel()
    waiting.cancel()
    proxy.resume()
    assert await following == 1
    assert await store.call(READ_ALL, ["k"], []) == [b"under way", b"following"]


async def test_flushed_scripts_are_loaded_again_and_each_call_runs_once(
    store: Store, server: RedisServer
) -> None:
    await append_all(store, "k", range(3))
    await server.do("SCRIPT", "FLUSH")
    assert await append_all(store, "k", range(3, 50)) == list(range(3, 50))


async def test_scripts_flushed_all_the_time_neither_lose_nor_repeat_a_call(
    store: Store, server: RedisServer
) -> None:
    async def flush() -> None:
        for _ in range(100):
            await server.do("SCRIPT", "FLUSH")

    flushing = asyncio.create_task(flush())
    expected = 0
    while not flushing.done():
        assert await append_all(store, "k", range(20)) == list(range(expected, expected + 20))
        expected += 20
    await flushing
    assert await store.call(READ_ALL, ["k"], []) == [b"%d" % n for n in range(20)] * (
        expected // 20
    )


@pytest.mark.parametrize(
    ("script", "said"), [(WRONG, "Unknown Redis command"), (UNREADABLE, "Error compiling script")]
)
async def test_a_bug_in_a_script_is_raised_as_it_is_and_only_to_its_caller(
    store: Store, script: Script, said: str
) -> None:
    before = asyncio.create_task(store.call(ECHO, ["k"], ["before"]))
    wrong = asyncio.create_task(store.call(script, ["k"], []))
    after = asyncio.create_task(store.call(ECHO, ["k"], ["after"]))
    with pytest.raises(ResponseError, match=said):
        await wrong
    assert (await before, await after) == (b"before", b"after")
    assert store.trouble is None


async def test_an_argument_that_redis_cannot_take_fails_its_caller_alone(store: Store) -> None:
    with pytest.raises(TypeError):
        await store.call(ECHO, ["k"], [{"no": "argument"}])  # type: ignore[list-item]
    assert await store.call(ECHO, ["k"], ["fine"]) == b"fine"


async def test_an_idle_store_leaves_nothing_in_redis(store: Store, server: RedisServer) -> None:
    probes = await counted(server, "set")
    await eventually(lambda: more_than(server, "set", probes + 1))
    assert store.trouble is None
    assert await server.do("DBSIZE") == 0


async def counted(server: RedisServer, command: str) -> int:
    told = await server.do("INFO", "commandstats")
    assert isinstance(told, dict)
    stats = told.get(f"cmdstat_{command}")
    return int(stats["calls"]) if stats else 0


async def more_than(server: RedisServer, command: str, count: int) -> bool:
    return await counted(server, command) > count


async def test_what_is_published_is_heard_in_order(store: Store) -> None:
    heard: list[bytes] = []
    listening = asyncio.create_task(store.subscribe("wake", heard.append))
    try:
        await eventually(lambda: told(store, "wake", "first"))
        for number in range(100):
            await store.call(TELL, ["k"], ["wake", number])
        await eventually(lambda: len(heard) >= 101)
        assert heard[-100:] == [b"%d" % number for number in range(100)]
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def told(store: Store, channel: str, message: str) -> bool:
    """Publish; True when anybody heard it."""
    return bool(await store.call(TELL, ["k"], [channel, message]))


async def test_the_hearing_goes_on_after_a_lost_connection(store: Store, proxy: TcpProxy) -> None:
    heard: list[bytes] = []
    listening = asyncio.create_task(store.subscribe("wake", heard.append))
    try:
        await eventually(lambda: told(store, "wake", "before"))
        proxy.cut()
        await eventually(lambda: store.trouble is not None)
        await eventually(lambda: store.trouble is None)
        await eventually(lambda: told(store, "wake", "after"))
        await eventually(lambda: heard[-1:] == [b"after"])
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def test_a_database_of_ones_own_is_used(server: RedisServer) -> None:
    async with running(Store(server.url.replace("/0", "/3"))) as store:
        await store.call(COUNT, ["k"], [])
    assert "db3" in str(await server.do("INFO", "keyspace"))
