"""The gate: Redis as it should be, its clock, and how far away it is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from worker.cli.examine.line import LARGEST_SKEW_S, Line, Verdict
from worker.config import Config
from worker.gate.redis.address import Address
from worker.gate.redis.facts import Facts, facts_from, makes_snapshots, refusal_of
from worker.gate.redis.failure import CONNECTION_ERRORS, describe
from worker.gate.redis.slots import slots_seen_by
from worker.gate.redis.store import TIMEOUT_S
from worker.gate.redis.wire import Wire, wire_to

# A request takes three round trips one after the other: slower than this, it waits for them mostly.
SLOW_S = 0.02
ROUND_TRIPS = 9


@dataclass(frozen=True, slots=True)
class Node:
    """A Redis that the gate uses, by itself or in a cluster."""

    shown: str
    facts: Facts
    makes_snapshots: bool
    refusal: str | None
    skew_s: float
    latency_s: float


async def gate(config: Config) -> list[Line]:
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
    return [Line(Verdict.OK, "gate", found), _eviction(nodes), _persistence(nodes), *clocks(nodes)]


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
            *await _times(wire),
        )


async def _times(wire: Wire) -> tuple[float, float]:
    """Measure how far its clock is from ours, and the median of some round trips (seconds)."""
    took, skews = [], []
    for _ in range(ROUND_TRIPS):
        asked_at, started = time.time(), time.perf_counter()
        seconds, microseconds = await wire.ask(b"TIME")
        took.append(time.perf_counter() - started)
        skews.append(int(seconds) + int(microseconds) / 1e6 - asked_at - took[-1] / 2)
    return median(skews), median(took)


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


def clocks(nodes: Sequence[Node]) -> list[Line]:
    """Judge how far away the nodes are, and their clocks."""
    slowest = max(nodes, key=lambda node: node.latency_s)
    furthest = max(nodes, key=lambda node: abs(node.skew_s))
    far, skew = f"{slowest.latency_s * 1000:.1f} ms a round trip", f"{abs(furthest.skew_s):.1f} s"
    latency = Line(Verdict.OK, "gate latency", far)
    if slowest.latency_s > SLOW_S:
        found = f"{slowest.shown} takes {far}"
        advice = "run workers near it; a request takes three"
        latency = Line(Verdict.WARN, "gate latency", found, advice)
    if abs(furthest.skew_s) <= LARGEST_SKEW_S:
        return [latency, Line(Verdict.OK, "gate clock", f"differs by {skew} at most")]
    found = f"the clock of {furthest.shown} differs by {skew}"
    advice = "synchronise both; limits go by its clock, windows and deadlines by this one"
    return [latency, Line(Verdict.WARN, "gate clock", found, advice)]
