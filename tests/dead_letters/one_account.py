"""Replays the letters of one account among those of many: only they go, at their pace."""

from dataclasses import dataclass

from tests.dead_letters.queues import Taken, taking
from tests.dead_letters.report import Found
from tests.dead_letters.scene import Scene, a_scene
from tests.dead_letters.tool import dead
from tests.support.raw_amqp import RawMessage
from tests.support.waiting import eventually

MOST_MB = 150.0
# The pace is seen where the letters arrive: a broker that is busy handing out all the others takes
# what waits for its confirm at once.
_SLACK = 1.1
_UNCONFIRMED = 256


@dataclass(frozen=True, slots=True)
class Sizes:
    letters: int = 100_000
    accounts: int = 200
    rate: int = 200


async def run(sizes: Sizes) -> Found:
    found = Found("one account")
    async with a_scene(accounts=sizes.accounts) as scene:
        await scene.fill(sizes.letters)
        looked = await dead("ls", "--json", settings=scene.settings)
        found.expect(looked.code == 0, f"ls ended with {looked.code}: {looked.err[-300:]}")
        async with taking(scene.url, scene.names.bulk_queue) as bulk:
            ended = await dead(
                "replay", "account", "--account", scene.chosen, "--rate", f"{sizes.rate}/s",
                "--operator", "ada", "--yes", "--json", settings=scene.settings,
            )  # fmt: skip
            if ended.code == 0:
                await eventually(lambda: len(bulk.taken) >= len(scene.selected), within_s=30)
            went = list(bulk.taken)
        found.expect(ended.code == 0, f"replay ended with {ended.code}: {ended.err[-500:]}")
        _judge(found, scene, went, sizes.rate)
        found.expect(ended.peak_mb < MOST_MB, f"the tool took {ended.peak_mb:.0f} MB")
        found.troubles += await scene.wrong_with_the_rest(set(scene.selected))
        found.figures |= {
            "letters": sizes.letters,
            "selected": len(scene.selected),
            "peak memory of the tool, MB": round(ended.peak_mb, 1),
            "ls, s": round(looked.took_s, 1),
            "replay, s": round(ended.took_s, 1),
            "summary": ended.out.strip().splitlines()[-1:],
        }
    return found


def _judge(found: Found, scene: Scene, went: list[Taken], rate: int) -> None:
    ids = [taken.id for taken in went]
    found.expect(ids == scene.selected, f"{len(ids)} went, not {len(scene.selected)} in order")
    times = [taken.at for taken in went]
    fullest = max((sum(start <= t < start + 1 for t in times) for start in times), default=0)
    found.figures["most in any second"] = fullest
    most = rate * _SLACK + _UNCONFIRMED
    found.expect(fullest <= most, f"{fullest} went within a second, allowed are {rate}")
    average = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
    found.figures["on average, a second"] = round(average, 1)
    numbers = {f"letter-{each.number}": each.number for each in scene.wanted}
    wrong = [t.id for t in went if not is_as_promised(t.message, numbers[t.id])]
    found.expect(not wrong, f"{len(wrong)} went with other headers or properties: {wrong[:1]}")


def is_as_promised(message: RawMessage, number: int) -> bool:
    """Whether the producer's own is untouched, ours says who replays it, and nothing else is."""
    ours = {k: v for k, v in message.plain_headers.items() if k.startswith("x-igsend-")}
    batch = ours.pop("x-igsend-replay-batch", None)
    return (
        message.short("correlation_id") == f"theirs-{number}".encode()
        and message.short("app_id") == b"crm"
        and message.short("message_id") != f"message-{number}".encode()
        and isinstance(batch, str)
        and ours.get("x-igsend-replay-count") == 1
        and ours.get("x-igsend-replay-by") == "ada"
        and ours.get("x-igsend-reason") == "account"
        and ours.get("x-igsend-attempts", 0) == 0
        and "x-igsend-first-seen" not in ours
    )
