"""Scenario: flooded accounts, several workers, and no window that ever holds too much."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.replicas.evidence import Evidence
from tests.replicas.fleet import Fleet
from tests.replicas.loader import Letter, a_loader
from tests.replicas.processor_time import cores, usage_of
from tests.replicas.site import Gate, Ground, Plan, Site, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed, check, not_by_a_stall, share
from tests.replicas.work import Lane, account_ids, body
from tests.support.pacing import beside, until

# More than can be sent in the time, so that no account runs dry before the end.
_SPARE = 1.15
# What a worker that was frozen has missed goes out within this time, if it catches up at all.
_CATCHING_UP_S = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of the scenario: about 280 calls a second, for a machine of two cores."""

    workers: int = 4
    accounts: int = 20
    length_s: float = 60.0
    warm_up_s: float = 3.0
    lane: Lane = "requests"
    stall_every_s: float = 7.0
    stall_s: float = 0.3
    gate: Gate = "redis"
    allowed: Mapping[str, Allowed] = field(
        default_factory=lambda: {
            "text": Allowed(10, 1.0),
            "media": Allowed(3, 1.0),
            "private_reply": Allowed(60, 60.0),
        }
    )


@dataclass(frozen=True, slots=True)
class Bucketful:
    """What came of one bucket of all accounts.

    `unexplained` violations no stall of the sandbox can have made; `after_stall` of these begin
    soon after a worker was let go on, and so may be what it caught up.
    """

    bucket: str
    allowed: Allowed
    calls: int
    violations: int
    unexplained: int
    after_stall: int
    worst: int
    worst_excess_s: float
    lowest_share: float
    median_share: float


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run."""

    buckets: list[Bucketful]
    evidence: Evidence
    cores: Mapping[str, float]
    accounts_seen: int

    @property
    def violations(self) -> int:
        return sum(bucket.unexplained for bucket in self.buckets)

    def table(self) -> Table:
        table = Table(
            "limits",
            ("bucket", "allowed", "calls", "violations", "not by a stall of the sandbox",
             "after a worker's stall", "worst window", "worst excess", "lowest share",
             "median share"),
        )  # fmt: skip
        for b in self.buckets:
            table.add(
                b.bucket, str(b.allowed), b.calls, b.violations, b.unexplained, b.after_stall,
                b.worst, f"{1000 * b.worst_excess_s:.1f} ms", f"{b.lowest_share:.1%}",
                f"{b.median_share:.1%}",
            )  # fmt: skip
        table.note_machine(self.evidence, self.cores)
        table.note(f"accepted twice: {len(self.evidence.sent_more_than_once())}")
        return table


async def run(ground: Ground, sizes: Limits) -> Found:
    """Fill the queues, start the workers, watch for `length_s` seconds."""
    accounts = account_ids(sizes.accounts)
    plan = Plan(
        "limits",
        workers=sizes.workers,
        accounts=accounts,
        limits=sizes.allowed,
        gate=sizes.gate,
    )
    async with a_site(ground, plan) as site:
        async with a_loader(ground.amqp_url) as loader:
            await loader.post_all(_letters(site, sizes))
        async with site.fleet(is_drained=False) as fleet:
            start = time.time() + sizes.warm_up_s
            await until(start)
            before = usage_of(site.groups(fleet))
            resumed: list[float] = []
            async with beside(_stall_now_and_then(fleet, sizes, resumed)):
                await until(start + sizes.length_s)
            busy = cores(before, usage_of(site.groups(fleet)))
    times = site.evidence.times()
    return Found(
        [_bucketful(site.evidence, sizes, bucket, start, resumed) for bucket in sizes.allowed],
        evidence=site.evidence,
        cores=busy,
        accounts_seen=len({account for account, _ in times}),
    )


def _bucketful(
    evidence: Evidence, sizes: Limits, bucket: str, start: float, resumed: Sequence[float]
) -> Bucketful:
    """Check every window of every account, and the use of the busy time from `start`."""
    allowed = sizes.allowed[bucket]
    times = [times for (_, name), times in evidence.times().items() if name == bucket]
    checks = [check(each, allowed) for each in times]
    shares = [share(each, allowed, start=start, length_s=sizes.length_s) for each in times]
    shares += [0.0] * (sizes.accounts - len(times))
    violations = [violation for each in checks for violation in each.violations]
    unexplained = not_by_a_stall(violations, evidence.stalls)
    return Bucketful(
        bucket,
        allowed,
        calls=sum(each.calls for each in checks),
        violations=len(violations),
        unexplained=len(unexplained),
        after_stall=sum(
            any(0 <= each.start - at <= _CATCHING_UP_S for at in resumed) for each in unexplained
        ),
        worst=max((each.worst for each in checks), default=0),
        worst_excess_s=max((each.excess_s for each in unexplained), default=0.0),
        lowest_share=min(shares),
        median_share=median(shares),
    )


async def _stall_now_and_then(fleet: Fleet, sizes: Limits, resumed: list[float]) -> None:
    """Freeze one worker again and again; note when it went on."""
    while sizes.stall_s > 0:
        await until(time.time() + sizes.stall_every_s)
        await fleet.stall(0, for_s=sizes.stall_s)
        resumed.append(time.time())


def _letters(site: Site, sizes: Limits) -> Iterator[Letter]:
    """Mix accounts and buckets, as many producers would; each bucket evenly over the whole."""
    exchange = site.names.bulk if sizes.lane == "bulk" else site.names.requests
    length_s = sizes.length_s + sizes.warm_up_s
    planned = []
    for bucket, allowed in sizes.allowed.items():
        count = int(allowed.per_s * length_s * _SPARE) + allowed.calls
        planned += [((n + 0.5) / count, bucket, n) for n in range(count)]
    number = 0
    for _, bucket, _ in sorted(planned):
        for account_id in site.plan.accounts:
            number += 1
            text = body(bucket, account_id, f"flood-{number}", to=number)
            yield Letter(exchange, account_id, text)
