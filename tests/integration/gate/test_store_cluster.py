"""Calls on a cluster: each node has a lane of its own, and slots may move or be lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.exceptions import ResponseError

from tests.integration.gate.redis_servers import RedisServer, agreed, redis_cluster, running
from tests.integration.gate.scripts import APPEND, APPEND_MANY, COUNT, READ_ALL, TELL
from tests.support.waiting import eventually
from worker.gate.redis.script import Script
from worker.gate.redis.store import Store, StoreUnavailable

# Keys in the first, second and last third of the slots.
KEYS = ["{b}:k", "{c}:k", "{a}:k"]


@pytest_asyncio.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[RedisServer]]:
    """Three primaries for this test alone; one that is lost leaves the others in service."""
    async with redis_cluster(tmp_path, cluster_require_full_coverage="no") as nodes:
        yield nodes


@pytest_asyncio.fixture
async def store(nodes: list[RedisServer]) -> AsyncIterator[Store]:
    async with running(Store(nodes[0].url)) as store:
        yield store


async def slot_of(node: RedisServer, key: str) -> int:
    slot = await node.do("CLUSTER", "KEYSLOT", key)
    assert isinstance(slot, int)
    return slot


async def name_of(node: RedisServer) -> str:
    name = await node.do("CLUSTER", "MYID")
    assert isinstance(name, bytes)
    return name.decode()


async def test_a_cluster_is_recognised_and_each_call_finds_its_node(
    store: Store, nodes: list[RedisServer]
) -> None:
    assert store.is_cluster
    calls = [store.call(APPEND, [key], [n]) for n in range(200) for key in KEYS]
    assert await asyncio.gather(*calls) == [n for n in range(200) for _ in KEYS]
    assert [await node.do("DBSIZE") for node in nodes] == [1, 1, 1]


async def test_calls_of_a_script_that_takes_many_go_by_their_slots(store: Store) -> None:
    # The last two are of other slots of the nodes that the first and the last third are on.
    keys = [*KEYS, "{f}:k", "{e}:k"]
    calls = [store.call(APPEND_MANY, [key], [n]) for n in range(200) for key in keys]
    assert await asyncio.gather(*calls) == [n for n in range(200) for _ in keys]


async def test_keys_in_several_slots_are_a_bug_of_the_caller(store: Store) -> None:
    with pytest.raises(ResponseError, match="hash to the same slot"):
        await store.call(COUNT, KEYS[:2], [])


async def test_what_one_node_publishes_is_heard_from_all(store: Store) -> None:
    heard: list[bytes] = []
    listening = asyncio.create_task(store.subscribe("wake", heard.append))

    async def arrives(key: str) -> bool:
        await store.call(TELL, [key], ["wake", key])
        return key.encode() in heard

    try:
        for key in KEYS:
            await eventually(lambda key=key: arrives(key))  # type: ignore[misc]
    finally:
        listening.cancel()
        await asyncio.wait([listening])


@pytest.mark.parametrize("script", [APPEND, APPEND_MANY], ids=["one", "many"])
async def test_moved_slots_are_followed_in_order_and_without_a_failure(
    store: Store, nodes: list[RedisServer], script: Script
) -> None:
    key, (old, new, _) = KEYS[0], nodes
    slot, to = await slot_of(old, key), await name_of(new)
    appended = 0
    is_moved = asyncio.Event()

    async def caller() -> None:
        nonlocal appended
        while not is_moved.is_set():
            places = await asyncio.gather(*(store.call(script, [key], [n]) for n in range(10)))
            assert places == list(range(appended, appended + 10))
            appended += 10

    calling = asyncio.create_task(caller())
    await eventually(lambda: appended > 0)
    await new.do("CLUSTER", "SETSLOT", slot, "IMPORTING", await name_of(old))
    await old.do("CLUSTER", "SETSLOT", slot, "MIGRATING", to)
    # The key is sent over: from here on the old node answers ASK, then MOVED.
    await old.do("MIGRATE", "127.0.0.1", new.port, key, 0, 5000)
    after_ask = appended
    await eventually(lambda: appended > after_ask + 50)
    for node in (new, old):
        await node.do("CLUSTER", "SETSLOT", slot, "NODE", to)
    after_moved = appended
    await eventually(lambda: appended > after_moved + 50)
    is_moved.set()
    await calling
    assert len(await store.call(READ_ALL, [key], [])) == appended
    assert store.trouble is None


@pytest.mark.parametrize("lost", [0, 1, 2])
async def test_a_lost_node_takes_only_its_own_keys_with_it(
    store: Store, nodes: list[RedisServer], lost: int
) -> None:
    """Whichever it is, also the one that the URL names."""
    for key in KEYS:
        await store.call(COUNT, [key], [])
    nodes[lost].kill()
    await eventually(lambda: store.trouble is not None)
    assert str(nodes[lost].port) in str(store.trouble)
    with pytest.raises(StoreUnavailable):
        await store.call(COUNT, [KEYS[lost]], [])
    others = [number for number in range(3) if number != lost]

    async def has_looked_again() -> bool:
        """The others answer all the time."""
        for number in others:
            await store.call(COUNT, [KEYS[number]], [])
        stats = [await nodes[number].do("INFO", "commandstats") for number in others]
        return sum(calls_of(each, "cluster|slots") for each in stats) > 4

    await eventually(has_looked_again)
    await nodes[lost].start()
    await agreed(nodes)
    await eventually(lambda: store.trouble is None)
    assert await store.call(COUNT, [KEYS[lost]], []) == 1


def calls_of(stats: object, command: str) -> int:
    assert isinstance(stats, dict)
    return int(stats[f"cmdstat_{command}"]["calls"]) if f"cmdstat_{command}" in stats else 0


async def test_a_stopped_node_delays_nobody_else(store: Store, nodes: list[RedisServer]) -> None:
    for key in KEYS:
        await store.call(COUNT, [key], [])
    with nodes[1].stopped():
        stuck = asyncio.create_task(store.call(COUNT, [KEYS[1]], []))
        for expected in range(2, 50):
            assert await store.call(COUNT, [KEYS[0]], []) == expected
        assert not stuck.done()
        with pytest.raises(StoreUnavailable, match="no answer within 2 s"):
            await stuck
    await eventually(lambda: store.trouble is None)


async def test_calls_sent_on_to_a_node_that_does_not_answer_fail_together(
    store: Store, nodes: list[RedisServer]
) -> None:
    key, (old, new, _) = KEYS[0], nodes
    slot, to = await slot_of(old, key), await name_of(new)
    await new.do("CLUSTER", "SETSLOT", slot, "IMPORTING", await name_of(old))
    await old.do("CLUSTER", "SETSLOT", slot, "MIGRATING", to)
    assert await store.call(COUNT, [key], []) == 1
    with new.stopped():
        calls = [asyncio.create_task(store.call(COUNT, [key], [])) for _ in range(500)]
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailable}
    assert "the key has moved to a node that does not answer" in str(results[-1])
    await eventually(lambda: store.trouble is None)
    assert await store.call(COUNT, ["{f}:k"], []) == 1


async def test_a_cluster_that_was_lost_as_a_whole_is_found_again(
    store: Store, nodes: list[RedisServer]
) -> None:
    for node in nodes:
        node.kill()
    await eventually(lambda: store.trouble is not None)
    with pytest.raises(StoreUnavailable):
        await store.call(COUNT, [KEYS[0]], [])
    await asyncio.gather(*(node.start() for node in nodes))
    await agreed(nodes)
    await eventually(lambda: store.trouble is None)
    assert [await store.call(COUNT, [key], []) for key in KEYS] == [1, 1, 1]


async def test_a_cluster_with_uncovered_slots_is_down_and_says_so(tmp_path: Path) -> None:
    async with redis_cluster(tmp_path) as nodes, running(Store(nodes[0].url)) as store:
        slot = await slot_of(nodes[0], KEYS[0])
        await nodes[0].do("CLUSTER", "DELSLOTS", slot)
        await eventually(lambda: "cluster is down" in (store.trouble or ""))
        with pytest.raises(StoreUnavailable, match="CLUSTER"):
            await store.call(COUNT, [KEYS[0]], [])
        await nodes[0].do("CLUSTER", "ADDSLOTS", slot)
        await agreed(nodes)
        await eventually(lambda: store.trouble is None)
        assert await store.call(COUNT, [KEYS[0]], []) == 1


async def test_a_replica_that_takes_over_is_used(tmp_path: Path) -> None:
    async with (
        redis_cluster(tmp_path, with_replica=True) as nodes,
        running(Store(nodes[0].url)) as store,
    ):
        assert await store.call(COUNT, [KEYS[1]], []) == 1
        nodes[1].kill()

        async def is_served() -> bool:
            try:
                return bool(await store.call(COUNT, [KEYS[1]], []) > 1)
            except StoreUnavailable:
                return False

        await eventually(is_served)
        await eventually(lambda: store.trouble is None)
