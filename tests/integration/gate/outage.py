"""What tests ask of a store whose Redis is away or refuses."""

from collections.abc import Awaitable

import pytest

from tests.integration.gate.scripts import ECHO
from tests.support.waiting import eventually
from worker.gate.redis.store import Store, StoreUnavailable


async def failure_of(call: Awaitable[object]) -> str:
    with pytest.raises(StoreUnavailable) as failure:
        await call
    return str(failure.value)


async def works_again(store: Store) -> None:
    """Wait until the store says it is well, and hold it to that."""
    await eventually(lambda: store.trouble is None)
    assert await store.call(ECHO, ["k"], ["well"]) == b"well"


async def says(store: Store, words: str) -> None:
    await eventually(lambda: words in (store.trouble or ""))
