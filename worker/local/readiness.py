"""Waiting until a started child answers on its port, or saying why it does not."""

import asyncio
import re
import time
from dataclasses import dataclass

from worker.local.child import Child
from worker.local.errors import NodeError
from worker.local.ports import reply_from

_POLL_S = 0.1
_LINES = 25
# RabbitMQ gives the reason around this line, then pages of its supervision tree.
_BOOT_FAILED = "BOOT FAILED"
_AROUND_FAILED = 8
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Sign:
    """What to say to a port and how a node that is ready begins its answer."""

    question: bytes
    answer: bytes = b""


async def wait_for_sign(
    child: Child, port: int, sign: Sign, *, within_s: float, advice: str
) -> None:
    """Raises NodeError, with its log's last lines and `advice`, when it ended or stays mute."""
    deadline = time.monotonic() + within_s
    while True:
        reply = await reply_from(port, sign.question)
        if not child.is_running:
            raise _failure(child, f"ended with exit code {child.exit_code}", advice)
        if reply and reply.startswith(sign.answer):
            return
        if time.monotonic() > deadline:
            raise _failure(child, f"gave no answer on port {port} in {within_s:.0f} s", advice)
        await asyncio.sleep(_POLL_S)


def _failure(child: Child, what: str, advice: str) -> NodeError:
    return NodeError(
        f"the private {child.name} {what}. What its log says:\n"
        f"{_telling_lines(child.said())}\n{advice}"
    )


def _telling_lines(log: str) -> str:
    lines = _COLOUR.sub("", log).rstrip().splitlines()
    failed = next((i for i, line in enumerate(lines) if line.strip() == _BOOT_FAILED), None)
    if failed is not None:
        lines = lines[max(0, failed - _AROUND_FAILED) : failed + _AROUND_FAILED]
    return "\n".join(f"    {line}" for line in lines[-_LINES:] if line.strip()) or "    (nothing)"
