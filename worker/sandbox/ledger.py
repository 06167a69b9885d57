"""What was accepted and what was called, in order: the evidence others count on. Bounded memory.

Of each list the newest `keep` entries are kept; numbers and counters go on for ever.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import orjson

Verdict = Literal["open", "read", "accepted", "refused", "fault", "aborted"]


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """One call the sandbox counts as carried out. Times are unix seconds; `raw` is the body."""

    seq: int
    account_id: str
    recipient: dict[str, Any]
    recipient_id: str
    kind: str
    message_id: str | None
    raw: bytes
    api_version: str
    received_at: float
    accepted_at: float
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        """The JSON body as it was received."""
        return orjson.loads(self.raw)

    def to_json(self) -> dict[str, Any]:
        """Give it for the list; the body goes out byte for byte."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name != "raw"}
        return {**shown, "body": orjson.Fragment(self.raw)}


@dataclass(slots=True)
class Call:
    """One call, from its headers to its answer; filled in as it proceeds, hence not frozen.

    `verdict` is what became of it: open (undecided yet), accepted or refused by the rules, fault
    by the script (then `accepted` says whether the message counts all the same), read (a GET that
    was answered), aborted (the client left before its body was complete).
    """

    seq: int
    method: str
    path: str
    received_at: float
    verdict: Verdict = "open"
    accepted: bool = False
    account_id: str | None = None
    recipient_id: str | None = None
    kind: str | None = None
    message_seq: int | None = None
    fault_id: int | None = None
    status: int | None = None
    code: int | None = None
    subcode: int | None = None
    decided_at: float | None = None
    answered_at: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Give it for the list."""
        return {name: getattr(self, name) for name in self.__slots__}


class Ledger:
    """Records calls and accepted messages and wakes those who wait for them."""

    def __init__(self, *, keep: int = 100_000) -> None:
        self.accepted: deque[AcceptedMessage] = deque(maxlen=keep)
        self.calls: deque[Call] = deque(maxlen=keep)
        self.accepted_count = 0
        self.calls_count = 0
        self.counters: Counter[str] = Counter()
        self.changed = asyncio.Condition()

    async def open_call(self, method: str, path: str) -> Call:
        """Begin the record of a call and tell those who wait."""
        self.calls_count += 1
        call = Call(self.calls_count, method, path[:200], time.time())
        self.calls.append(call)
        await self.tell()
        return call

    def accept(self, message: AcceptedMessage) -> None:
        """Record an accepted message; its seq must be `next_seq`."""
        self.accepted.append(message)
        self.accepted_count += 1
        self.counters[f"accepted.{message.kind}"] += 1

    @property
    def next_seq(self) -> int:
        """The number the next accepted message gets; numbers start at 1 and leave no gap."""
        return self.accepted_count + 1

    async def decided(self, call: Call, verdict: Verdict, *, status: int | None) -> None:
        """Settle what became of a call and tell those who wait."""
        call.verdict, call.status, call.decided_at = verdict, status, time.time()
        self.counters[f"calls.{verdict}"] += 1
        if call.code is not None:
            subcode = "" if call.subcode is None else f"/{call.subcode}"
            self.counters[f"errors.{call.code}{subcode}"] += 1
        await self.tell()

    async def tell(self) -> None:
        """Wake everyone who waits for a change."""
        async with self.changed:
            self.changed.notify_all()

    def messages_since(self, seq: int) -> list[AcceptedMessage]:
        """Give what is kept with a greater number, in order."""
        first = self.accepted[0].seq if self.accepted else 0
        return list(islice(self.accepted, max(0, seq - first + 1), None))

    def clear(self) -> None:
        """Forget messages, calls and counters; the numbering goes on."""
        self.accepted.clear()
        self.calls.clear()
        self.counters.clear()

    async def wait_until(self, is_true: Callable[[], bool], *, deadline_s: float) -> None:
        """Wait for a change that makes `is_true()` true; raises TimeoutError."""
        async with asyncio.timeout(deadline_s), self.changed:
            await self.changed.wait_for(is_true)

    async def wait_for_accepted(self, count: int, *, deadline_s: float) -> list[AcceptedMessage]:
        """Wait until `count` messages are kept; raises TimeoutError that says how many are."""
        try:
            await self.wait_until(lambda: len(self.accepted) >= count, deadline_s=deadline_s)
        except TimeoutError:
            raise TimeoutError(
                f"{len(self.accepted)} of {count} messages accepted within {deadline_s} s"
            ) from None
        return list(self.accepted)
