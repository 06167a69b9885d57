"""One call of a script, or one plain command: what goes out, and who waits for the reply."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hiredis import pack_command

from worker.gate.redis.failure import StoreUnavailable, unavailability
from worker.gate.redis.script import Script

Argument = str | int | float | bytes
NO_REPLY = object()


@dataclass(slots=True, eq=False)
class Call:
    """`reply` is NO_REPLY until there is one; an error that Redis answered is a reply.

    Without a `script`, `args` are a whole command.
    """

    script: Script | None
    keys: Sequence[str]
    args: Sequence[Argument]
    packed: bytes
    future: asyncio.Future[Any]
    reply: Any = field(default=NO_REPLY)

    @classmethod
    def of(cls, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> "Call":
        packed = pack(b"EVALSHA", script.sha, len(keys), *keys, *args)
        return cls(script, keys, args, packed, asyncio.get_running_loop().create_future())

    @classmethod
    def plain(cls, keys: Sequence[str], command: Sequence[Argument]) -> "Call":
        return cls(None, keys, command, pack(*command), asyncio.get_running_loop().create_future())

    def settle(self, where: str, *, lost: str) -> None:
        """Hand the reply to who waits for it; `lost` says why there may be none."""
        if self.future.done():
            # Whoever asked was cancelled meanwhile.
            return
        if self.reply is NO_REPLY:
            self.future.set_exception(StoreUnavailable(f"{where}: {lost}"))
        elif not isinstance(self.reply, Exception):
            self.future.set_result(self.reply)
        elif (why := unavailability(self.reply)) is not None:
            self.future.set_exception(StoreUnavailable(f"{where}: {why}"))
        else:
            self.future.set_exception(self.reply)


def pack(*command: Argument) -> bytes:
    """Write a command in the protocol of Redis."""
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # its stub says one-tuple
    return packed
