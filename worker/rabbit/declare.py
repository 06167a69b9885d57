"""Declaring the topology, and comparing it with what the broker has."""

import re
from dataclasses import dataclass

from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import (
    AMQPChannelError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ConnectionCommandInvalid,
)

from worker.rabbit.topology import Binding, Exchange, Queue, Topology

RPC_TIMEOUT_S = 30.0

_INEQUIVALENT = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' .*?: "
    r"received (?:the value )?(?P<ours>.*?) but current is (?:the value )?(?P<theirs>.*)$"
)


_MAY_NOT = (
    "the user may not configure it; let one who may run `igsend topology declare`, and set "
    "IGSEND_DECLARE=false for this worker"
)
NO_PLUGIN = (
    "enable the plugin with `rabbitmq-plugins enable rabbitmq_consistent_hash_exchange`, or set "
    "IGSEND_PARTITIONS=1, which needs none"
)


class TopologyError(Exception):
    """The broker's topology is not what the worker needs; the text says what and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What `check` says of one object: `state` is ok, missing, different or unchecked."""

    kind: str
    name: str
    state: str
    detail: str = ""


async def declare(connection: AbstractConnection, topology: Topology) -> None:
    """Declare everything; raises TopologyError that names the object and the argument."""
    things: list[Exchange | Queue | Binding] = [
        *topology.exchanges,
        *topology.queues,
        *topology.bindings,
    ]
    for thing in things:
        finding = await _on_own_channel(connection, thing, passive=False)
        if finding.state != "ok":
            raise TopologyError(f"{finding.kind} {finding.name}: {finding.detail}")


async def check(connection: AbstractConnection, topology: Topology) -> list[Finding]:
    """Compare every exchange and queue without creating or changing any.

    AMQP has no way to read arguments: an existing object is declared once more as it should
    be, which the broker refuses with the first argument that differs. Bindings cannot be read
    over AMQP at all and are not part of the answer.
    """
    findings = []
    things: list[Exchange | Queue] = [*topology.exchanges, *topology.queues]
    for thing in things:
        finding = await _on_own_channel(connection, thing, passive=True)
        if finding.state == "ok":
            finding = await _on_own_channel(connection, thing, passive=False)
        findings.append(finding)
    return findings


async def verify_intake(connection: AbstractConnection, queues: tuple[str, ...]) -> int:
    """Make sure that the intake queues are there; give how many consumers they have in all."""
    consumers = 0
    channel = await connection.channel(publisher_confirms=False)
    try:
        for name in queues:
            answer = await channel.queue_declare(name, passive=True, timeout=RPC_TIMEOUT_S)
            consumers += answer.consumer_count or 0
    except ChannelNotFoundEntity as missing:
        raise TopologyError(
            f"queue {name} does not exist; run `igsend topology declare`, or set "
            "IGSEND_DECLARE=true for a worker that may configure the broker"
        ) from missing
    except ChannelAccessRefused as refused:
        raise TopologyError(f"queue {name}: {_reason(refused)}") from refused
    await channel.close()
    return consumers


async def _on_own_channel(
    connection: AbstractConnection, thing: Exchange | Queue | Binding, *, passive: bool
) -> Finding:
    """Declare one thing on a channel of its own: a refusal closes the channel."""
    kind, name = _name(thing)
    channel = await connection.channel(publisher_confirms=False)
    try:
        await _declare(channel, thing, passive=passive)
    except ChannelNotFoundEntity as missing:
        return Finding(kind, name, "missing", f"does not exist ({_reason(missing)})")
    except ChannelPreconditionFailed as refused:
        if is_unknown_type(refused):
            raise TopologyError(f"{kind} {name}: {_reason(refused)}; {NO_PLUGIN}") from refused
        return Finding(kind, name, "different", _difference(_reason(refused)))
    except ChannelAccessRefused:
        return Finding(kind, name, "unchecked", _MAY_NOT)
    except ConnectionCommandInvalid as refused:
        # Unlike every other refusal this one ends the connection.
        raise TopologyError(f"{kind} {name}: {_reason(refused)}; {NO_PLUGIN}") from refused
    except AMQPChannelError as refused:
        return Finding(kind, name, "different", _reason(refused))
    await channel.close()
    return Finding(kind, name, "ok")


async def _declare(
    channel: AbstractChannel, thing: Exchange | Queue | Binding, *, passive: bool
) -> None:
    match thing:
        case Exchange():
            await channel.exchange_declare(
                thing.name,
                exchange_type=thing.type,
                durable=True,
                passive=passive,
                arguments=dict(thing.arguments),
                timeout=RPC_TIMEOUT_S,
            )
        case Queue():
            await channel.queue_declare(
                thing.name,
                durable=True,
                passive=passive,
                arguments=dict(thing.arguments),
                timeout=RPC_TIMEOUT_S,
            )
        case Binding(to_exchange=True):
            await channel.exchange_bind(
                destination=thing.destination,
                source=thing.source,
                routing_key=thing.routing_key,
                timeout=RPC_TIMEOUT_S,
            )
        case Binding():
            await channel.queue_bind(
                thing.destination,
                thing.source,
                routing_key=thing.routing_key,
                timeout=RPC_TIMEOUT_S,
            )


def _name(thing: Exchange | Queue | Binding) -> tuple[str, str]:
    match thing:
        case Exchange():
            return "exchange", thing.name
        case Queue():
            return "queue", thing.name
        case Binding():
            return "binding", f"{thing.source} -> {thing.destination} ({thing.routing_key!r})"


def is_unknown_type(refused: ChannelPreconditionFailed) -> bool:
    """Tell what RabbitMQ 4 says where 3 says COMMAND_INVALID and ends the connection."""
    return "exchange type" in _reason(refused)


def _reason(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _difference(text: str) -> str:
    match = _INEQUIVALENT.search(text)
    if match is None:
        return text
    return (
        f"{match['argument']} is {_plain(match['theirs'])}, it should be "
        f"{_plain(match['ours'])}; arguments cannot be changed in place: "
        "move the messages, delete the object, declare again"
    )


def _plain(value: str) -> str:
    """Reduce "'1000' of type 'signedint'" to 1000."""
    return value.split("' of type", maxsplit=1)[0].strip("'")
