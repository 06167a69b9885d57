"""`igsend dead ls` and `igsend dead show`: look at dead letters without harm."""

import time
from collections import Counter
from contextlib import aclosing
from typing import Annotated, Any

import orjson
import typer

from worker.cli.dead.options import Json, NoWait, Why, with_filters
from worker.cli.dead.run import run, the_letters, the_queue
from worker.cli.dead.tables import print_in_full, print_letters, print_queues
from worker.core.progress import rfc3339
from worker.core.reason import ADVICE, Reason
from worker.dead.letters import DeadLetters
from worker.dead.lines import body_fields
from worker.dead.lock import Locked
from worker.dead.queue import DeadQueue, code_of
from worker.dead.rest import InUse
from worker.dead.selection import Selection

PAGE = 20
# Of so many letters of a queue `ls` reads what they died of.
READ_BY_LS = 100_000
# A replay may be at a queue for hours: `ls` gives its count and goes on.
LS_WAITS_S = 3.0


def ls(json: Json = False) -> None:
    """List the dead-letter queues: how many letters, since when, of what, and what to do."""
    rows = run(_rows())
    if json:
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    else:
        print_queues(rows, now=rfc3339(time.time()))


@with_filters
def show(
    reason: Why,
    selection: Selection,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, oldest first.")] = PAGE,
    full: Annotated[bool, typer.Option("--full", help="Everything, with the body.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per letter.")] = False,
    no_wait: NoWait = False,
) -> None:
    """Look at letters. The queue stays as it is: the same letters, in the same order."""
    run(_show(reason, selection, limit, as_json=json, in_full=full, no_wait=no_wait))


async def _rows() -> list[dict[str, Any]]:
    async with the_letters() as letters:
        return [await _row(letters, reason) for reason in Reason]


async def _row(letters: DeadLetters, reason: Reason) -> dict[str, Any]:
    row: dict[str, Any] = {
        "reason": reason.value,
        "queue": letters.queue_name(reason),
        "messages": 0,
        "oldest": None,
        "newest": None,
        "codes": {},
        "advice": ADVICE[reason],
        "note": None,
    }
    try:
        async with letters.at(reason, wait_s=LS_WAITS_S) as queue:
            row["messages"] = queue.total
            row |= await _read(queue)
    except Locked:
        row["messages"] = await letters.count(reason)
        row["note"] = "an operator is at work here: what that holds is not counted"
    except InUse as in_use:
        row["messages"] = await letters.count(reason)
        row["note"] = str(in_use)
    return row


async def _read(queue: DeadQueue) -> dict[str, Any]:
    died: list[float] = []
    codes: Counter[str] = Counter()
    count = 0
    async with aclosing(queue.letters(Selection(), limit=READ_BY_LS)) as found:
        async for letter in found:
            count += 1
            codes[code_of(letter)] += 1
            if letter.died_at is not None:
                died = [min(died[0], letter.died_at), max(died[-1], letter.died_at)] if died else [
                    letter.died_at
                ]  # fmt: skip
    return {
        "oldest": rfc3339(died[0]) if died else None,
        "newest": rfc3339(died[-1]) if died else None,
        "codes": dict(codes.most_common()),
        "note": f"read the first {count}" if count < queue.total else None,
    }


async def _show(
    reason: Reason,
    selection: Selection,
    limit: int,
    *,
    as_json: bool,
    in_full: bool,
    no_wait: bool,
) -> None:
    async with the_queue(reason, no_wait=no_wait) as queue:
        async with aclosing(queue.letters(selection, limit=limit)) as found:
            letters = [letter async for letter in found]
        total = queue.total
    if as_json:
        for letter in letters:
            typer.echo(orjson.dumps({**letter.summary(), **body_fields(letter)}))
    elif in_full:
        for letter in letters:
            print_in_full(letter)
    else:
        print_letters(letters, now=rfc3339(time.time()))
        typer.echo(f"{len(letters)} shown, {total} in the queue")
