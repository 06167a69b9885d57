"""Scenario: Redis dies, freezes, forgets or is slow: nothing is sent twice, lost or too fast."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from tests.replicas.evidence import Evidence
from tests.replicas.fleet import Fleet, Probe
from tests.replicas.loader import Letter, Loader, a_loader
from tests.replicas.processor_time import cores, usage_of
from tests.replicas.site import Ground, Plan, Site, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed
from tests.replicas.witness import a_witness
from tests.replicas.work import account_ids, body
from tests.support.pacing import beats, beside, until
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.waiting import eventually
from worker.local.ports import reply_from
from worker.local.redis import RedisNode

Fault = Literal["restarted", "restarted-empty", "replaced-empty", "flushed", "paused", "slow"]
FAULTS: tuple[Fault, ...] = (
    "restarted", "restarted-empty", "replaced-empty", "flushed", "paused", "slow",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RedisFaults:
    """Sizes of the scenario.

    Requests come for `load_s` at `per_s` in total; the fault comes after `fault_after_s`, and
    lasts `fault_s` where it has a length. `slow_by_s` is added each way on the road to a slow
    Redis. `patience_s` is how long the last one may take.
    """

    workers: int = 4
    accounts: int = 20
    per_s: float = 100.0
    load_s: float = 30.0
    fault_after_s: float = 8.0
    fault_s: float = 8.0
    patience_s: float = 120.0
    probe_per_s: float = 10.0
    slow_by_s: float = 0.2
    settle_s: float = 3.0
    allowed: Mapping[str, Allowed] = field(default_factory=lambda: {"text": Allowed(8, 1.0)})


@dataclass(frozen=True, slots=True)
class Moments:
    """When Redis went (or forgot), until when it was surely away, and when it answered again."""

    gone_at: float
    away_until: float
    back_at: float


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen from outside the sandbox; `unheard` had no outcome in time."""

    names: Sequence[str]
    unheard: set[str]
    outcomes: Mapping[str, list[str]]
    moments: Moments
    probes: Sequence[Probe]
    cores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run.

    `lost` were neither accepted nor dead-lettered, `invented` are said to be sent and were not.
    `wrongly_ready` counts answers "ready" after Redis was away for `settle_s` already.
    `noticed_s` and `ready_again_s` are those of the slowest worker, `first_call_s` is the first
    call after Redis was back; None: it never happened, or there was nothing to notice.
    """

    fault: Fault
    requests: int
    violations: int
    twice: list[str]
    lost: list[str]
    invented: list[str]
    outcomes: Counter[str]
    last_call_s: float | None
    wrongly_ready: int
    noticed_s: float | None
    ready_again_s: float | None
    first_call_s: float | None
    evidence: Evidence
    cores: Mapping[str, float]


async def run(ground: Ground, sizes: RedisFaults, fault: Fault) -> Found:
    """Load the workers, break Redis on the way, and wait until every request has ended."""
    plan = Plan(
        f"redis-{fault}",
        workers=sizes.workers,
        accounts=account_ids(sizes.accounts),
        limits=sizes.allowed,
        persistence=fault in ("restarted", "flushed", "paused", "slow"),
    )
    async with (
        a_site(ground, plan) as site,
        a_witness(ground.amqp_url, site.names) as witness,
        a_loader(ground.amqp_url) as loader,
        _road_to(site) as road,
        site.fleet() as fleet,
    ):
        before = usage_of(site.groups(fleet))
        start = time.time()
        probes: list[Probe] = []
        async with beside(_probe(fleet, sizes, probes, start)):
            async with asyncio.TaskGroup() as tasks:
                loading = tasks.create_task(_load(site, loader, sizes, start))
                await until(start + sizes.fault_after_s)
                moments = await _break(site, road, fault, sizes)
            names = loading.result()
            unheard = await witness.wait_for(names, within_s=sizes.patience_s)
            await eventually(fleet.all_ready)
        busy = cores(before, usage_of(site.groups(fleet)))
    seen = Observed(names, unheard, witness.outcomes, moments, probes, busy)
    return judge(site.evidence, seen, sizes, fault)


def judge(evidence: Evidence, seen: Observed, sizes: RedisFaults, fault: Fault) -> Found:
    """Hold what the workers say against what the sandbox saw."""
    sent = evidence.sent_requests()
    gone_at, away_until = seen.moments.gone_at, seen.moments.away_until
    back_at = seen.moments.back_at
    received = [call.received_at for call in evidence.calls]
    away = [probe for probe in seen.probes if gone_at <= probe.asked_at < away_until]
    return Found(
        fault,
        requests=len(seen.names),
        violations=len(evidence.violations(sizes.allowed)),
        twice=evidence.sent_more_than_once(),
        lost=sorted(seen.unheard - sent),
        invented=sorted(n for n, said in seen.outcomes.items() if "sent" in said and n not in sent),
        outcomes=Counter(said[0] for said in seen.outcomes.values()),
        last_call_s=max(
            (at - gone_at for at in received if gone_at <= at < away_until), default=None
        ),
        wrongly_ready=sum(p.is_ready and p.asked_at > gone_at + sizes.settle_s for p in away),
        noticed_s=_slowest(away, sizes, since=gone_at, is_ready=False),
        ready_again_s=_ready_again(seen.probes, sizes, back_at),
        first_call_s=min((at - away_until for at in received if at >= away_until), default=None),
        evidence=evidence,
        cores=seen.cores,
    )


def table(found: Iterable[Found]) -> Table:
    """One row for each fault."""
    table = Table(
        "redis-faults",
        ("fault", "requests", "violations", "twice", "lost", "invented", "last call",
         "not ready", "wrongly ready", "ready again", "first call"),
    )  # fmt: skip
    for each in found:
        table.add(
            each.fault, each.requests, each.violations, len(each.twice), len(each.lost),
            len(each.invented), _after(each.last_call_s), _after(each.noticed_s),
            each.wrongly_ready, _after(each.ready_again_s), _after(each.first_call_s),
        )  # fmt: skip
        said = ", ".join(f"{status} {count}" for status, count in sorted(each.outcomes.items()))
        table.note(f"{each.fault}: {said}")
        table.note_machine(each.evidence, each.cores)
    table.note("last call, not ready: after Redis went; ready again, first call: after it was back")
    return table


def _after(seconds: float | None) -> str:
    return "-" if seconds is None else f"+{seconds:.1f} s"


def _slowest(
    probes: Iterable[Probe], sizes: RedisFaults, *, since: float, is_ready: bool
) -> float | None:
    """Say when the last worker first answered so; None when one never did."""
    first: dict[int, float] = {}
    for probe in probes:
        if probe.is_ready is is_ready and probe.says:
            first.setdefault(probe.worker, probe.asked_at - since)
    return max(first.values()) if len(first) == sizes.workers else None


def _ready_again(probes: Sequence[Probe], sizes: RedisFaults, back_at: float) -> float | None:
    """Say when the last worker was ready for good after its last "not ready"."""
    not_ready = [p.asked_at for p in probes if not p.is_ready and p.asked_at >= back_at]
    since = max(not_ready, default=back_at)
    later = [probe for probe in probes if probe.asked_at >= since]
    ready_at = _slowest(later, sizes, since=back_at, is_ready=True)
    return ready_at if not_ready else 0.0 if ready_at is not None else None


async def _load(site: Site, loader: Loader, sizes: RedisFaults, start: float) -> list[str]:
    """Publish at a steady pace, in turn for each account; every person gets several."""
    names = []
    accounts = site.plan.accounts
    async for beat in beats(sizes.per_s, start=start, end=start + sizes.load_s):
        account_id, name = accounts[beat % len(accounts)], f"load-{beat}"
        text = body("text", account_id, name, to=beat % (7 * len(accounts)))
        loader.post(Letter(site.names.requests, account_id, text))
        names.append(name)
    await loader.confirmed()
    return names


async def _probe(fleet: Fleet, sizes: RedisFaults, found: list[Probe], start: float) -> None:
    async for _ in beats(sizes.probe_per_s, start=start, end=float("inf")):
        found += await fleet.ready()


@asynccontextmanager
async def _road_to(site: Site) -> AsyncIterator[TcpProxy]:
    """Have the workers reach Redis through a proxy."""
    assert site.redis is not None, "the plan has a Redis"
    url = urlsplit(site.redis.url)
    async with tcp_proxy(url.hostname or "", url.port or 6379) as road:
        site.gate_url = url._replace(netloc=f"{url.hostname}:{road.port}").geturl()
        yield road


async def _break(site: Site, road: TcpProxy, fault: Fault, sizes: RedisFaults) -> Moments:
    """Let it happen; give when that was."""
    redis = site.redis
    assert redis is not None, "the plan has a Redis"
    gone_at = time.time()
    match fault:
        case "restarted" | "restarted-empty":
            await redis.kill()
            await until(gone_at + sizes.fault_s)
            away_until = time.time()
            await redis.start()
        case "replaced-empty":
            await redis.kill()
            away_until = time.time()
            await redis.start()
        case "flushed":
            # As a failover behind one address: the connections live on, the data does not.
            answer = await reply_from(urlsplit(redis.url).port or 6379, b"FLUSHALL\r\n")
            assert answer.startswith(b"+OK"), answer
            away_until = gone_at
        case "paused":
            away_until = await _pause(redis, for_s=sizes.fault_s)
        case "slow":
            road.delay_s = sizes.slow_by_s
            await until(gone_at + sizes.fault_s)
            road.delay_s = 0.0
            # It was there all the time, and so were its workers to be.
            away_until = gone_at
    return Moments(gone_at, away_until, time.time())


async def _pause(redis: RedisNode, *, for_s: float) -> float:
    """Freeze it, connections and all; give the moment it went on."""
    (pid,) = redis.pids
    os.kill(pid, signal.SIGSTOP)
    try:
        await until(time.time() + for_s)
    finally:
        away_until = time.time()
        os.kill(pid, signal.SIGCONT)
    return away_until
