"""`igsend dead export`, `import` and `discard`: letters to files and back."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, BinaryIO

import typer

from worker.cli.dead.options import Limit, NoWait, Why, Yes, with_filters
from worker.cli.dead.run import agreed, run, the_letters, the_queue
from worker.cli.failure import CommandFailed, UsageFailed
from worker.core.reason import Reason
from worker.dead.letter import Letter
from worker.dead.letters import PIPELINED, NotTaken
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
    skip: Annotated[
        int, typer.Option(min=0, help="Not the first so many: an import that failed says them.")
    ] = 0,
) -> None:
    """Put exported letters into the queues they came from, behind what lies there."""
    with _opened(source) as file:
        total = _checked(file)
        count = run(_import(file, skip, total))
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
        # Before the broker is asked for anything: a file that exists is told at once.
        is_stream = to == "-"
        file = sys.stdout.buffer if is_stream else files.enter_context(_new_copy(Path(to)))
        async with (
            the_queue(reason, no_wait=no_wait) as queue,
            aclosing(queue.letters(selection, limit=limit)) as letters,
        ):
            async for letter in letters:
                with _writing(to):
                    file.write(line_of(letter))
                count += 1
        with _writing(to):
            file.flush()
            if not is_stream:
                os.fsync(file.fileno())
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
            if not await agreed(f"Discard {count} of {queue.total} letters?"):
                raise CommandFailed("nothing was discarded")
        with _new_file(to) as file:

            def save(letters: Sequence[Letter]) -> None:
                with _writing(str(to)):
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


@contextmanager
def _new_copy(path: Path) -> Iterator[BinaryIO]:
    """A new file, which is gone again unless it was written to its end."""
    with _new_file(path) as file:
        try:
            yield file
        except BaseException:
            path.unlink()
            raise


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Tell a full disk from a lost broker: to Python both are errors of the system."""
    try:
        yield
    except OSError as error:
        raise CommandFailed(f"cannot write {name}: {error.strerror}") from None


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """The file, which can be read twice; what comes in is kept in one until then."""
    try:
        with TemporaryFile() if source == "-" else Path(source).open("rb") as file:
            if source == "-":
                shutil.copyfileobj(sys.stdin.buffer, file)
            yield file
    except OSError as error:
        raise UsageFailed(f"cannot read {source}: {error.strerror}") from None


def _checked(file: BinaryIO) -> int:
    """Count the letters of a file that holds nothing else."""
    file.seek(0)
    broken: list[str] = []
    count = wrong = 0
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            restored_from(line)
            count += 1
        except LineBroken as error:
            wrong += 1
            if len(broken) < _SHOWN:
                broken.append(f"line {number}: {error}")
    if broken:
        more = [f"… and {wrong - len(broken)} more"] if wrong > len(broken) else []
        raise CommandFailed("\n".join(["nothing was imported:", *broken, *more]))
    return count


def _letters(file: BinaryIO) -> Iterator[Restored]:
    file.seek(0)
    return (restored_from(line) for line in file if line.strip())


async def _import(file: BinaryIO, skip: int, total: int) -> int:
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    try:
        async with the_letters() as dead:
            await dead.restore(islice(_letters(file), skip, None), on_taken=count)
    except NotTaken as refused:
        raise CommandFailed(f"RabbitMQ did not take a letter: {refused}") from None
    finally:
        if skip + taken < total:
            typer.echo(
                f"igsend: {taken} letters were imported, perhaps up to {PIPELINED} more after "
                f"them; `--skip {skip + taken}` goes on there",
                err=True,
            )
    return taken
