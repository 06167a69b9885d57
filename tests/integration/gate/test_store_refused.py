"""A Redis that answers but refuses, and one that is not let in: it is said in words."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.gate.outage import failure_of, says, works_again
from tests.integration.gate.redis_servers import RedisServer, redis_server, running
from tests.integration.gate.scripts import APPEND, COUNT, ECHO, READ_ALL, TELL
from tests.support.raw_http import Exchange, raw_peer
from tests.support.waiting import eventually
from worker.gate.redis.store import Store
from worker.local.ports import free_ports

PASSWORD = "ge:he@im/%"
IN_URL = "ge%3Ahe%40im%2F%25"


Command = tuple[str | int, ...]
REFUSALS: dict[str, tuple[list[Command], Command, str]] = {
    "OOM": (
        [("CONFIG", "SET", "maxmemory", 1)],
        ("CONFIG", "SET", "maxmemory", 0),
        "out of memory",
    ),
    "READONLY": (
        [("REPLICAOF", "127.0.0.1", 1)],
        ("REPLICAOF", "NO", "ONE"),
        "read-only replica",
    ),
    "MASTERDOWN": (
        [("CONFIG", "SET", "replica-serve-stale-data", "no"), ("REPLICAOF", "127.0.0.1", 1)],
        ("REPLICAOF", "NO", "ONE"),
        # Writing is refused as on any replica, reading because of the lost primary.
        "replica",
    ),
    "NOREPLICAS": (
        [("CONFIG", "SET", "min-replicas-to-write", 1)],
        ("CONFIG", "SET", "min-replicas-to-write", 0),
        "too few replicas",
    ),
    "NOPERM": (
        [("ACL", "SETUSER", "default", "-set", "-evalsha")],
        ("ACL", "SETUSER", "default", "+@all"),
        "may not do what is needed",
    ),
    "NOPERM in the script": (
        [("ACL", "SETUSER", "default", "-set", "-incr")],
        ("ACL", "SETUSER", "default", "+@all"),
        "may not do what is needed",
    ),
}


@pytest.mark.parametrize("code", REFUSALS)
async def test_what_redis_refuses_is_said_in_words_and_passes(
    store: Store, server: RedisServer, code: str
) -> None:
    begin, end, said = REFUSALS[code]
    await store.call(COUNT, ["k"], [])
    for command in begin:
        await server.do(*command)
    assert said in await failure_of(store.call(COUNT, ["k"], []))
    await says(store, said)
    await server.do(*end)
    await works_again(store)
    assert await store.call(COUNT, ["k"], []) == 2


async def test_a_script_that_does_not_end_is_said_in_words_and_may_be_killed(
    store: Store, server: RedisServer
) -> None:
    await server.do("CONFIG", "SET", "busy-reply-threshold", 50)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b'EVAL "while true do end" 0\r\n')
    await writer.drain()
    await says(store, "a script runs for too long")
    await server.do("SCRIPT", "KILL")
    writer.close()
    await works_again(store)


async def test_a_refusal_is_noticed_without_calls(store: Store, server: RedisServer) -> None:
    await server.do("CONFIG", "SET", "maxmemory", 1)
    await says(store, "out of memory")
    await server.do("CONFIG", "SET", "maxmemory", 0)
    await works_again(store)


async def test_a_disk_that_fails_is_said_in_words(tmp_path: Path) -> None:
    async with (
        redis_server(tmp_path / "redis", dbfilename="dump.rdb") as server,
        running(Store(server.url)) as store,
    ):
        # A folder where the snapshot should go cannot be replaced by it.
        (server.folder / "dump.rdb").mkdir()
        await server.do("CONFIG", "SET", "save", "1 1")
        await store.call(COUNT, ["k"], [])
        await says(store, "cannot write to its disk")
        assert "cannot write to its disk" in await failure_of(store.call(COUNT, ["k"], []))
        await server.do("CONFIG", "SET", "save", "")
        await works_again(store)


async def test_a_redis_that_loads_its_data_is_waited_for(store: Store, server: RedisServer) -> None:
    await store.call(APPEND, ["k"], ["before"])
    await server.do(
        "EVAL", "for n = 1, 4000 do redis.call('SET', 'filler' .. n, ('x'):rep(400)) end", 0
    )
    server.kill()
    # 2 s in all, with an answer to whoever asks after every few keys.
    server.settings |= {"key-load-delay": 500, "loading-process-events-interval-bytes": 2048}
    await server.start()
    await says(store, "loading its data")
    assert "loading its data" in await failure_of(store.call(ECHO, ["k"], ["x"]))
    await works_again(store)
    assert await store.call(READ_ALL, ["k"], []) == [b"before"]


@pytest.mark.parametrize(
    ("login", "mended"),
    [
        (f":{IN_URL}x@", ("CONFIG", "SET", "requirepass", f"{PASSWORD}x")),
        ("", ("CONFIG", "SET", "requirepass", "")),
        (f"nobody:{IN_URL}@", ("ACL", "SETUSER", "nobody", "on", f">{PASSWORD}", "~*", "+@all")),
    ],
    ids=["wrong", "none", "unknown user"],
)
async def test_a_wrong_password_is_said_without_any_password(
    server: RedisServer, login: str, mended: Command
) -> None:
    await server.do("CONFIG", "SET", "requirepass", PASSWORD)
    async with running(Store(f"redis://{login}127.0.0.1:{server.port}"), until_well=False) as store:
        await says(store, "refuses the user name or password; look at IGSEND_GATE_URL")
        texts = [str(store.trouble), await failure_of(store.call(COUNT, ["k"], []))]
        assert not any(secret in text for text in texts for secret in (PASSWORD, IN_URL, "he@im"))
        # The operator sets the other side right.
        server.password = PASSWORD
        await server.do(*mended)
        await works_again(store)


async def test_user_password_and_database_of_the_url_are_used(server: RedisServer) -> None:
    await server.do("ACL", "SETUSER", "igsend", "on", f">{PASSWORD}", "~*", "&*", "+@all")
    url = f"redis://igsend:{IN_URL}@127.0.0.1:{server.port}/2"
    heard: list[bytes] = []
    async with running(Store(url)) as store:
        assert await store.call(COUNT, ["k"], []) == 1
        listening = asyncio.create_task(store.subscribe("wake", heard.append))
        await eventually(lambda: _told(store))
        await eventually(lambda: heard[:1] == [b"hello"])
        listening.cancel()
        await asyncio.wait([listening])


async def _told(store: Store) -> bool:
    return bool(await store.call(TELL, ["k"], ["wake", "hello"]))


async def test_a_database_that_there_is_none_of_is_said_in_words(server: RedisServer) -> None:
    url = server.url.replace("/0", "/99")
    async with running(Store(url), until_well=False) as store:
        await says(store, "DB index is out of range; look at IGSEND_GATE_URL")


async def test_a_peer_that_is_no_redis_is_said_in_words() -> None:
    async def answers_in_http(exchange: Exchange) -> None:
        await exchange.first_byte()
        await exchange.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await exchange.client_left()

    async with raw_peer(answers_in_http) as peer:
        url = peer.url.replace("http://", "redis://")
        async with running(Store(url), until_well=False) as store:
            await says(store, "InvalidResponse")


async def test_a_unix_socket_is_used(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with (
        redis_server(tmp_path / "redis", unixsocket=str(path)) as server,
        running(Store(f"unix://{path}?db=1")) as store,
    ):
        assert await store.call(COUNT, ["k"], []) == 1
        server.kill()
        assert str(path) in await failure_of(store.call(COUNT, ["k"], []))
        await server.start()
        await works_again(store)


# A key made for tests alone; it protects nothing.
SELF_SIGNED = Path(__file__).parent.parent / "graph" / "self_signed.pem"


async def test_tls_is_used_and_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path,
) -> None:
    async with redis_server(tmp_path / "redis") as server:
        (tls_port,) = free_ports(1)
        for name, value in (
            ("tls-cert-file", SELF_SIGNED),
            ("tls-key-file", SELF_SIGNED),
            ("tls-auth-clients", "no"),
            ("tls-port", tls_port),
        ):
            await server.do("CONFIG", "SET", name, str(value))
        url = f"rediss://127.0.0.1:{tls_port}/1"
        async with running(Store(url), until_well=False) as store:
            await says(store, "certificate")
        trusting = f"{url}?ssl_ca_certs={SELF_SIGNED}&ssl_check_hostname=false"
        async with running(Store(trusting)) as store:
            assert await store.call(COUNT, ["k"], []) == 1
