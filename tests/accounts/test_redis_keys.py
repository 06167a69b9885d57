"""Accounts in Redis: what is read of its keys, and what is said when it gives no answer."""

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


async def test_key_of_another_type_is_no_account(redis: str) -> None:
    prefix = token_hex(4)
    keys, client = RedisKeys(redis, prefix=prefix, timeout_s=5.0), Redis.from_url(redis)
    await client.hset(f"{prefix}:account:{ONE}", "token", "IGAA")
    assert isinstance((await keys.ask({ONE: None}))[ONE], Absent)
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
