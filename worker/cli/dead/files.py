"""`igsend dead export`, `import` and `discard`: letters to files and back."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from worker.cli.dead.options import Limit, NoWait, Why, Yes, with_filters
from worker.cli.dead.run import run, the_letters, the_queue
from worker.cli.failure import CommandFailed, UsageFailed
from worker.core.reason import Reason
from worker.dead.letter import Letter
from worker.dead.letters import NotTaken
from worker.dead.lines import LineBroken, Restored, line_of, restored_from
from worker.dead.selection import Selection

_SHOWN = 10


@with_filters
def export(
    reason: Why,
    selection: Selection,
    to: Annotated[str, typer.Option(help="A new file, or - for standard output.")],
    limit: Limit = None,
    no_wait: NoWait = False,
) -> None:
    """Write letters to JSON lines, without loss. The queue stays as it is."""
    count = run(_export(reason, selection, to, limit, no_wait=no_wait))
    typer.echo(f"exported {count} letters", err=True)


def import_(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="What `export` wrote.")],
) -> None:
    """Put exported letters into the queues they came from, behind what lies there."""
    letters = _restored(source)
    count = run(_import(letters))
    typer.echo(f"imported {count} letters", err=True)


@with_filters
def discard(
    reason: Why,
    selection: Selection,
    to: Annotated[Path, typer.Option(help="A new file that keeps what is discarded.")],
    limit: Limit = None,
    yes: Yes = False,
    no_wait: NoWait = False,
) -> None:
    """Take letters out for good, after writing them to a file that `import` reads."""
    if not (yes or sys.stdin.isatty()):
        raise UsageFailed("nobody can be asked here; add --yes")
    count = run(_discard(reason, selection, to, limit, asks=not yes, no_wait=no_wait))
    typer.echo(f"discarded {count} letters; they are in {to}", err=True)


async def _export(
    reason: Reason, selection: Selection, to: str, limit: int | None, *, no_wait: bool
) -> int:
    count = 0
    with ExitStack() as files:
        file = sys.stdout.buffer if to == "-" else files.enter_context(_new_file(Path(to)))
        async with (
            the_queue(reason, no_wait=no_wait) as queue,
            aclosing(queue.letters(selection, limit=limit)) as letters,
        ):
            async for letter in letters:
                file.write(line_of(letter))
                count += 1
        file.flush()
    return count


async def _discard(
    reason: Reason,
    selection: Selection,
    to: Path,
    limit: int | None,
    *,
    asks: bool,
    no_wait: bool,
) -> int:
    async with the_queue(reason, no_wait=no_wait) as queue:
        if asks:
            async with aclosing(queue.letters(selection, limit=limit)) as letters:
                count = len([None async for _ in letters])
            if not typer.confirm(f"Discard {count} of {queue.total} letters?", err=True):
                raise CommandFailed("nothing was discarded")
        with _new_file(to) as file:

            def save(letters: Sequence[Letter]) -> None:
                for letter in letters:
                    file.write(line_of(letter))
                file.flush()
                os.fsync(file.fileno())

            return await queue.discard(selection, save, limit=limit)


def _new_file(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except FileExistsError:
        raise UsageFailed(f"{path} exists; name a new file") from None
    except OSError as error:
        raise UsageFailed(f"cannot write {path}: {error.strerror}") from None


def _restored(source: str) -> list[Restored]:
    broken = []
    letters = []
    for number, line in _lines(source):
        try:
            letters.append(restored_from(line))
        except LineBroken as error:
            broken.append(f"line {number}: {error}")
    if broken:
        shown = "\n".join(broken[:_SHOWN])
        more = f"\n… and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise CommandFailed(f"nothing was imported:\n{shown}{more}")
    return letters


def _lines(source: str) -> Iterator[tuple[int, bytes]]:
    with ExitStack() as files:
        try:
            file = sys.stdin.buffer if source == "-" else files.enter_context(open(source, "rb"))
        except OSError as error:
            raise UsageFailed(f"cannot read {source}: {error.strerror}") from None
        yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())


async def _import(letters: list[Restored]) -> int:
    async with the_letters() as dead:
        try:
            return await dead.restore(letters)
        except NotTaken as refused:
            raise CommandFailed(
                f"RabbitMQ did not take a letter: {refused}; those before it were imported"
            ) from None
