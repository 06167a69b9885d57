"""A store that asks its Redis within the test's own time, and fails when it is told to."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from secrets import token_hex
from typing import Any

from redis import Redis

from tests.gate.machine_time import lapse
from tests.gate.world import in_time_of
from worker.gate.redis.call import Argument, pack
from worker.gate.redis.script import Script
from worker.gate.redis.scripts import PLATFORM
from worker.gate.redis.store import Store, StoreUnavailable

# The way to Redis, and the way back.
WAY_S = 0.0004


class Fault(StrEnum):
    """What befalls one call."""

    NONE = "none"
    NOT_MADE = "not made"
    ANSWER_LOST = "answer lost"


class SharedRedis:
    """What all workers share: one Redis, keys of their own in it, and who listens to what."""

    def __init__(self, url: str, now: Callable[[], float]) -> None:
        self.prefix = f"t{token_hex(6)}"
        self.now = now
        self.faults: deque[Fault] = deque()
        self.listeners: dict[str, list[Callable[[bytes], None]]] = {}
        self.client = Redis.from_url(url)
        # Its methods have no types.
        self._connection: Any = self.client.connection_pool.get_connection()
        self._scripts: dict[str, str] = {}
        self._last_look: Any = None

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script at this very moment of the test, and pass on what it publishes."""
        is_look = script is PLATFORM and json.loads(str(args[0])) == {"what": "look"}
        if is_look and self._last_look is not None:
            # Nothing has happened since: this is most of what workers ask while time passes.
            return self._last_look
        said, time = f"{self.prefix}:said", f"{self.prefix}:time"
        sha = self._scripts.get(script.name) or self._load(script, said=said, time=time)
        commands = [
            pack(b"SET", time, f"{self.now():.6f}"),
            pack(b"EVALSHA", sha, len(keys), *keys, *args),
            pack(b"LRANGE", said, 0, -1),
            pack(b"DEL", said),
        ]
        self._connection.send_packed_command([b"".join(commands)], check_health=False)
        _, answer, words, _ = [self._connection.read_response() for _ in commands]
        if script.takes_many:
            [answer] = answer
        self._last_look = answer if is_look else None
        loop = asyncio.get_running_loop()
        for channel, message in zip(words[::2], words[1::2], strict=True):
            for hear in self.listeners.get(channel.decode(), ()):
                loop.call_later(WAY_S, hear, message)
        return answer

    def send(self, *command: Argument) -> Any:
        """Send a plain command at this very moment of the test."""
        self._connection.send_packed_command([pack(*command)], check_health=False)
        return self._connection.read_response()

    def _load(self, script: Script, *, said: str, time: str) -> str:
        text = in_time_of(script, time).text
        # To be heard when the test's own time has come for it.
        text = text.replace("redis.call('PUBLISH', ", f"redis.call('RPUSH', '{said}', ")
        sha = self._scripts[script.name] = str(self.client.script_load(text))
        return sha

    def keys(self) -> list[bytes]:
        return list(self.client.scan_iter(f"{self.prefix}:*", count=1000))

    def forget(self) -> None:
        """Delete its keys and close the connection."""
        keys = self.keys()
        if keys:
            self.client.unlink(*keys)
        self._connection.disconnect()
        self.client.close()


class StoreAtOnce(Store):
    """One worker's way to it. Once cut, it neither says nor hears anything more."""

    def __init__(self, shared: SharedRedis, *, on_fault: Callable[[], None]) -> None:
        super().__init__("redis://nowhere.invalid")
        self._shared = shared
        self._on_fault = on_fault
        self._is_cut = False

    @property
    def trouble(self) -> str | None:
        return None

    @property
    def is_cluster(self) -> bool:
        return False

    def cut(self) -> None:
        self._is_cut = True

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        return await self._made(lambda: self._shared.run(script, keys, args))

    async def command(self, keys: Sequence[str], *command: Argument) -> Any:
        return await self._made(lambda: self._shared.send(*command))

    async def _made(self, call: Callable[[], Any]) -> Any:
        fault = self._shared.faults.popleft() if self._shared.faults else Fault.NONE
        await lapse(WAY_S)
        if self._is_cut:
            await asyncio.get_running_loop().create_future()
        if fault is not Fault.NONE:
            self._on_fault()
        answer = None if fault is Fault.NOT_MADE else call()
        await lapse(WAY_S)
        if fault is not Fault.NONE:
            raise StoreUnavailable(fault.value)
        return answer

    async def subscribe(self, channel: str, on_message: Callable[[bytes], None]) -> None:
        with self._listening(channel, on_message):
            await asyncio.get_running_loop().create_future()

    @contextmanager
    def _listening(self, channel: str, on_message: Callable[[bytes], None]) -> Iterator[None]:
        listeners = self._shared.listeners.setdefault(channel, [])
        listeners.append(on_message)
        try:
            yield
        finally:
            listeners.remove(on_message)
