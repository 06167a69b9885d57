"""Scenario: an autoscaler starts and stops workers by what they say could be sent now."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tests.replicas.autoscaler import Autoscaler
from tests.replicas.crew import Crew, a_crew
from tests.replicas.evidence import Evidence
from tests.replicas.loader import Letter, a_loader
from tests.replicas.site import Ground, Plan, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed
from tests.replicas.witness import a_witness
from tests.replicas.work import account_ids, body, flood
from tests.support.pacing import beside, until
from tests.support.waiting import eventually
from worker.rabbit.names import Names

Kind = Literal["burst", "burst-in-rows", "burst-bulk", "hot", "hot-bulk", "hot-conversation"]
KINDS: tuple[Kind, ...] = (
    "burst",
    "burst-in-rows",
    "burst-bulk",
    "hot",
    "hot-bulk",
    "hot-conversation",
)
_GRACE_S = 30.0
_LOOK_EVERY_S = 1.0
BACKLOG, AGE = "igsend_sendable_backlog", "igsend_oldest_sendable_age_seconds"


@dataclass(frozen=True, slots=True)
class Hpa:
    """Sizes of the scenario. A worker has `concurrency` places, and calls take `latency_s`.

    `hot_s` is how long a hot account is watched; `patience_s` how long everything else may take.
    """

    accounts: int = 200
    per_account: int = 60
    hot: int = 20_000
    hot_s: float = 60.0
    concurrency: int = 50
    latency_s: float = 0.5
    limit_per_s: int = 20
    target: float = 25.0
    most: int = 4
    sync_s: float = 5.0
    stabilization_s: float = 15.0
    patience_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Look:
    """What all workers together said at a moment (seconds since the load began)."""

    at: float
    workers: int
    backlog: float
    age_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run. Times are seconds since the load began."""

    kind: Kind
    requests: int
    looks: list[Look]
    missing: int
    done_at: float
    back_at: float
    evidence: Evidence

    @property
    def most_workers(self) -> int:
        return max(look.workers for look in self.looks)

    @property
    def out_at(self) -> float | None:
        """When the second worker was there."""
        return next((look.at for look in self.looks if look.workers > 1), None)

    @property
    def greatest(self) -> Look:
        return max(self.looks, key=lambda look: look.backlog)

    @property
    def oldest_s(self) -> float:
        return max(look.age_s for look in self.looks)


async def run(ground: Ground, sizes: Hpa, kind: Kind) -> Found:
    """Publish the load at once and let the autoscaler do what it thinks right."""
    accounts = account_ids(sizes.accounts)
    limits = {"text": Allowed(sizes.limit_per_s, 1.0)}
    settings = {"concurrency": str(sizes.concurrency)}
    plan = Plan(f"hpa-{kind}", workers=1, accounts=accounts, limits=limits, settings=settings)
    async with a_site(ground, plan) as site:
        await site.admin("POST", "faults", {"latency_s": sizes.latency_s, "times": None})
        letters = list(load(site.names, sizes, kind))
        async with (
            a_loader(ground.amqp_url) as loader,
            a_witness(ground.amqp_url, site.names) as witness,
            a_crew(site.settings(), site.folder, grace_s=_GRACE_S) as crew,
        ):
            await crew.hire()
            start, looks = time.time(), list[Look]()
            async with beside(_watch(crew, looks, start)), beside(_scale(crew, looks, sizes)):
                await loader.post_all(letters)
                names = [f"{_mark(kind)}-{number}" for number in range(1, len(letters) + 1)]
                if kind.startswith("hot"):
                    await until(start + sizes.hot_s)
                    missing, done_at = set[str](), sizes.hot_s
                else:
                    missing = await witness.wait_for(names, within_s=sizes.patience_s)
                    done_at = time.time() - start
                    await eventually(lambda: len(crew.members) == 1, within_s=sizes.patience_s)
                back_at = time.time() - start
    return Found(kind, len(letters), looks, len(missing), done_at, back_at, site.evidence)


def load(names: Names, sizes: Hpa, kind: Kind) -> Iterator[Letter]:
    """Write the requests: of all accounts in turn or one after the other, or of one account."""
    accounts = account_ids(sizes.accounts)
    if kind == "hot-conversation":
        for number in range(1, sizes.hot + 1):
            text = body("text", accounts[0], f"flood-{number}", to=1)
            yield Letter(names.requests, accounts[0], text)
    elif kind.startswith("hot"):
        lane: Literal["bulk", "requests"] = "bulk" if kind == "hot-bulk" else "requests"
        yield from flood(names, accounts[0], count=sizes.hot, lane=lane)
    else:
        exchange = names.bulk if kind == "burst-bulk" else names.requests
        for number in range(sizes.accounts * sizes.per_account):
            place = number // sizes.per_account if kind == "burst-in-rows" else number
            account_id = accounts[place % sizes.accounts]
            text = body("text", account_id, f"burst-{number + 1}", to=number)
            yield Letter(exchange, account_id, text)


def _mark(kind: Kind) -> str:
    return "flood" if kind.startswith("hot") else "burst"


async def _watch(crew: Crew, looks: list[Look], start: float) -> None:
    while True:
        scrapes = await asyncio.gather(*(member.metrics() for member in list(crew.members)))
        backlog = sum(scrape.get(BACKLOG, 0.0) for scrape in scrapes)
        age_s = max(scrape.get(AGE, 0.0) for scrape in scrapes)
        looks.append(Look(time.time() - start, len(crew.members), backlog, age_s))
        await until(looks[-1].at + start + _LOOK_EVERY_S)


async def _scale(crew: Crew, looks: list[Look], sizes: Hpa) -> None:
    autoscaler = Autoscaler(sizes.target, sizes.most, sizes.stabilization_s)
    while True:
        await until(time.time() + sizes.sync_s)
        crew.check_alive()
        now, current = time.monotonic(), len(crew.members)
        desired = autoscaler.decide(looks[-1].backlog, current=current, now=now)
        if desired > current:
            await asyncio.gather(*(crew.hire() for _ in range(desired - current)))
        elif desired < current:
            await crew.dismiss(crew.members[-1])


def table(found: Iterable[Found]) -> Table:
    """Compare the runs, each with what was seen every few seconds."""
    table = Table(
        "autoscaling by igsend_sendable_backlog",
        ("load", "requests", "most workers", "2nd worker", "greatest backlog", "oldest", "done",
         "back to 1", "missing", "twice"),
    )  # fmt: skip
    runs = list(found)
    for each in runs:
        out = "never" if each.out_at is None else f"+{each.out_at:.0f} s"
        done = "-" if each.kind.startswith("hot") else f"+{each.done_at:.0f} s"
        back = "-" if each.kind.startswith("hot") else f"+{each.back_at:.0f} s"
        table.add(
            each.kind, each.requests, each.most_workers, out, f"{each.greatest.backlog:.0f}",
            f"{each.oldest_s:.0f} s", done, back, each.missing,
            len(each.evidence.sent_more_than_once()),
        )  # fmt: skip
    for each in runs:
        seen = "; ".join(
            f"+{look.at:.0f} s {look.backlog:.0f}/{look.age_s:.0f} s/{look.workers}"
            for look in each.looks[::5]
        )
        table.note(f"{each.kind}, backlog/age/workers: {seen}")
    return table
