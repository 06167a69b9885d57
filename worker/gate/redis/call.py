"""One call of a script or plain command, and the command that one or several of them leave in."""

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
    future: asyncio.Future[Any]
    reply: Any = field(default=NO_REPLY)

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


@dataclass(slots=True, eq=False)
class Command:
    """What leaves as one command: one call, or several of a script that takes many."""

    script: Script | None
    calls: list[Call]

    def by_name(self) -> bytes:
        """Write it for a Redis that knows the script. Raises TypeError for what is no argument."""
        return self._of_script(b"EVALSHA", self.script.sha) if self.script else self._plain()

    def in_full(self) -> bytes:
        """Write it for a Redis that may not."""
        return self._of_script(b"EVAL", self.script.text) if self.script else self._plain()

    def answer(self, reply: Any) -> None:
        """Give each call its own; an error is everybody's."""
        if self.script is not None and self.script.takes_many and not isinstance(reply, Exception):
            for call, own in zip(self.calls, reply, strict=True):
                call.reply = own
        else:
            for call in self.calls:
                call.reply = reply

    def _of_script(self, verb: bytes, body: str) -> bytes:
        keys: list[Argument] = []
        args: list[Argument] = []
        for call in self.calls:
            keys += call.keys
            args += call.args
        return pack(verb, body, len(keys), *keys, *args)

    def _plain(self) -> bytes:
        return pack(*self.calls[0].args)


def pack(*command: Argument) -> bytes:
    """Write a command in the protocol of Redis."""
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # its stub says one-tuple
    return packed
