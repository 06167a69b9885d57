"""Replays with a canary that fails, then with one that does not."""

from dataclasses import dataclass

from tests.dead_letters.queues import ready
from tests.dead_letters.report import Found
from tests.dead_letters.scene import Scene, a_scene_with_workers
from tests.dead_letters.tool import Ended, dead
from tests.replicas.site import Site
from tests.replicas.witness import a_witness
from worker.core.reason import Reason


@dataclass(frozen=True, slots=True)
class Sizes:
    letters: int = 1000
    accounts: int = 4
    canary: int = 10


async def run(sizes: Sizes) -> Found:
    found = Found("canary")
    async with a_scene_with_workers(accounts=sizes.accounts, workers=1) as (scene, site):
        await scene.fill(sizes.letters)
        async with site.fleet(), a_witness(scene.url, scene.names) as witness:
            ended = await _with_a_broken_account(scene, site, sizes)
            await _judge_stopped(found, scene, ended, sizes)
            await site.admin("DELETE", "faults")
            again = await _replay(scene, sizes)
            found.expect(again.code == 0, f"it went well and ended with {again.code}: {again.err}")
            found.figures["second run"] = again.summary
            rest = scene.selected[sizes.canary :]
            missing = await witness.wait_for(rest, within_s=60)
            found.expect(not missing, f"{len(missing)} have no outcome")
            sent = [name for name in rest if "sent" in witness.outcomes.get(name, [])]
            found.expect(sent == rest, f"{len(sent)} of {len(rest)} were sent")
        found.troubles += await scene.wrong_with_the_rest(set(scene.selected))
    return found


async def _with_a_broken_account(scene: Scene, site: Site, sizes: Sizes) -> Ended:
    match = {"account_id": scene.chosen}
    fault = {"match": match, "scenario": "person_unavailable", "times": sizes.letters}
    await site.admin("POST", "faults", fault)
    return await _replay(scene, sizes)


async def _replay(scene: Scene, sizes: Sizes) -> Ended:
    return await dead(
        "replay", "account", "--account", scene.chosen, "--canary", str(sizes.canary),
        "--max-failures", "20%", "--rate", "100/s", "--yes", "--json", settings=scene.settings,
    )  # fmt: skip


async def _judge_stopped(found: Found, scene: Scene, ended: Ended, sizes: Sizes) -> None:
    found.expect(ended.code == 1, f"the canary failed and the exit code is {ended.code}")
    summary = ended.summary
    found.figures["first run"] = summary
    found.expect(bool(summary.get("stopped")), "the summary does not say why it stopped")
    found.expect(bool(ended.err.strip()), "nothing on standard error says why it stopped")
    found.expect(
        summary.get("replayed") == sizes.canary,
        f"{summary.get('replayed')} were replayed, not the canary's {sizes.canary}",
    )
    await scene.holds(len(scene.wanted) - sizes.canary)
    rejected = await ready(scene.url, scene.names.dead_queue(Reason.REJECTED))
    found.expect(rejected == sizes.canary, f"{rejected} lie in rejected, not {sizes.canary}")
