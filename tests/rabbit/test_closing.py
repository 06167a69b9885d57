"""A channel is closed as a whole: aiormq must not see the cancellation of who closes it."""

import asyncio
from typing import cast

import pytest
from aiormq.abc import AbstractChannel

from tests.support.waiting import eventually
from worker.rabbit.wire.closing import close


class SlowChannel:
    """Its broker answers when it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may_answer = asyncio.Event()
        self.began = self.is_closed = False
        self._error = error

    async def close(self) -> None:
        self.began = True
        await self.may_answer.wait()
        if self._error is not None:
            raise self._error
        self.is_closed = True


@pytest.mark.parametrize("error", [None, ConnectionError("gone")])
async def test_who_is_cancelled_closes_first(error: Exception | None) -> None:
    channel = SlowChannel(error)
    closing = asyncio.create_task(close(cast(AbstractChannel, channel)))
    await eventually(lambda: channel.began)
    closing.cancel()
    await asyncio.wait([closing], timeout=0.0)
    assert not closing.done()
    channel.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert channel.is_closed == (error is None)


async def test_a_close_that_fails_says_so() -> None:
    channel = SlowChannel(ConnectionError("gone"))
    channel.may_answer.set()
    with pytest.raises(ConnectionError, match="gone"):
        await close(cast(AbstractChannel, channel))
