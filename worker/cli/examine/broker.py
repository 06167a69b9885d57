"""RabbitMQ: its version, the topology, and whether it takes what is published."""

import asyncio

from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from worker.cli.broker import wire_connection_to
from worker.cli.examine.line import Line, Verdict
from worker.cli.failure import CommandFailed
from worker.config import Config
from worker.rabbit.declare import TopologyError
from worker.rabbit.declare import check as check_topology
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of

# What the topology needs, and the newest that it was tried on.
OLDEST, NEWEST = (3, 10), (4, 3)
# A broker that takes messages confirms one within milliseconds.
CONFIRM_S = 3.0


async def broker(config: Config) -> list[Line]:
    try:
        async with wire_connection_to(config) as connection:
            version = str(connection.server_properties.get("version", "unknown"))
            names = Names(config.prefix, config.partitions)
            findings = await check_topology(connection, topology_of(names))
    except CommandFailed as error:
        return [Line(Verdict.FAIL, "broker", str(error), "start it, or mend IGSEND_AMQP_URL")]
    except TopologyError as error:
        return [Line(Verdict.FAIL, "topology", str(error), "igsend topology declare")]
    missing = [f for f in findings if f.state == "missing"]
    # What is missing is wrong only for a worker that may not declare it.
    wrong = [f for f in findings if f.state == "different"] + ([] if config.declare else missing)
    unchecked = sum(finding.state == "unchecked" for finding in findings)
    lines = [version_line(version), await _publishing(config, names)]
    if wrong:
        detail = "; ".join(f"{f.kind} {f.name}: {f.detail}" for f in wrong[:3])
        lines.append(
            Line(Verdict.FAIL, "topology", f"{len(wrong)} wrong: {detail}", "igsend topology check")
        )
    elif missing:
        found = f"{len(missing)} of {len(findings)} missing"
        lines.append(Line(Verdict.OK, "topology", f"{found}; the worker declares them"))
    else:
        found = f"{len(findings)} exchanges and queues are there"
        if unchecked:
            found += f", the arguments of {unchecked} could not be looked at"
        lines.append(Line(Verdict.OK, "topology", found))
    return lines


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
    except CommandFailed as error:
        return Line(Verdict.FAIL, what, str(error), "look at the broker's limit of connections")
    except ChannelAccessRefused:
        return Line(Verdict.OK, what, "not tried: this user may not write to the dead letters")
    except ChannelNotFoundEntity:
        return Line(Verdict.OK, what, "not tried: the topology is not there yet")
    return Line(Verdict.OK, what, "the broker confirms")
