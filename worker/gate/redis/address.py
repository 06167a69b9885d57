"""Where a Redis is and how to log in there, from its URL."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from worker.gate.redis.failure import StoreUnavailable, unavailability


@dataclass(frozen=True, slots=True)
class Address:
    """`shown` is for people; it holds neither user name nor password."""

    shown: str
    timeout_s: float
    kind: type[AbstractConnection] = field(repr=False)
    options: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, url: str, *, timeout_s: float) -> "Address":
        """Read redis://, rediss:// or unix://; raises ValueError, which does not hold the URL."""
        try:
            options: dict[str, Any] = dict(parse_url(url))
        except ValueError:
            # Its text may quote a part of the password.
            raise ValueError("the URL of the Redis cannot be read") from None
        kind = options.pop("connection_class", Connection)
        shown = options.get("path") or _host_and_port(options)
        return cls(shown, timeout_s, kind, options)

    @property
    def host_and_port(self) -> tuple[str, int]:
        return self.options.get("host", "localhost"), self.options.get("port", 6379)

    def at(self, host: str, port: int) -> "Address":
        """Give another node, to log in to in the same way."""
        options = {**self.options, "host": host, "port": port}
        return Address(_host_and_port(options), self.timeout_s, self.kind, options)

    async def connect(self) -> AbstractConnection:
        """Give a connection that is logged in, and neither retries nor times out by itself."""
        connection = self._connection()
        try:
            async with asyncio.timeout(self.timeout_s):
                await connection.connect()  # type: ignore[no-untyped-call]  # as redis-py has it
        except ResponseError as error:
            await connection.disconnect(nowait=True)
            why = unavailability(error) or f"it refuses the connection: {error}"
            raise StoreUnavailable(f"{why}; look at IGSEND_GATE_URL") from error
        except RuntimeError as error:
            await connection.disconnect(nowait=True)
            # What uvloop raises for a transport that the other side has closed a moment ago.
            raise ConnectionResetError("the connection is closed") from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def _connection(self) -> AbstractConnection:
        return self.kind(
            **self.options,
            # RESP 3 adds push messages and a handshake; scripts answer the same in both.
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=self.timeout_s,
            retry=Retry(NoBackoff(), 0),
        )


def _host_and_port(options: dict[str, Any]) -> str:
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
