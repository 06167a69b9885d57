"""What happens to Redis, which writes everything to disk: it goes, sleeps, forgets its scripts."""

import os
import signal
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

from tests.chaos.faults.fault import Struck, away
from tests.chaos.stage import Stage
from worker.local.ports import reply_from


@dataclass(frozen=True, slots=True)
class RedisRestarted:
    """Stopped in order, away for a while, and back with its data."""

    kind: str = "Redis: restart"
    lanes: tuple[str, ...] = ("redis",)
    weight: float = 1.0

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        await stage.redis.stop()
        return await away(stage, dice.choice((0.0, 1.0, 4.0)), stage.redis.start)


@dataclass(frozen=True, slots=True)
class RedisKilled:
    """SIGKILL, and back with what it had written."""

    kind: str = "Redis: SIGKILL"
    lanes: tuple[str, ...] = ("redis",)
    weight: float = 1.5

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        await stage.redis.kill()
        return await away(stage, dice.choice((0.0, 1.0, 4.0)), stage.redis.start)


@dataclass(frozen=True, slots=True)
class RedisFrozen:
    """SIGSTOP for some seconds: connections stay, answers do not come."""

    kind: str = "Redis: frozen"
    lanes: tuple[str, ...] = ("redis",)
    weight: float = 1.5

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        (pid,) = stage.redis.pids
        os.kill(pid, signal.SIGSTOP)

        async def wake() -> None:
            os.kill(pid, signal.SIGCONT)

        return await away(stage, dice.choice((0.5, 2.0, 5.0)), wake)


@dataclass(frozen=True, slots=True)
class RedisTold:
    """A command that an operator may give, which must not hurt."""

    kind: str
    command: str
    lanes: tuple[str, ...] = ("redis",)
    weight: float = 1.0

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        port = urlsplit(stage.redis.url).port
        assert port is not None, "a node's own URL"
        answer = await reply_from(port, f"{self.command}\r\n".encode())
        # CLIENT KILL closes the connection of whoever asks, too.
        assert answer[:1] in (b"+", b":", b""), answer
        return Struck()
