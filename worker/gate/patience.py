"""Waiting in hand: what is due within about two seconds is not worth a trip to the broker."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from worker.core.admission import Admission
from worker.ports import Clock

# What is due sooner is waited for in hand; everything later is parked at the broker.
HOLD_S = 2.0
# A call that should have been woken looks for itself after this long.
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class TurnSoon:
    """Those before it in the conversation are about to finish; `called` tells when."""

    called: asyncio.Event


class SlotSoon(NamedTuple):
    """Ask again at `at` (unix seconds). `reserved` is for the gate itself: the slot it keeps."""

    at: float
    reserved: object = None


Answer = Admission | TurnSoon | SlotSoon


class Patience(NamedTuple):
    """Whether there is time left to wait in hand, whether a SlotSoon was waited for, and which."""

    may_wait: bool = True
    has_waited: bool = False
    reserved: object = None


FRESH = Patience()


async def patiently(
    decide: Callable[[Patience], Awaitable[Answer]], clock: Clock, waits: Callable[[], None]
) -> Admission:
    """Ask until there is a final answer; without patience `decide` must give one.

    `waits` is called as soon as it is clear that there is something to wait for.
    """
    answer = await decide(FRESH)
    if not isinstance(answer, TurnSoon | SlotSoon):
        return answer
    waits()
    # By both clocks: one of them may be set, or stand still in a test.
    loop = asyncio.get_running_loop()
    loop_end, clock_end = loop.time() + HOLD_S, clock.now() + HOLD_S

    def left_s() -> float:
        return min(loop_end - loop.time(), clock_end - clock.now())

    while isinstance(answer, TurnSoon | SlotSoon):
        if isinstance(answer, TurnSoon):
            await _called(answer.called, within_s=min(POLL_S, left_s()))
            answer = await decide(Patience(may_wait=left_s() > 0))
        else:
            await clock.sleep_until(answer.at)
            answer = await decide(Patience(left_s() > 0, has_waited=True, reserved=answer.reserved))
    return answer


async def _called(called: asyncio.Event, *, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await called.wait()
    except TimeoutError:
        return
