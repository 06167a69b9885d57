"""Kills the replay over and over, runs it to its end, and asks the API what it accepted."""

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.chaos.queues import waiting
from tests.dead_letters.queues import Taker, a_taker
from tests.dead_letters.report import Found, brief
from tests.dead_letters.scene import Scene, a_scene_with_workers
from tests.dead_letters.tool import dead, started
from tests.dead_letters.witness import ReplayWitness, a_replay_witness
from tests.replicas.site import Site
from tests.support.pacing import until
from tests.support.waiting import eventually


@dataclass(frozen=True, slots=True)
class Sizes:
    """`latest_s` is how long a run may live before it is killed, from one of three moments.

    Each `early_every`-th from its start, half of the others from when it has begun to read, the
    rest from the first outcome of its replay.
    """

    letters: int = 6000
    accounts: int = 3
    kills: int = 50
    rate: int = 40
    latest_s: float = 4.0
    early_every: int = 5
    seed: int = 1
    workers: int = 2


async def run(sizes: Sizes) -> Found:
    found = Found("kills")
    async with a_scene_with_workers(accounts=sizes.accounts, workers=sizes.workers) as (
        scene,
        site,
    ):
        await scene.fill(sizes.letters)
        async with site.fleet(), a_replay_witness(scene) as witness:
            await _kill(found, scene, sizes, witness)
            await _to_the_end(found, scene, sizes)
            missing = await witness.wait_for(scene.selected, within_s=180)
            found.expect(not missing, f"{len(missing)} of the selected have no outcome")
            found.figures["outcomes"] = brief(witness.tally())
            _judge_kills(found, witness.batches, sizes)
            await _nothing_waits(scene)
        found.troubles += await scene.wrong_with_the_rest(set(scene.selected))
    _judge(found, scene, site)
    return found


async def _kill(found: Found, scene: Scene, sizes: Sizes, witness: ReplayWitness) -> None:
    dice = Random(sizes.seed)
    for number in range(1, sizes.kills + 1):
        batches = len(witness.batches)
        async with (
            a_taker(scene.url) as taker,
            started(*_replay(scene, sizes), settings=scene.settings) as running,
        ):
            if number % sizes.early_every:
                await _begun(taker, scene)
                if number % 2:
                    await _heard_of(witness, more_than=batches)
            await until(time.time() + dice.uniform(0.0, sizes.latest_s))
            running.kill()
            await running.ended()
    found.figures["kills"] = sizes.kills


async def _begun(taker: Taker, scene: Scene) -> None:
    """Wait until somebody consumes: the new run, when the broker has noticed the last one's end."""

    async def is_reading() -> bool:
        return (await taker.state(scene.queue))[1] > 0

    # A run that is over at once, with nothing left to replay, may not be seen.
    with suppress(TimeoutError):
        await eventually(is_reading, within_s=5)


async def _heard_of(witness: ReplayWitness, *, more_than: int) -> None:
    """Wait until the new run has replayed something."""
    # It may have had nothing left to replay.
    with suppress(TimeoutError):
        await eventually(lambda: len(witness.batches) > more_than, within_s=20)


def _judge_kills(found: Found, batches: set[str], sizes: Sizes) -> None:
    """Each run that replayed something has a batch; all but the last were killed at it."""
    killed = len(batches) - 1
    found.figures["of them while it replayed"] = killed
    found.expect(killed >= sizes.kills // 3, f"only {killed} kills came while it replayed")


async def _to_the_end(found: Found, scene: Scene, sizes: Sizes) -> None:
    ended = await dead(*_replay(scene, sizes), settings=scene.settings)
    found.expect(ended.code == 0, f"the last run ended with {ended.code}: {ended.err[-500:]}")
    found.figures["last run"] = ended.out.strip().splitlines()[-1:]


def _replay(scene: Scene, sizes: Sizes) -> tuple[str, ...]:
    rate = f"{sizes.rate}/s"
    return ("replay", "account", "--account", scene.chosen, "--rate", rate, "--yes", "--json")


async def _nothing_waits(scene: Scene) -> None:
    """Copies that a killed run left behind are answered too before the workers stop."""

    async def is_empty() -> bool:
        return not await waiting(scene.url, scene.names)

    await eventually(is_empty, within_s=180)


def _judge(found: Found, scene: Scene, site: Site) -> None:
    counts = Counter(call.request for call in site.evidence.accepted)
    wanted = set(scene.selected)
    twice = [name for name, count in counts.items() if count > 1]
    lost = wanted - counts.keys()
    more = counts.keys() - wanted
    found.figures["selected"] = len(wanted)
    found.figures["accepted by the API"] = counts.total()
    found.expect(not twice, f"{len(twice)} were accepted more than once: {twice[:3]}")
    found.expect(not lost, f"{len(lost)} were never accepted: {sorted(lost)[:3]}")
    found.expect(not more, f"{len(more)} were accepted and not selected")
