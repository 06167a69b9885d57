"""Publishes at a steady pace and writes down when: a process of its own, so that it is punctual.

`python -m tests.bench.publisher CONTENDER AMQP_URL ACCOUNTS PER_S SECONDS FILE`
"""

import sys
import time
from pathlib import Path

import uvloop

from tests.bench.contenders import CONTENDERS
from tests.bench.messages import bodies
from tests.replicas.loader import a_loader
from tests.replicas.work import account_ids
from tests.support.pacing import beats

_BEGINS_AFTER_S = 0.2


async def _publish(
    name: str, amqp_url: str, *, accounts: int, per_s: float, seconds: float
) -> list[tuple[str, float]]:
    contender = next(contender for contender in CONTENDERS if contender.name == name)
    count = int(per_s * seconds) + 1
    letters = [contender.letter(body) for body in bodies(account_ids(accounts), count, run="load")]
    async with a_loader(amqp_url) as loader:
        start = time.time() + _BEGINS_AFTER_S
        return [
            (f"load-{number + 1}", loader.post(letters[number]))
            async for number in beats(per_s, start=start, end=start + seconds)
        ]


def main(arguments: list[str]) -> None:
    """Publish, and write a line with mark and moment for each."""
    name, amqp_url, accounts, per_s, seconds, file = arguments
    published = uvloop.run(
        _publish(name, amqp_url, accounts=int(accounts), per_s=float(per_s), seconds=float(seconds))
    )
    Path(file).write_text("".join(f"{mark} {moment!r}\n" for mark, moment in published))


if __name__ == "__main__":
    main(sys.argv[1:])
