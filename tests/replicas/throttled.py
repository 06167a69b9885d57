"""Scenario: the API closes one account for a minute, and no worker calls it before that is over."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.replicas.evidence import Evidence, Seen
from tests.replicas.latencies import Latencies, latencies, ms
from tests.replicas.loader import Letter, Loader, a_loader
from tests.replicas.processor_time import cores, usage_of
from tests.replicas.site import Gate, Ground, Plan, Site, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed, share
from tests.replicas.work import account_ids, body, flood
from tests.support.pacing import beats, until
from tests.support.waiting import eventually

# The account reopens for the API a little before it does for the workers, who may not be early.
_EARLY_S = 0.5
# How long the answer to the probe takes: whoever calls meanwhile did not wait for it.
_PROBE_S = 0.3
_RAMP_S = 2.0


@dataclass(frozen=True, slots=True)
class Throttling:
    """Sizes of the scenario.

    The first account is flooded and refused after `refused_after_s` for `closed_s`, then watched
    for `drain_s`. The others get `per_s` in total. A call that comes within `in_flight_s` of the
    first refusal's answer was on its way when the refusal came.
    """

    workers: int = 4
    accounts: int = 20
    flood: int = 2000
    per_s: float = 60.0
    refused_after_s: float = 8.0
    closed_s: float = 60.0
    drain_s: float = 20.0
    in_flight_s: float = 0.1
    gate: Gate = "redis"
    allowed: Mapping[str, Allowed] = field(default_factory=lambda: {"text": Allowed(20, 1.0)})


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run.

    `concurrent` calls came before the first refusal was answered, `in_flight` soon after it,
    `early` later on while the account was closed. `beside_probe` came before the first call
    after that was answered; `reopened_s` is how long after the end of the closure that one came.
    """

    concurrent: int
    in_flight: int
    early: int
    beside_probe: int
    reopened_s: float | None
    drain_share: float
    violations: int
    others_before: Latencies
    others_while: Latencies
    evidence: Evidence
    cores: Mapping[str, float]

    def table(self) -> Table:
        table = Table(
            "throttled",
            ("refused at once", "in flight", "calls while closed", "beside the probe",
             "first call after", "share of rate then", "violations"),
        )  # fmt: skip
        reopened = "never" if self.reopened_s is None else f"+{self.reopened_s:.2f} s"
        table.add(
            self.concurrent, self.in_flight, self.early, self.beside_probe, reopened,
            f"{self.drain_share:.1%}", self.violations,
        )  # fmt: skip
        for name, each in (("before", self.others_before), ("meanwhile", self.others_while)):
            table.note(
                f"other accounts {name}: {each.count} requests, {each.missing} missing, "
                f"p50 {ms(each.p50)}, p99 {ms(each.p99)}, worst {ms(each.worst)}"
            )
        table.note_machine(self.evidence, self.cores)
        return table


async def run(ground: Ground, sizes: Throttling) -> Found:
    """Flood an account, refuse it for a while, let it drain; others go on all the time."""
    accounts = account_ids(sizes.accounts)
    plan = Plan(
        "throttled", workers=sizes.workers, accounts=accounts, limits=sizes.allowed, gate=sizes.gate
    )
    target = accounts[0]
    async with (
        a_site(ground, plan) as site,
        a_loader(ground.amqp_url) as flooding,
        a_loader(ground.amqp_url) as loader,
    ):
        letters = flood(site.names, target, count=sizes.flood, lane="requests")
        async with site.fleet(is_drained=False) as fleet:
            before = usage_of(site.groups(fleet))
            start = time.time()
            end = start + sizes.refused_after_s + sizes.closed_s + sizes.drain_s
            async with asyncio.TaskGroup() as tasks:
                loading = tasks.create_task(_load(site, loader, sizes, start, end))
                await flooding.post_all(letters)
                await until(start + sizes.refused_after_s)
                await _refuse_for_a_while(site, sizes, target)
            published = loading.result()
            busy = cores(before, usage_of(site.groups(fleet)))
    return judge(site.evidence, sizes, target, published=published, busy=busy)


def judge(
    evidence: Evidence,
    sizes: Throttling,
    target: str,
    *,
    published: Mapping[str, float],
    busy: Mapping[str, float],
) -> Found:
    """Sort the calls to the throttled account by when they came; time those of the others."""
    calls = evidence.of_account(target)
    first = next(call for call in calls if call.status == 429)
    answered_at = first.answered_at
    assert answered_at is not None, "the refusal was answered"
    opens_at = answered_at + sizes.closed_s
    after = [call for call in calls if call.received_at >= opens_at]
    times = [call.received_at for call in calls]
    closed = [at - answered_at for at in times if answered_at < at < opens_at]
    allowed = sizes.allowed["text"]
    watched_s = sizes.drain_s - _RAMP_S - 2.0
    return Found(
        concurrent=sum(first.received_at <= at <= answered_at for at in times),
        in_flight=sum(at <= sizes.in_flight_s for at in closed),
        early=sum(at > sizes.in_flight_s for at in closed),
        beside_probe=_beside_the_first(after),
        reopened_s=after[0].received_at - opens_at if after else None,
        drain_share=share(times, allowed, start=opens_at + _RAMP_S, length_s=watched_s),
        violations=len(evidence.violations(sizes.allowed)),
        others_before=_latencies(evidence, published, until=answered_at),
        others_while=_latencies(evidence, published, since=answered_at, until=opens_at),
        evidence=evidence,
        cores=busy,
    )


def _beside_the_first(calls: list[Seen]) -> int:
    if not calls:
        return 0
    answered_at = calls[0].answered_at or float("inf")
    return sum(call.received_at < answered_at for call in calls[1:])


def _latencies(
    evidence: Evidence, published: Mapping[str, float], *, until: float, since: float = 0.0
) -> Latencies:
    came = {call.request: call.received_at for call in evidence.accepted}
    meant = {name: at for name, at in published.items() if since <= at < until}
    taken = [came[name] - at for name, at in meant.items() if name in came]
    return latencies(taken, missing=len(meant) - len(taken))


async def _refuse_for_a_while(site: Site, sizes: Throttling, account_id: str) -> None:
    """Refuse every call from now on, until the announced time is nearly over."""
    refusal = _refusal(sizes.closed_s, account_id)
    fault_id = (await site.admin("POST", "faults", refusal))["id"]

    async def has_struck() -> bool:
        faults = await site.admin("GET", "faults")
        return any(fault["id"] == fault_id and fault["struck"] for fault in faults)

    await eventually(has_struck)
    await until(time.time() + sizes.closed_s - _EARLY_S)
    slow = {"match": {"account_id": account_id}, "latency_s": _PROBE_S, "times": 1}
    await site.admin("POST", "faults", slow)
    await site.admin("DELETE", f"faults/{fault_id}")


def _refusal(closed_s: float, account_id: str) -> dict[str, Any]:
    script: dict[str, Any] = {"match": {"account_id": account_id}, "times": None}
    if closed_s % 60:
        # Meta's estimate is in whole minutes; shorter waits come as Retry-After.
        headers = {"Retry-After": f"{closed_s:.0f}"}
        return {**script, "scenario": "throttled_retry_after", "headers": headers}
    return {**script, "scenario": "throttled_1m", "regain_access_minutes": int(closed_s // 60)}


async def _load(
    site: Site, loader: Loader, sizes: Throttling, start: float, end: float
) -> dict[str, float]:
    """Publish at a steady pace for the others; give the moment of each request by its name."""
    published = {}
    accounts = site.plan.accounts[1:]
    async for beat in beats(sizes.per_s, start=start, end=end):
        account_id, name = accounts[beat % len(accounts)], f"other-{beat}"
        text = body("text", account_id, name, to=beat)
        published[name] = loader.post(Letter(site.names.requests, account_id, text))
    await loader.confirmed()
    return published
