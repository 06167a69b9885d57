"""How dead letters look on a terminal."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from worker.cli.accounts import in_words
from worker.dead.letter import Letter
from worker.dead.lines import body_fields
from worker.dead.order import Order
from worker.dead.queue import Plan, code_of
from worker.dead.replay import Tally

_TOP = 3


def print_queues(rows: Sequence[Mapping[str, Any]], *, now: str) -> None:
    """One line for each queue."""
    table = Table()
    for name in ("reason", "letters", "oldest", "newest", "top codes"):
        table.add_column(name, no_wrap=True)
    table.add_column("what to do")
    for row in rows:
        table.add_row(
            row["reason"],
            str(row["messages"]),
            _ago(row["oldest"], now),
            _ago(row["newest"], now),
            top(row["codes"]),
            row["note"] or row["advice"],
        )
    Console().print(table)


def print_letters(letters: list[Letter], *, now: str) -> None:
    """One line for each letter; no message text."""
    table = Table()
    for name in ("id", "account", "error", "attempts", "died", "sent parts", "safe to replay"):
        table.add_column(name, no_wrap=True)
    table.add_column("why", min_width=12)
    for letter in letters:
        summary = letter.summary()
        table.add_row(
            letter.id or "?",
            letter.account_id or "?",
            code_of(letter),
            "?" if summary["attempts"] is None else str(summary["attempts"]),
            _ago(summary["died_at"], now),
            str(letter.sent_parts),
            "yes" if letter.is_safe_to_replay else "no",
            summary["detail"] or "",
        )
    Console().print(table)


def print_in_full(letter: Letter) -> None:
    """Every field, and the body as it is."""
    for name, value in {**letter.summary(), **body_fields(letter)}.items():
        if value not in (None, [], ""):
            typer.echo(f"{name:15} {value}")
    typer.echo("")


def say_plan(plan: Plan, order: Order) -> None:
    """Say what a replay is about to do, or would do."""
    skipped = plan.skipped
    accounts = f"{len(plan.accounts)} account{'' if len(plan.accounts) == 1 else 's'}"
    typer.echo(
        f"{plan.going} of {plan.selected} selected letters of {accounts} go to the "
        f"{order.lane.value} lane; errors: {top(plan.codes)}",
        err=True,
    )
    for why, count in skipped.skipped.items():
        typer.echo(f"{count} stay ({why})", err=True)
    for example in skipped.examples:
        typer.echo(f"  {example}", err=True)
    if (more := skipped.skipped.total() - len(skipped.examples)) > 0:
        typer.echo(f"  … and {more} more", err=True)


def top(codes: Mapping[str, int]) -> str:
    """Name the most frequent errors and their counts."""
    most = Counter(codes).most_common(_TOP)
    more = " …" if len(codes) > _TOP else ""
    return ", ".join(f"{code} ({count})" for code, count in most) + more


class _Speed(ProgressColumn):
    """How many a second, of late."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.0f}/s")


@contextmanager
def reading(total: int) -> Iterator[None]:
    """Say on a terminal that letters are being read: that may take a minute."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(f"reading {total} letters …"):
        yield


@contextmanager
def progress(total: int) -> Iterator[Callable[[Tally], None]]:
    """Show a bar on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (
        TextColumn("replayed"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=total)
        yield lambda tally: bar.update(task, completed=tally.replayed)


def _ago(moment: str | None, now: str) -> str:
    return "" if moment is None else in_words(moment, now)
