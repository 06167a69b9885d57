"""One run: load and faults side by side, until all requests have ended and the books are made."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

from tests.chaos.books import Books, balance
from tests.chaos.ear import an_ear
from tests.chaos.faults.fault import Fault, Struck
from tests.chaos.load import Load
from tests.chaos.queues import collected, waiting
from tests.chaos.requests import Wanted, requests
from tests.chaos.schedule import Planned
from tests.chaos.stage import Cast, Stage, a_stage
from tests.chaos.world import register
from tests.replicas.evidence import Evidence
from tests.support.pacing import until
from tests.support.waiting import eventually

# What a fault takes, until some are over and it can be told better.
_FAULT_S = 3.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """`patience_s` is how long the last request may take after the last fault."""

    requests: int
    seed: int
    per_s: float = 60.0
    patience_s: float = 420.0
    drained_within_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Past:
    """A fault that is over. `recovered_s` is from its end to when all workers were ready.

    It is None when another fault was under way, which the figure would be of as much.
    """

    planned: Planned
    struck: Struck
    lasted_s: float
    recovered_s: float | None


@dataclass(slots=True)
class Found:
    """All a run has found; `exits` are workers that ended unasked.

    `unsettled` is how often one that was to stop had to leave work to the others.
    """

    books: Books
    past: Sequence[Past]
    exits: list[str]
    evidence: Evidence
    repeated: int
    took_s: float
    unsettled: int = 0

    @property
    def troubles(self) -> dict[str, list[str]]:
        """Give what is wrong, by what it is; the books' own and what was seen beside them."""
        lies = [
            f"{past.planned.number} {past.planned.kind}" for past in self.past if past.struck.lies
        ]
        others = {"worker ended by itself": self.exits, "ready without being so": lies}
        return self.books.troubles | {what: each for what, each in others.items() if each}

    @property
    def is_fine(self) -> bool:
        return not self.troubles


@dataclass(slots=True)
class Striking:
    """Carries out the schedule; `past` grows as faults end."""

    stage: Stage
    faults: Mapping[str, Fault]
    tell: Callable[[str], None]
    past: list[Past] = field(default_factory=list)
    _lanes: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _under_way: int = 0
    _overlaps: int = 0

    async def all(self, plan: Sequence[Planned]) -> None:
        """Strike alone, or beside the last, as planned; all are over when this returns."""
        running: list[asyncio.Task[None]] = []
        async with asyncio.TaskGroup() as tasks:
            for planned in plan:
                if not planned.is_combined and running:
                    await asyncio.wait(running)
                    running.clear()
                    await self.stage.crew.ready()
                await until(time.time() + planned.after_s)
                running.append(tasks.create_task(self._one(planned)))

    async def _one(self, planned: Planned) -> None:
        fault = self.faults[planned.kind]
        async with AsyncExitStack() as stack:
            for lane in sorted(fault.lanes):
                await stack.enter_async_context(self._lanes[lane])
            self._overlaps += bool(self._under_way)
            self._under_way += 1
            began_with = self._overlaps
            start = time.time()
            struck = await fault.inject(self.stage, Random(planned.dice))
            over = time.time()
        is_alone = began_with == self._overlaps and self._under_way == 1
        back_at = await self.stage.crew.settled() if is_alone else over
        self._under_way -= 1
        is_alone = is_alone and began_with == self._overlaps
        recovered_s = back_at - over if is_alone else None
        past = Past(planned, struck, over - start, recovered_s)
        self.past.append(past)
        back = "" if recovered_s is None else f", ready again after {recovered_s:.1f} s"
        missed = "" if struck.happened else ", did not come about"
        self.tell(f"{planned.number:4d}  {planned.kind}: {past.lasted_s:.1f} s{back}{missed}")


async def run(
    cast: Cast,
    sizes: Sizes,
    plan: Sequence[Planned],
    faults: Mapping[str, Fault],
    tell: Callable[[str], None],
) -> Found:
    """Play it and make the books."""
    began = time.time()
    async with a_stage(cast) as stage:
        site, amqp_url = stage.site, stage.rabbit.amqp_url
        asked = requests(site.names, site.plan.accounts, sizes.requests, seed=sizes.seed)
        wanted = await register(site, asked)
        async with an_ear(amqp_url, site.names) as ear:
            striking = Striking(stage, faults, tell)
            load = Load(amqp_url)
            await _load_and_strike(striking, load, plan, wanted, sizes)
            tell("all faults are over; waiting for the last outcomes")
            unheard = await ear.wait_for((w.name for w in wanted), within_s=sizes.patience_s)
            tell(f"{len(unheard)} without an outcome")
            await _drained(stage, sizes)
            await stage.crew.ready()
            await stage.crew.end()
            letters = await collected(amqp_url, site.names)
    books = balance(wanted, site.evidence, letters, ear.outcomes)
    return Found(
        books,
        striking.past,
        stage.crew.exits,
        site.evidence,
        load.repeated,
        time.time() - began,
        stage.crew.unsettled,
    )


async def _load_and_strike(
    striking: Striking,
    load: Load,
    plan: Sequence[Planned],
    wanted: Sequence[Wanted],
    sizes: Sizes,
) -> None:
    letters = [letter for each in wanted for letter in each.letters]
    start = time.time()

    def pace() -> float:
        """Spread what is left over the time that the faults ahead will take."""
        done = len(striking.past)
        if done == len(plan):
            return sizes.per_s
        each_s = (time.time() - start) / done if done else _FAULT_S
        return min(sizes.per_s, len(letters) / (each_s * len(plan)))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.publish(letters, pace=pace))
        tasks.create_task(striking.all(plan))


async def _drained(stage: Stage, sizes: Sizes) -> None:
    """Wait until the queues are empty; what is left after all is for the books."""

    async def is_empty() -> bool:
        return not await waiting(stage.rabbit.amqp_url, stage.site.names)

    try:
        await eventually(is_empty, within_s=sizes.drained_within_s)
    except TimeoutError:
        return
