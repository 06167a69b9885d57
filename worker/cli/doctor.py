"""`igsend doctor`: look at everything the worker needs, and say what to do about the rest."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from time import time
from typing import Annotated

import orjson
import typer

from worker.accounts.on_demand import OnDemandAccounts
from worker.accounts.opening import accounts_of
from worker.accounts.source import AccountsError
from worker.cli.broker import wire_connection_to
from worker.cli.failure import CommandFailed, config_from_environment
from worker.config import Config
from worker.core.request import AccountId
from worker.gate.redis.address import Address
from worker.gate.redis.facts import Facts, facts_from, makes_snapshots, refusal_of
from worker.gate.redis.failure import CONNECTION_ERRORS, describe
from worker.gate.redis.slots import slots_seen_by
from worker.gate.redis.store import TIMEOUT_S
from worker.gate.redis.wire import wire_to
from worker.graph.reach import ReachError, date_header
from worker.rabbit.declare import TopologyError
from worker.rabbit.declare import check as check_topology
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of

# Deadlines and windows are compared with this machine's clock.
LARGEST_SKEW_S = 5.0
# The API, the broker, accounts, health probes: per call one socket, and a little.
SPARE_FILES = 100


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing looked at; `advice` says what to do unless it is ok."""

    verdict: Verdict
    what: str
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A Redis that the gate uses, by itself or in a cluster."""

    shown: str
    facts: Facts
    makes_snapshots: bool
    refusal: str | None


def doctor(
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check settings, broker, topology, accounts, API and limits; exit 1 when one fails."""
    config = config_from_environment()
    if not json:
        for name, value in config.shown().items():
            typer.echo(f"      {name}={value}")
    lines = asyncio.run(_examine(config, print_each=not json))
    if json:
        report = {
            "settings": config.shown(),
            "checks": [
                {"verdict": x.verdict, "what": x.what, "found": x.found, "advice": x.advice}
                for x in lines
            ],
        }
        typer.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    failed = [line.what for line in lines if line.verdict is Verdict.FAIL]
    if failed:
        raise CommandFailed(f"not fit to run: {', '.join(failed)}")


async def _examine(config: Config, *, print_each: bool) -> list[Line]:
    lines = []
    async for line in _lines(config):
        lines.append(line)
        if print_each:
            advice = f" -> {line.advice}" if line.advice else ""
            typer.echo(f"{line.verdict:4}  {line.what}: {line.found}{advice}")
    return lines


async def _lines(config: Config) -> AsyncIterator[Line]:
    yield await _accounts(config)
    yield await _api(config)
    for line in await _broker(config):
        yield line
    for line in await _gate(config):
        yield line
    yield _files(config)


async def _accounts(config: Config) -> Line:
    source = accounts_of(config, environment=os.environ)
    if source is None:
        advice = (
            "set IGSEND_ACCOUNTS to a directory of token files, a .toml or .json file, or a URL"
        )
        return Line(Verdict.FAIL, "accounts", "no source is set", advice)
    if isinstance(source, OnDemandAccounts):
        return await _on_demand(source)
    try:
        await source.load()
    except AccountsError as error:
        return Line(Verdict.FAIL, "accounts", str(error), "mend it; the worker re-reads it")
    if source.last_error is not None:
        return Line(
            Verdict.WARN, "accounts", f"{source.count} read; {source.last_error}", "mend it"
        )
    return Line(Verdict.OK, "accounts", f"{source.count} read from {source.shown}")


async def _on_demand(source: OnDemandAccounts) -> Line:
    """Ask for an account that nobody has: any answer shows that the source is there."""
    try:
        await source.find(AccountId("0"))
    finally:
        await source.close()
    if source.last_error is not None:
        return Line(Verdict.FAIL, "accounts", source.last_error, "mend it; requests wait")
    return Line(Verdict.OK, "accounts", f"{source.shown} answers")


async def _api(config: Config) -> Line:
    try:
        date = await date_header(config.graph_url, timeout_s=config.connect_timeout_s * 2)
    except ReachError as error:
        return Line(
            Verdict.FAIL,
            "API",
            f"{config.graph_url}: {error}",
            "look at IGSEND_GRAPH_URL and egress",
        )
    if date is None:
        return Line(Verdict.OK, "API", f"{config.graph_url} answers")
    skew_s = abs(time() - parsedate_to_datetime(date).timestamp())
    if skew_s > LARGEST_SKEW_S:
        return Line(
            Verdict.WARN, "API", f"the clocks differ by {skew_s:.0f} s", "synchronise this clock"
        )
    return Line(Verdict.OK, "API", f"{config.graph_url} answers, clocks agree")


async def _broker(config: Config) -> list[Line]:
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
    lines = [Line(Verdict.OK, "broker", f"RabbitMQ {version}")]
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


async def _gate(config: Config) -> list[Line]:
    url = config.gate_url.get_secret_value()
    if url == "memory://":
        found = "memory://: limits and remembered ids are this process's own"
        return [Line(Verdict.WARN, "gate", found, "run one worker only")]
    address = Address.of(url, timeout_s=TIMEOUT_S)
    nodes = []
    try:
        for each in await _nodes_of(address):
            address = each
            nodes.append(await _node_at(each, config))
    except CONNECTION_ERRORS as error:
        found = f"Redis at {address.shown}: {describe(error, timeout_s=TIMEOUT_S)}"
        return [Line(Verdict.FAIL, "gate", found, "start it, or mend IGSEND_GATE_URL")]
    refused = [f"Redis at {node.shown}: {node.refusal}" for node in nodes if node.refusal]
    if refused:
        return [
            Line(Verdict.FAIL, "gate", "; ".join(refused), "mend it; nothing is sent until then")
        ]
    facts = nodes[0].facts
    found = f"{facts.product} {facts.version}, "
    found += f"a cluster of {len(nodes)}" if facts.is_cluster else "no cluster"
    return [Line(Verdict.OK, "gate", found), _eviction(nodes), _persistence(nodes)]


async def _nodes_of(address: Address) -> list[Address]:
    """List the primaries of a cluster, or the one Redis there is."""
    async with wire_to(address) as wire:
        facts = await facts_from(wire)
    if not facts.is_cluster:
        return [address]
    return [address.at(*node) for node in sorted((await slots_seen_by(address)).nodes)]


async def _node_at(address: Address, config: Config) -> Node:
    async with wire_to(address) as wire:
        return Node(
            address.shown,
            await facts_from(wire),
            await makes_snapshots(wire),
            await refusal_of(wire, f"{config.prefix}:probe"),
        )


def _eviction(nodes: Sequence[Node]) -> Line:
    what = "gate memory"
    evicting = [node for node in nodes if node.facts.eviction != "noeviction"]
    if not evicting:
        return Line(Verdict.OK, what, "maxmemory-policy is noeviction")
    return Line(
        Verdict.WARN,
        what,
        f"{evicting[0].shown} has the maxmemory-policy {evicting[0].facts.eviction}: it may drop "
        "what was sent already, which is then sent again",
        "set maxmemory-policy to noeviction",
    )


def _persistence(nodes: Sequence[Node]) -> Line:
    what = "gate persistence"
    if all(node.facts.has_append_only_file for node in nodes):
        return Line(Verdict.OK, what, "everything is written to an append-only file")
    if all(node.facts.has_append_only_file or node.makes_snapshots for node in nodes):
        found = "snapshots only: after a crash it has forgotten what was sent since the last one"
        return Line(Verdict.OK, what, found)
    return Line(
        Verdict.WARN,
        what,
        "off: after a restart it has forgotten what was sent, and a duplicate is sent again",
        "set appendonly to yes, or have a replica that takes over",
    )


def _files(config: Config) -> Line:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = config.concurrency + SPARE_FILES
    if limit < needed:
        return Line(
            Verdict.FAIL,
            "open files",
            f"the limit is {limit}, IGSEND_CONCURRENCY={config.concurrency} needs {needed}",
            "raise it (ulimit -n) or lower IGSEND_CONCURRENCY",
        )
    return Line(Verdict.OK, "open files", f"limit {limit}")
