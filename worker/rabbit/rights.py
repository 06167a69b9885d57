"""What the user of a connection may do, found out without doing any of it.

The broker checks rights before it reads arguments: what it refuses for a wrong argument it would
have allowed. So each question carries one, and nothing is published, consumed, made or bound.
"""

from collections.abc import Awaitable, Callable

from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ConnectionCommandInvalid,
)
from pamqp.commands import Basic

from worker.rabbit.declare import RPC_TIMEOUT_S, is_unknown_type
from worker.rabbit.names import Names

DEFAULT_EXCHANGE = ""

# No number of milliseconds, no priority, no time to live.
_WRONG = "igsend-probe"

Ask = Callable[[AbstractChannel], Awaitable[object]]


async def may_publish(connection: AbstractConnection, exchange: str) -> bool:
    properties = Basic.Properties(expiration=_WRONG)
    return await _may(
        connection,
        lambda channel: channel.basic_publish(
            b"", exchange=exchange, routing_key=_WRONG, properties=properties
        ),
    )


async def may_consume(connection: AbstractConnection, queue: str) -> bool:
    return await _may(
        connection,
        lambda channel: channel.basic_consume(queue, _nothing, arguments={"x-priority": _WRONG}),
    )


async def may_configure(connection: AbstractConnection, queue: str) -> bool:
    return await _may(
        connection,
        lambda channel: channel.queue_declare(
            queue, durable=True, arguments={"x-message-ttl": _WRONG}, timeout=RPC_TIMEOUT_S
        ),
    )


async def may_divert(connection: AbstractConnection, names: Names) -> bool:
    """Take away a binding that is not there, which asks for the same rights as making one."""
    return await _may(
        connection,
        lambda channel: channel.exchange_unbind(
            names.bulk, names.requests, routing_key=_WRONG, timeout=RPC_TIMEOUT_S
        ),
    )


async def knows_type(connection: AbstractConnection, exchange_type: str) -> bool:
    """Whether the broker has this type of exchange; if not, 3.x ends the connection."""
    channel = await connection.channel(publisher_confirms=False)
    try:
        # Nobody may declare the default exchange, but the type is looked at before that.
        await channel.exchange_declare("", exchange_type=exchange_type, timeout=RPC_TIMEOUT_S)
    except ConnectionCommandInvalid:
        return False
    except ChannelPreconditionFailed as refused:
        return not is_unknown_type(refused)
    except ChannelAccessRefused:
        return True
    await channel.close()
    return True


async def _may(connection: AbstractConnection, ask: Ask) -> bool:
    """Ask on a channel of its own: a refusal closes the channel."""
    channel = await connection.channel(publisher_confirms=True)
    try:
        await ask(channel)
    except ChannelAccessRefused:
        return False
    except (ChannelPreconditionFailed, ChannelNotFoundEntity):
        return True
    await channel.close()
    return True


async def _nothing(message: DeliveredMessage) -> None:
    """Leave what came after all to the broker, which has it again when the channel closes."""
