"""Two operators give the same command at once: each letter goes once."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from tests.dead_letters.queues import emptied
from tests.dead_letters.report import Found
from tests.dead_letters.scene import a_scene
from tests.dead_letters.tool import Ended, dead


@dataclass(frozen=True, slots=True)
class Sizes:
    letters: int = 5000
    accounts: int = 5
    operators: int = 2


async def run(sizes: Sizes) -> Found:
    found = Found("two operators")
    async with a_scene(accounts=sizes.accounts) as scene:
        await scene.fill(sizes.letters)

        async def replay(operator: str) -> Ended:
            return await dead(
                "replay", "account", "--account", scene.chosen, "--rate", "500/s",
                "--operator", operator, "--yes", "--json", settings=scene.settings,
            )  # fmt: skip

        names = [f"operator-{number}" for number in range(sizes.operators)]
        runs = await asyncio.gather(*map(replay, names))
        for name, ended in zip(names, runs, strict=True):
            found.expect(ended.code == 0, f"{name} ended with {ended.code}: {ended.err[-300:]}")
            found.figures[name] = ended.out.strip().splitlines()[-1:]
            found.figures[f"{name} was told"] = ended.err.strip()[-200:]
        went = await emptied(scene.url, scene.names.bulk_queue)
        counts = Counter(taken.id for taken in went)
        twice = [name for name, count in counts.items() if count > 1]
        found.expect(not twice, f"{len(twice)} went more than once")
        found.expect(counts.keys() == set(scene.selected), f"{len(counts)} different ones went")
        by = Counter(str(taken.message.plain_headers.get("x-igsend-replay-by")) for taken in went)
        found.figures["went"] = dict(by)
        found.troubles += await scene.wrong_with_the_rest(set(scene.selected))
    return found
