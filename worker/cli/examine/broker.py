"""RabbitMQ: its version and plugin, the topology, and whether it takes what is published."""

import asyncio
from collections.abc import Sequence

from aiormq.abc import AbstractConnection
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from worker.cli.broker import NoBroker, wire_connection_to
from worker.cli.examine.line import Line, Verdict
from worker.cli.examine.permissions import permissions
from worker.config import Config
from worker.rabbit.declare import NO_PLUGIN, RPC_TIMEOUT_S, Finding, TopologyError
from worker.rabbit.declare import check as check_topology
from worker.rabbit.names import Names
from worker.rabbit.rights import knows_type
from worker.rabbit.topology import SPREAD_TYPE, topology_of

# What the topology needs, and the newest that it was tried on.
OLDEST, NEWEST = (3, 10), (4, 3)
# A broker that takes messages confirms one within milliseconds.
CONFIRM_S = 3.0
DECLARE = "igsend topology declare, as a user who may configure"


async def broker(config: Config) -> list[Line]:
    names = Names(config.prefix, config.partitions)
    try:
        async with wire_connection_to(config) as connection:
            version = str(connection.server_properties.get("version", "unknown"))
            plugin = await _plugin(connection, names)
        if plugin.verdict is Verdict.FAIL:
            # Nothing can be found out about an exchange of a type that the broker does not know.
            return [version_line(version), plugin]
        async with wire_connection_to(config) as connection:
            findings = await check_topology(connection, topology_of(names))
        publishing = await _publishing(config, names)
        return [
            version_line(version),
            plugin,
            publishing,
            await _permissions(config, names, publishing),
            _topology(findings, declares=config.declare),
        ]
    except NoBroker as error:
        return [Line(Verdict.FAIL, "broker", error.found, error.advice)]
    except TopologyError as error:
        return [Line(Verdict.FAIL, "topology", str(error), "igsend topology declare")]


async def _plugin(connection: AbstractConnection, names: Names) -> Line:
    if names.partitions == 1:
        return Line(Verdict.OK, "plugin", "none is needed with IGSEND_PARTITIONS=1")
    if await knows_type(connection, SPREAD_TYPE):
        return Line(Verdict.OK, "plugin", "rabbitmq_consistent_hash_exchange is enabled")
    return Line(
        Verdict.FAIL, "plugin", "rabbitmq_consistent_hash_exchange is not enabled", NO_PLUGIN
    )


def _topology(findings: Sequence[Finding], *, declares: bool) -> Line:
    missing = [f for f in findings if f.state == "missing"]
    different = [f for f in findings if f.state == "different"]
    unchecked = sum(finding.state == "unchecked" for finding in findings)
    # What is missing is wrong only for a worker that may not declare it.
    wrong = different + ([] if declares else missing)
    if wrong:
        detail = "; ".join(f"{f.kind} {f.name}: {f.detail}" for f in wrong[:3])
        advice = "`igsend topology check` says all of it" if different else DECLARE
        return Line(Verdict.FAIL, "topology", f"{len(wrong)} wrong: {detail}", advice)
    if missing:
        found = f"{len(missing)} of {len(findings)} missing; the worker declares them"
        return Line(Verdict.OK, "topology", found)
    found = f"{len(findings)} exchanges and queues are there"
    if unchecked:
        found += f"; the arguments of {unchecked} only a user who may configure can compare, by "
        found += "`igsend topology check`"
    return Line(Verdict.OK, "topology", found)


async def _permissions(config: Config, names: Names, publishing: Line) -> Line:
    if publishing.verdict is Verdict.FAIL:
        found = "not looked at, while the broker takes no message"
        return Line(Verdict.WARN, "permissions", found, "mend that first")
    try:
        async with asyncio.timeout(RPC_TIMEOUT_S):
            return await permissions(config, names)
    except TimeoutError:
        found = (
            f"no answer within {RPC_TIMEOUT_S:g} s: the broker has just stopped to take messages"
        )
        return Line(Verdict.WARN, "permissions", found, "look again; rabbitmq-diagnostics alarms")


def version_line(version: str) -> Line:
    """Judge a version as RabbitMQ tells it."""
    numbers = tuple(int(word) for word in version.split(".")[:2] if word.isdigit())
    found = f"RabbitMQ {version}"
    if len(numbers) < len(OLDEST) or OLDEST <= numbers <= NEWEST:
        return Line(Verdict.OK, "broker", found)
    if numbers < OLDEST:
        return Line(Verdict.FAIL, "broker", found, "quorum queues as needed here came with 3.10")
    return Line(Verdict.WARN, "broker", found, "newer than what igsend was tried with (4.3)")


async def _publishing(config: Config, names: Names) -> Line:
    """Publish what no queue is bound for, as workers do: a blocked broker does not confirm it.

    Over a connection of its own, which a blocked broker does not even close.
    """
    what = "publishing"
    try:
        async with asyncio.timeout(CONFIRM_S), wire_connection_to(config) as connection:
            channel = await connection.channel(publisher_confirms=True)
            # A connection is blocked once it publishes: the first message still gets through.
            for _ in range(2):
                await channel.basic_publish(b"", exchange=names.dead, routing_key="probe")
    except TimeoutError:
        found = f"no confirm within {CONFIRM_S:g} s: an alarm of memory or disk, or no majority"
        return Line(Verdict.FAIL, what, found, "rabbitmq-diagnostics alarms; nothing is settled")
    except NoBroker as error:
        return Line(Verdict.FAIL, what, error.found, "look at the broker's limit of connections")
    except ChannelAccessRefused:
        found = "not tried: this user may not write to the dead letters"
        return Line(Verdict.WARN, what, found, "see permissions")
    except ChannelNotFoundEntity:
        return Line(Verdict.OK, what, "not tried: the topology is not there yet")
    return Line(Verdict.OK, what, "the broker confirms")
