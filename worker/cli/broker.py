"""A short-lived connection to the broker for commands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractConnection as WireConnection

from worker.cli.failure import CommandFailed
from worker.config import Config
from worker.rabbit.link import CONNECT_TIMEOUT_S, CONNECTION_ERRORS, describe


@asynccontextmanager
async def connection_to(config: Config) -> AsyncIterator[AbstractConnection]:
    """Connect as configured; raises CommandFailed that names the setting."""
    try:
        connection = await aio_pika.connect(
            config.amqp_url.get_secret_value(),
            timeout=CONNECT_TIMEOUT_S,
            client_properties={"connection_name": "igsend/command"},
        )
    except CONNECTION_ERRORS as error:
        raise CommandFailed(
            f"no connection to RabbitMQ ({describe(error)}); look at IGSEND_AMQP_URL"
        ) from None
    async with connection:
        yield connection


@asynccontextmanager
async def wire_connection_to(config: Config) -> AsyncIterator[WireConnection]:
    """The same connection one layer down, as the topology functions take it."""
    async with connection_to(config) as connection:
        assert connection.transport is not None, "an open connection has a transport"
        yield connection.transport.connection
