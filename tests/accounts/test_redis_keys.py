"""Accounts in Redis: what is read of its keys, and what is said when it gives no answer."""

import asyncio
from secrets import token_hex

import pytest
from redis.asyncio import Redis

from worker.accounts.origin import Absent, Found, OriginUnavailable, Unchanged, Unusable
from worker.accounts.redis_keys import RedisKeys
from worker.core.kind import Bucket

ONE, TWO, THREE = "17841400000000001", "17841400000000002", "17841400000000003"

pytestmark = pytest.mark.broker


async def test_entries_are_read_and_only_those_that_changed(redis: str) -> None:
    prefix = token_hex(4)
    keys, client = RedisKeys(redis, prefix=prefix, timeout_s=5.0), Redis.from_url(redis)
    entry = '{"token": "IGAAone", "limits": {"text": "10/s"}}'
    await client.set(f"{prefix}:account:{ONE}", entry)
    await client.set(f"{prefix}:account:{TWO}", '{"token": "IGAAtwo", "tokn": 1}')
    await client.set(f"{prefix}:account:shop", entry)
    first = await keys.ask({ONE: None, TWO: None, THREE: None})
    found = first[ONE]
    assert isinstance(found, Found)
    assert found.account.token.reveal == "IGAAone"
    assert Bucket.TEXT in found.account.limits
    problem = first[TWO]
    assert isinstance(problem, Unusable)
    assert problem.problem.startswith(f"Redis key {prefix}:account:{TWO}: tokn is not a known key")
    assert isinstance(first[THREE], Absent)

    assert isinstance((await keys.ask({ONE: found.mark}))[ONE], Unchanged)
    await client.set(f"{prefix}:account:{ONE}", entry.replace("one", "new"))
    assert isinstance((await keys.ask({ONE: found.mark}))[ONE], Found)
    await client.delete(f"{prefix}:account:{ONE}")
    assert isinstance((await keys.ask({ONE: found.mark}))[ONE], Absent)
    assert [each async for each in keys.ids()] == [TWO]
    await client.aclose()
    await keys.close()


async def test_key_of_another_type_is_named_and_not_taken_for_no_account(redis: str) -> None:
    prefix = token_hex(4)
    keys, client = RedisKeys(redis, prefix=prefix, timeout_s=5.0), Redis.from_url(redis)
    await client.hset(f"{prefix}:account:{ONE}", "token", "IGAA")
    answers = await keys.ask({ONE: None, TWO: None})
    assert answers[ONE] == Unusable(
        f"Redis key {prefix}:account:{ONE} is a hash; it must be a string with the entry as JSON"
    )
    assert isinstance(answers[TWO], Absent)
    await client.delete(f"{prefix}:account:{ONE}")
    await client.aclose()
    await keys.close()


async def test_redis_that_is_not_there_is_named_without_its_password() -> None:
    keys = RedisKeys("redis://user:hidden@127.0.0.1:1/0", prefix="ig", timeout_s=5.0)
    with pytest.raises(OriginUnavailable) as caught:
        await keys.ask({ONE: None})
    assert "IGSEND_ACCOUNTS=redis://127.0.0.1:1/0: " in str(caught.value)
    assert "hidden" not in str(caught.value)
    with pytest.raises(OriginUnavailable):
        [each async for each in keys.ids()]
    await keys.close()


@pytest.mark.parametrize(
    "answer", [b"*1\r\n$-1\r\n", b":5\r\n", b"+OK\r\n", b"HTTP/1.1 400 No\r\n"]
)
async def test_what_is_no_redis_is_no_answer_about_the_accounts(answer: bytes) -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(answering, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = RedisKeys(f"redis://127.0.0.1:{port}/0", prefix="ig", timeout_s=5.0)
        with pytest.raises(OriginUnavailable, match="look at the Redis"):
            await keys.ask({ONE: None, TWO: None})
        await keys.close()


async def test_answer_that_comes_too_late_is_not_taken_for_that_of_the_next_question() -> None:
    """A token that reached another account would send in its name."""
    is_late, go_on = True, asyncio.Event()

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while question := await reader.read(4096):
            if b"MGET" not in question:
                writer.write(b"+OK\r\n" * question.count(b"*"))
                continue
            if is_late:
                await go_on.wait()
            asked_about = ONE if ONE.encode() in question else TWO
            entry = f'{{"token": "IGAA{asked_about}"}}'
            writer.write(f"*1\r\n${len(entry)}\r\n{entry}\r\n".encode())
        writer.close()

    async with await asyncio.start_server(answering, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = RedisKeys(f"redis://127.0.0.1:{port}/0", prefix="ig", timeout_s=0.5)
        with pytest.raises(OriginUnavailable, match="no answer within"):
            await keys.ask({ONE: None})
        is_late = False
        go_on.set()
        found = (await keys.ask({TWO: None}))[TWO]
        assert isinstance(found, Found)
        assert found.account.token.reveal == f"IGAA{TWO}"
        await keys.close()
