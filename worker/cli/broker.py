"""A short-lived connection to the broker for commands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractConnection as WireConnection

from worker.cli.failure import CommandFailed
from worker.config import Config
from worker.rabbit.link import CONNECT_TIMEOUT_S, CONNECTION_ERRORS, NO_VHOST, describe

# What a connection that fails says, and what to do then.
_ADVICE = (
    ("ACCESS_REFUSED", "mend the user and the password in IGSEND_AMQP_URL"),
    (NO_VHOST, "mend the vhost in IGSEND_AMQP_URL (/ is written %2F), or `rabbitmqctl add_vhost`"),
    ("Name or service", "mend the host in IGSEND_AMQP_URL"),
    ("name resolution", "look whether names can be resolved here, and at IGSEND_AMQP_URL"),
    ("CERTIFICATE_VERIFY_FAILED", "give its authority in IGSEND_AMQP_URL: ?cafile=/path/ca.pem"),
    ("SSL", "amqps:// needs the port for TLS (5671), amqp:// the other; mend IGSEND_AMQP_URL"),
)


class NoBroker(CommandFailed):
    """No connection to RabbitMQ: what was found, and what to do about it."""

    def __init__(self, error: BaseException) -> None:
        said = describe(error)
        self.found = f"no connection to RabbitMQ ({said})"
        advices = (advice for words, advice in _ADVICE if words in said)
        self.advice = next(advices, "look at IGSEND_AMQP_URL: is RabbitMQ there, and reachable?")
        super().__init__(f"{self.found}; {self.advice}")


@asynccontextmanager
async def connection_to(config: Config) -> AsyncIterator[AbstractConnection]:
    """Connect as configured; raises NoBroker, which names the setting."""
    try:
        connection = await aio_pika.connect(
            config.amqp_url.get_secret_value(),
            timeout=CONNECT_TIMEOUT_S,
            client_properties={"connection_name": "igsend/command"},
        )
    except CONNECTION_ERRORS as error:
        raise NoBroker(error) from None
    async with connection:
        yield connection


@asynccontextmanager
async def wire_connection_to(config: Config) -> AsyncIterator[WireConnection]:
    """The same connection one layer down, as the topology functions take it."""
    async with connection_to(config) as connection:
        assert connection.transport is not None, "an open connection has a transport"
        yield connection.transport.connection
