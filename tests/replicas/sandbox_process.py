"""A sandbox that watches itself: `python -m` this module, until SIGTERM; then writes its evidence.

The product's own sandbox, with two listeners: which part of which request a call was, also when
it is refused, and how late its event loop runs, so that its own stalls are not taken for bursts.
"""

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path

import uvloop

from tests.replicas.evidence import STALL_S, Seen, mark_in, write
from worker.sandbox.fault_book import FaultBook, ScriptedFault
from worker.sandbox.graph_server import running_sandbox
from worker.sandbox.ledger import Call, Ledger
from worker.sandbox.send_call import SendCall
from worker.sandbox.state import SandboxState
from worker.sandbox.world import World

_LOOK_EVERY_S = 0.002
# The lowest real-time priority is ahead of the processes it watches: it has to see a call when it
# comes, not when it is its turn. Niceness would not do: it counts only within one's own session.
_PRIORITY = os.sched_param(1)
_MEDIA = frozenset({"image", "images", "audio", "video", "file"})

_current: ContextVar[Call] = ContextVar("the call that this task handles")


class WatchedLedger(Ledger):
    """Tells who comes later in the task of a call which call it is."""

    async def open_call(self, method: str, path: str) -> Call:
        call = await super().open_call(method, path)
        _current.set(call)
        return call


class WatchedFaults(FaultBook):
    """Notes of each call what was in it, before anything happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: dict[int, SendCall] = {}

    def strike(self, call: SendCall) -> ScriptedFault | None:
        self.bodies[_current.get().seq] = call
        return super().strike(call)


class Stalls:
    """Ticks in short steps and keeps when a step took too long; `found` has (end, length)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.found: list[tuple[float, float]] = []
        self._loop = loop
        self._due = loop.time()
        self._tick()

    def _tick(self) -> None:
        late_s = self._loop.time() - self._due
        if late_s > STALL_S:
            self.found.append((time.time(), late_s))
        self._due = self._loop.time() + _LOOK_EVERY_S
        self._loop.call_at(self._due, self._tick)


async def watch(accounts: Mapping[str, str], evidence: Path, keep: int) -> None:
    """Serve until SIGTERM, then write what was seen; `accounts` maps ids to tokens."""
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told_to_stop.set)
    faults = WatchedFaults()
    state = SandboxState(world=World(keep=keep), ledger=WatchedLedger(keep=keep), faults=faults)
    async with running_sandbox(state, accounts=accounts) as sandbox:
        sys.stdout.write(f"url={sandbox.url}\n")
        sys.stdout.flush()
        stalls = Stalls(loop)
        await told_to_stop.wait()
        if state.ledger.calls_count > keep:
            sys.exit(f"{state.ledger.calls_count} calls came, and only {keep} were kept")
        bodies = {m.seq: m.raw.decode() for m in state.ledger.accepted}
        calls = [_seen(call, faults.bodies.get(call.seq), bodies) for call in state.ledger.calls]
        write(evidence, calls, stalls.found)


def _seen(call: Call, body: SendCall | None, accepted: dict[int, str]) -> Seen:
    # Files have no text: their mark is in the URL, which only an accepted body still has.
    text = (body.text if body is not None else None) or accepted.get(call.message_seq or 0, "")
    request, part = mark_in(text)
    return Seen(
        account_id=call.account_id or "",
        recipient_id=call.recipient_id or "",
        bucket=_bucket(call, body),
        request=request,
        part=part,
        received_at=call.received_at,
        answered_at=call.answered_at,
        accepted=call.accepted,
        status=call.status,
    )


def _bucket(call: Call, body: SendCall | None) -> str:
    if call.method == "GET":
        return "conversations"
    if body is not None and body.comment_id is not None:
        return "private_reply"
    return "media" if call.kind in _MEDIA else "text"


def main() -> None:
    # Where it is not allowed, the stalls in the evidence say what that costs.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, _PRIORITY)
    # A full collection over all that is kept would stall the loop for longer than a window's slack.
    gc.disable()
    tokens, evidence, keep = sys.argv[1:]
    uvloop.run(watch(json.loads(Path(tokens).read_text()), Path(evidence), int(keep)))


if __name__ == "__main__":
    main()
