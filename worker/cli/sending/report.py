"""What `igsend send` tells while it runs and at its end."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import time
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from worker.cli.lines import Line
from worker.client import InvalidRequest, Outcome
from worker.core.ending import event_of
from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import Progress as OfRequest
from worker.core.reason import Reason
from worker.core.request import Identity

# Told how far the source is read.
Show = Callable[[int, "Tally"], None]
_SPEED_OVER_S = 0.2


@dataclass(slots=True)
class Tally:
    """How many requests were taken in hand, published, found invalid, and how they ended."""

    seen: int = 0
    published: int = 0
    invalid: int = 0
    ended: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    # Their outcome will not be heard, or was not in time.
    unheard: int = 0

    def note(self, outcome: Outcome) -> None:
        self.ended[outcome.status, outcome.reason] += 1

    @property
    def not_sent(self) -> int:
        """How many did not end as they should, as far as is known."""
        sent = self.ended["sent", None]
        return self.invalid + self.unheard + self.ended.total() - sent

    def __str__(self) -> str:
        ways = [
            f"{sum(count for (each, _), count in self.ended.items() if each == status)} {status}"
            + self._reasons(status)
            for status in ("sent", "failed", "held")
            if any(each == status for each, _ in self.ended)
        ]
        if self.unheard:
            ways.append(f"{self.unheard} without an outcome")
        text = f"published {self.published} requests" + (f": {', '.join(ways)}" if ways else "")
        return text + (f"; {self.invalid} invalid, not published" if self.invalid else "")

    def _reasons(self, status: str) -> str:
        reasons = [
            f"{count} {reason}"
            for (each, reason), count in self.ended.most_common()
            if each == status and reason is not None
        ]
        return f" ({', '.join(reasons)})" if reasons else ""


def invalid_outcome(line: Line, refused: InvalidRequest) -> dict[str, Any]:
    """Give the outcome of what was not published: that is certain without a broker."""
    problems = refused.problems if line.problem is None else (Problem("", line.problem),)
    detail = f"line {line.number} is not a valid request; it was not published"
    dead = Dead(Reason.INVALID, detail, OfRequest(), problems=problems)
    return event_of(dead, Identity(refused.id, refused.account_id), finished_at=time()).document()


def print_outcome(outcome: dict[str, Any], *, as_json: bool, to_stderr: bool = False) -> None:
    """Print one outcome, for a program or for a person."""
    if as_json:
        typer.echo(orjson.dumps(outcome).decode())
        return
    error = outcome["error"]
    what = ", ".join(str(mid) for mid in outcome["message_ids"]) if error is None else ""
    if error is not None:
        what = f"{outcome['reason']}: {error['detail']}"
    typer.echo(f"{outcome['status']:6} {outcome['id'] or 'unknown'}  {what}", err=to_stderr)
    for problem in error["problems"] if error else ():
        typer.echo(
            f"       {problem['pointer'] or '(the request)'}: {problem['message']}", err=to_stderr
        )


class _Speed(ProgressColumn):
    """How many requests a second, since the beginning."""

    def render(self, task: Task) -> Text:
        if task.elapsed is None or task.elapsed < _SPEED_OVER_S:
            return Text("")
        return Text(f"{task.fields['published'] / task.elapsed:,.0f}/s")


@contextmanager
def progress(total: int | None) -> Iterator[Show]:
    """Show on a terminal how far the source is read, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _position, _tally: None
        return
    columns = (
        TextColumn("{task.fields[published]:,} published"),
        BarColumn(),
        TaskProgressColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("send", total=total, published=0)

        def show(position: int, tally: Tally) -> None:
            bar.update(task, completed=position, published=tally.published)

        yield show
